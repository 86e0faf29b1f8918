package upgrade

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"mysqlmatrix/harness/flavor"
)

var update = flag.Bool("update", false, "rewrite goldens")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s", path, got)
	}
}

func TestPlan(t *testing.T) {
	for name, servers := range map[string][]flavor.Flavor{
		"plan-mysql-5.6-8.0.txt":    {mysqlAt(5, 6, 24), mysqlAt(5, 7, 22), mysqlAt(8, 0, 31)},
		"plan-mysql-8.0-9.7.txt":    {mysqlAt(8, 0, 31), mysqlAt(9, 7, 4)},
		"plan-mariadb.txt":          {mariadbAt(10, 2, 11), mariadbAt(11, 8, 9)},
		"plan-mysql-to-mariadb.txt": {mysqlAt(8, 0, 31), mariadbAt(10, 11, 19)},
	} {
		golden(t, name, NewPlan(servers, Ways, 2, 1).String())
	}
}

func TestSteps(t *testing.T) {
	for _, c := range []struct {
		from, to flavor.Flavor
		want     string // the path; "" is none
	}{
		{mysqlAt(5, 7, 22), mysqlAt(8, 0, 31), "mysql 5.7 → mysql 8.0"},
		{mysqlAt(5, 6, 24), mysqlAt(9, 7, 4), "mysql 5.6 → mysql 5.7 → mysql 8.0 → mysql 8.4 → mysql 9.7"},
		{mysqlAt(8, 0, 15), mysqlAt(8, 0, 31), "mysql 8.0 → mysql 8.0"},
		{mysqlAt(8, 4, 8), mysqlAt(9, 5, 0), "mysql 8.4 → mysql 9.5"},
		{mariadbAt(10, 2, 11), mariadbAt(11, 8, 9), "mariadb 10.2 → mariadb 11.8"},
		{mysqlAt(8, 0, 31), mysqlAt(5, 7, 22), ""},
		{mysqlAt(8, 0, 31), mariadbAt(11, 4, 5), ""},
	} {
		steps, err := Steps(c.from, c.to)
		if (err == nil) != (c.want != "") || Path(steps) != c.want {
			t.Errorf("%s → %s: %q, %v; want %q", c.from, c.to, Path(steps), err, c.want)
		}
	}
	if Direct(mysqlAt(5, 7, 22), mysqlAt(8, 4, 8)).InPlace {
		t.Error("5.7 → 8.4 is said to be supported")
	}
	if s := Direct(mysqlAt(5, 7, 22), mysqlAt(8, 0, 31)); !s.InPlace || !s.Replicate || s.Source == "" {
		t.Errorf("5.7 → 8.0: %+v", s)
	}
}

func TestParseWays(t *testing.T) {
	if ways, err := ParseWays("in-place, rolling"); err != nil || len(ways) != 2 {
		t.Errorf("%v, %v", ways, err)
	}
	if _, err := ParseWays("sideways"); err == nil {
		t.Error("no error")
	}
}
