package rundir

import (
	"os"
	"testing"

	"mysqlmatrix/harness/proc"
)

// A run folder that is deleted by hand while servers run in it is in no list any more. They end with the next command.
func TestProcessesOfADeletedFolderEnd(t *testing.T) {
	base, err := os.MkdirTemp("/tmp", "mh") // t's own would be too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	root, err := Open(base)
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for range 2 {
		dir, err := root.Create(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		p, err := proc.Start(proc.Cmd{Path: "/bin/sleep", Args: []string{"600"}, Scope: dir.Path})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = proc.Sweep(t.Context(), dir.Path, 0) })
		pids = append(pids, p.PID())
		if len(pids) == 1 {
			if err := os.RemoveAll(dir.Path); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := root.ClearAbandoned(t.Context()); err != nil {
		t.Fatal(err)
	}
	if proc.Alive(pids[0]) || !proc.Alive(pids[1]) {
		t.Errorf("the one of the deleted folder lives: %t; the one of the other: %t", proc.Alive(pids[0]), proc.Alive(pids[1]))
	}
}
