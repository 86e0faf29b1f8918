package declared

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
)

// script is a manager that is asked by its own command: it answers what it finds in a file.
const script = `#!/bin/sh
case "$1" in
ask) cat "$2/answer" ;;
*) echo "started with $*"; echo '[]' >"$2/answer"; exec sleep 600 ;;
esac
`

func manager(t *testing.T, text string) *Manager {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "manager")
	if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	declared := &matrix.OwnManager{Arguments: []string{"run", "{dir}", "{servers}"}, Ask: matrix.Ask{Command: []string{"{program}", "ask", "{dir}"}},
		Recovery: matrix.Recovery{Dead: "what.dead", Promoted: "what.new", Done: "ended", Error: "error", Followers: "below"}}
	m, err := New(Config{Program: tool.Program{Name: "own", Path: program, Manager: declared}, Dir: filepath.Join(dir, "d"), Scope: dir,
		Members: []failover.Member{{Name: "primary", Endpoint: server.Endpoint{Host: "127.0.0.1", Port: 3001}}, {Name: "replica1", Endpoint: server.Endpoint{Host: "127.0.0.1", Port: 3002}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// What a manager answers is read by the fields that are declared; what it does not answer is told as well.
func TestAudits(t *testing.T) {
	m := manager(t, script)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(m.LogPath())
	if err != nil || !strings.Contains(string(log), "primary=127.0.0.1:3001,replica1=127.0.0.1:3002") {
		t.Errorf("log %q, %v", log, err)
	}
	answer := func(text string) []failover.Audit {
		t.Helper()
		if err := os.WriteFile(filepath.Join(m.config.Dir, "answer"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		list, err := m.ask(t.Context())
		m.enter(list, err)
		return m.Audits()
	}
	got := answer(`[{"what": {"dead": "primary", "new": null}, "error": "none left"},
		{"what": {"dead": "127.0.0.1:3001", "new": "replica1"}, "ended": true, "below": ["127.0.0.1:3002", "x"]}, {"what": {"dead": "a", "new": "b"}, "ended": false}]`)
	if len(got) != 3 || got[0].Plan.Action != failover.Alert || got[0].Error != "none left" {
		t.Fatalf("%+v", got)
	}
	if a := got[1]; a.Plan.Action != failover.Promote || a.Plan.Dead != "primary" || a.Plan.Promote != "replica1" || !a.Done || strings.Join(a.Followers, " ") != "replica1 x" {
		t.Errorf("%+v", a)
	}
	if got[2].Done {
		t.Error("one that is under way is done")
	}
	if got := answer("what?"); !strings.Contains(got[len(got)-1].Error, "no JSON array of objects") {
		t.Errorf("%+v", got)
	}
}

// A manager that ends at once is an error with its own words.
func TestManagerThatEnds(t *testing.T) {
	begin := time.Now()
	err := manager(t, "#!/bin/sh\necho no licence; exit 7\n").Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no licence") || !strings.Contains(err.Error(), "exit status 7") || time.Since(begin) > startLimit {
		t.Errorf("error: %v", err)
	}
}
