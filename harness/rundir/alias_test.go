package rundir

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLinkReplacesAFolderOfItsName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mm-1")
	if err := os.MkdirAll(filepath.Join(path, "g-1"), 0o770); err != nil {
		t.Fatal(err)
	}
	for range 2 { // made, and found
		if err := link(dir, path); err != nil {
			t.Fatal(err)
		}
	}
	if target, err := os.Readlink(path); err != nil || target != dir {
		t.Errorf("it leads to %q (%v), want %s", target, err, dir)
	}
	if err := link(filepath.Join(dir, "other"), path); err == nil {
		t.Error("a link to another folder is taken for its own")
	}
}
