package matrix

import (
	"slices"
	"strings"
	"testing"
)

// The release lines that the project promises to test.
func TestEntriesOfMatrix(t *testing.T) {
	m := repository(t)
	want := []string{
		"mysql-5.5", "mysql-5.6", "mysql-5.7", "mysql-8.0", "mysql-8.4", "mysql-9.5", "mysql-9.7",
		"percona-5.7", "percona-8.0", "percona-8.4",
		"mariadb-10.5", "mariadb-10.6", "mariadb-10.11", "mariadb-11.4", "mariadb-11.8",
	}
	for _, name := range want {
		if !slices.Contains(m.entryNames(), name) {
			t.Errorf("%s is missing", name)
		}
	}
	if !slices.ContainsFunc(m.entryNames(), func(name string) bool { return strings.HasPrefix(name, "mariadb-12.") }) {
		t.Error("there is no MariaDB 12")
	}
	if len(m.Entries) < 16 {
		t.Errorf("only %d entries", len(m.Entries))
	}
}

// The pr tier has every dialect, and needs only Debian's mirrors, npm and Maven: no vendor's site.
func TestMirrorsAreEnough(t *testing.T) {
	m := repository(t)
	for _, name := range []string{"mysql-5.6", "mysql-5.7", "mysql-8.0", "mysql-9.7", "mariadb-10.11", "mariadb-11.4", "mariadb-11.8"} {
		e, err := m.Resolve(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if e.Tier != TierPR || !slices.ContainsFunc(e.Sources, func(s Source) bool { return s.Kind() != "tarball" }) {
			t.Errorf("%s: tier %s, sources %v", e.Name, e.Tier, e.Sources)
		}
	}
}

// Every suite has a tool in tier pr.
func TestToolsOfMatrix(t *testing.T) {
	m := repository(t)
	tested := map[string]bool{}
	for _, tool := range m.Tools {
		if !slices.ContainsFunc(tool.Versions, func(v ToolVersion) bool { return v.Tier == TierPR }) {
			continue
		}
		for _, suite := range tool.Suites {
			tested[suite] = true
		}
	}
	for _, suite := range Suites {
		if !tested[suite] {
			t.Errorf("no tool is tested in %s in tier pr", suite)
		}
	}
}

// The pr tier has no tool that only its maintainers' own site has, and such a version is nobody's default.
func TestPublishedToolsAreNoDefault(t *testing.T) {
	m := repository(t)
	for _, tool := range m.Tools {
		for i, v := range tool.Versions {
			if v.Release != nil && (i == 0 || v.Tier == TierPR) {
				t.Errorf("%s %s: place %d, tier %s", tool.Name, v.Version, i+1, v.Tier)
			}
		}
	}
	cells, err := m.Plan(Selection{Entries: []string{"mysql-8.0"}, Suites: []string{"failover"}, Tools: []string{"orchestrator=/path/to/orchestrator"}})
	if err != nil || len(cells) != 1 || cells[0].Tool.Baseline != "v3.2.5" {
		t.Errorf("a build of orchestrator is judged as %+v, %v", cells, err)
	}
}

// An expectation speaks of something narrow: an error that any failure has would hide all of them.
func TestExpectationsOfMatrix(t *testing.T) {
	for _, x := range repository(t).Known {
		if !strings.Contains(x.Note, "seen on ") {
			t.Errorf("%s: the note does not say which versions were seen", x.Where())
		}
		for _, other := range []string{"", "connection refused", "context deadline exceeded", "no rows"} {
			if x.Matches(other) {
				t.Errorf("%s: %q is taken for the declared error %s", x.Where(), other, x.Error)
			}
		}
	}
}
