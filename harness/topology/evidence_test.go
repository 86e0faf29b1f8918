package topology

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
)

// TestEvidenceOfFailedDeployment deploys a server that ends before it answers, and reads what is left to look at.
func TestEvidenceOfFailedDeployment(t *testing.T) {
	base, evidence := t.TempDir(), filepath.Join(t.TempDir(), "nodes1")
	golden := &sandbox.Golden{Dir: filepath.Join(base, "golden"), Basedir: filepath.Join(base, "basedir"),
		Flavor: flavor.Flavor{Vendor: flavor.MariaDB, Version: flavor.Version{Major: 10, Minor: 11, Patch: 6}}}
	dataDir := filepath.Join(golden.Dir, "golden", "data")
	program := filepath.Join(golden.Basedir, "bin", "mysqld")
	for path, text := range map[string]string{
		program: "#!/bin/sh\necho cannot allocate; echo '[ERROR] no such table space' >msandbox.err; exit 1\n",
		filepath.Join(golden.Dir, "golden", "my.sandbox.cnf"): "[mysqld]\nskip-name-resolve\n",
		filepath.Join(dataDir, "ibdata1"):                     "",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "mt") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // it is empty: checked below
	_, err = Deploy(context.Background(), golden, Options{Shape: MustShape("single"), Evidence: evidence}, filepath.Join(dir, "t1"), dir)
	if err == nil || !strings.Contains(err.Error(), "no such table space") {
		t.Fatalf("the deployment ends with %v", err)
	}
	for name, want := range map[string]string{"primary.error.log": "no such table space", "primary.start.log": "cannot allocate",
		"primary.cnf": "server-id=101", "primary.state.txt": "the server does not run"} {
		text, err := os.ReadFile(filepath.Join(evidence, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s does not say %q: %q, %v", name, want, text, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// The end of a log begins with a line, so that no half of a password lacks the word before it.
func TestCopyTail(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	for _, c := range []struct{ before, kept string }{
		{"", "a short one\n"},
		{"password=secret\n", strings.Repeat("x", tailLimit-1) + "\n"},
		{"an older line\npassword=secret\n", strings.Repeat("x", tailLimit-5) + "\n"},
	} {
		if err := os.WriteFile(from, []byte(c.before+c.kept), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := copyTail(from, to); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(to); err != nil || string(got) != c.kept {
			t.Errorf("after %q: %d bytes, want %d: %.40q, %v", c.before, len(got), len(c.kept), got, err)
		}
	}
}
