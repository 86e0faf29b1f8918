package run

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/tool"
)

// suite is a suite process that has a server's folder when it dies.
const suite = `#!/bin/sh
mkdir -p t1/primary/data
cd t1/primary
echo '{"entry":"e","flavor":{"vendor":"mariadb","version":{"Major":10,"Minor":11,"Patch":6}},"port":20000,"server_id":101}' >sandbox.json
printf '[mysqld]\nserver-id=101\n' >my.sandbox.cnf
echo it says so itself >start.log
echo the last line of the log >data/msandbox.err
echo the suite said this
kill -9 $$
`

// TestDeadSuiteProcess holds that what its servers had to say outlives its folder.
func TestDeadSuiteProcess(t *testing.T) {
	program := filepath.Join(t.TempDir(), "suite")
	if err := os.WriteFile(program, []byte(suite), 0o755); err != nil {
		t.Fatal(err)
	}
	short, err := os.MkdirTemp("", "mt") // the path of a socket is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	root, err := rundir.Open(short)
	if err != nil {
		t.Fatal(err)
	}
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var last report.Event
	r := &runner{Config: Config{Matrix: &matrix.Matrix{}, Root: root, Out: t.TempDir(), Limit: time.Minute, KeepData: true,
		Supply: &Supply{Tools: &tool.Store{Cache: store}}, Emit: func(e report.Event) { last = e }}}
	w := &work{flavor: flavor.Flavor{Vendor: flavor.MySQL}, cell: matrix.Cell{Entry: matrix.Entry{Name: "e"}, Suite: "failover"}, suite: program, tool: &tool.Program{}}
	old := filepath.Join(r.Out, evidenceDir(w.cell, "spec", 1), "data", "t1", "primary", "my.sandbox.cnf")
	if err := os.MkdirAll(filepath.Dir(old), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, []byte("of an earlier run"), 0o644); err != nil {
		t.Fatal(err)
	}
	if v := r.spec(context.Background(), w, cell.Spec{Text: "spec"}, 1); v != report.VerdictErrored || !strings.Contains(last.Error, "without a result: signal: killed") {
		t.Fatalf("%s, %q", v, last.Error)
	}
	for name, want := range map[string]string{
		"output.log":                        "the suite said this",
		"left/t1/primary.error.log":         "the last line of the log",
		"left/t1/primary.start.log":         "it says so itself",
		"left/t1/primary.cnf":               "server-id=101",
		"left/t1/primary.state.txt":         "node primary: mariadb 10.11.6, port 20000, server id 101\nthe server does not run",
		"data/t1/primary/data/msandbox.err": "the last line of the log",
		"data/t1/primary/my.sandbox.cnf":    "server-id=101",
	} {
		text, err := os.ReadFile(filepath.Join(r.Out, last.Evidence, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s does not say %q: %q, %v", name, want, text, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(root.Path(), "s-*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// The command that repeats a spec has all that the run was told and a repetition needs.
func TestRepro(t *testing.T) {
	one := matrix.Cell{Entry: matrix.Entry{Name: "mysql@8.0.21"}, Suite: "failover", Tool: matrix.ToolRef{Name: "embedded", Version: "builtin"}}
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Seed: 7, Limit: DefaultLimit}, "bin/matrix run --entry mysql@8.0.21 --suite failover --tool embedded=builtin --seed 7 --focus '^a b$'"},
		{Config{Seed: 7, Limit: 15 * time.Second, TrustFirstUse: true}, "bin/matrix run --entry mysql@8.0.21 --suite failover --tool embedded=builtin --seed 7 --limit 15s --trust-first-use --focus '^a b$'"},
		{Config{Seed: 7, Limit: DefaultLimit, Checksum: "abc"}, "bin/matrix run --entry mysql@8.0.21 --suite failover --tool embedded=builtin --seed 7 --checksum abc --focus '^a b$'"},
	} {
		if got := c.config.repro(one, "a b"); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
