package matrix

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mysqlmatrix/harness/flavor"
)

func TestResolve(t *testing.T) {
	m := repository(t)
	for _, c := range []struct{ ref, name, series, release string }{
		{"mysql-8.0", "mysql-8.0", "8.0", ""},
		{"ps-8.0", "percona-8.0", "8.0", ""},
		{"maria-10.11", "mariadb-10.11", "10.11", ""},
		{"mysql@8.0.21", "mysql@8.0.21", "8.0", "8.0.21"},
		{"mysql@26.7.0", "mysql@26.7.0", "26.7", "26.7.0"},
		{"percona@8.0.36-28", "percona@8.0.36-28", "8.0", "8.0.36-28"},
		{"ps@8.0.36-28", "percona@8.0.36-28", "8.0", "8.0.36-28"},
		{"percona@5.6.45-86.1", "percona@5.6.45-86.1", "5.6", "5.6.45-86.1"},
		{"mariadb@10.6.9", "mariadb@10.6.9", "10.6", "10.6.9"},
		{"dir:/opt/my[1]", "dir:/opt/my[1]", "", ""},
	} {
		e, err := m.Resolve(c.ref)
		if err != nil {
			t.Errorf("%s: %v", c.ref, err)
			continue
		}
		if e.Name != c.name || e.Series != c.series || e.Release != c.release || len(e.Sources) == 0 {
			t.Errorf("%s: got %s, series %q, release %q, %d sources", c.ref, e.Name, e.Series, e.Release, len(e.Sources))
		}
	}
}

func TestResolveFolder(t *testing.T) {
	m := repository(t)
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Resolve("dir:./server")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Sources[0].Declared.String(), "dir "+filepath.Join(here, "server"); got != want {
		t.Errorf("source %q, want %q", got, want)
	}
	if e.Vendor != flavor.VendorUnknown {
		t.Errorf("vendor %s is told before the binary is asked", e.Vendor)
	}
}

func TestResolveNothing(t *testing.T) {
	m := repository(t)
	var all strings.Builder
	for _, ref := range []string{
		"mysql-8.1", "mariadb10.11", "postgres-16", "", "mysql@8.0", "mysql@8.0.36-28", "mysql@v8.0.21", "mysql@",
		"percona@8.0.36", "mariadb@10.6", "msyql@8.0.21", "@8.0.21", "dir:",
	} {
		e, err := m.Resolve(ref)
		if err == nil {
			t.Errorf("%q is taken for %s", ref, e.Name)
			continue
		}
		fmt.Fprintf(&all, "%s\n", err)
	}
	golden(t, "testdata/unresolved.golden", all.String())
}
