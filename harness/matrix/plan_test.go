package matrix

import (
	"fmt"
	"strings"
	"testing"
)

// small is a matrix of three entries and three tools.
const small = `tools:
  - name: gh-ost
    suites: [migration]
    versions:
      - {version: v1.1.10, tier: pr, module: {path: github.com/github/gh-ost, command: go/cmd/gh-ost}}
      - {version: v1.1.8, tier: full, module: {path: github.com/github/gh-ost, command: go/cmd/gh-ost}}
  - name: pt-osc
    suites: [migration]
    versions:
      - {version: "3.7.1", tier: pr, apt: {packages: [percona-toolkit]}}
  - name: embedded
    suites: [failover, pseudogtid]
    versions:
      - {version: builtin, tier: pr, builtin: true}
entries:
  - {name: mysql-5.7, vendor: mysql, series: "5.7", tier: full, sources: [{dir: {path: /a}}]}
  - {name: mysql-8.0, vendor: mysql, series: "8.0", tier: pr, sources: [{dir: {path: /b}}]}
  - {name: mariadb-10.11, vendor: mariadb, series: "10.11", tier: pr, sources: [{dir: {path: /c}}]}
`

func smallMatrix(t *testing.T) *Matrix {
	t.Helper()
	m, err := loadText(t, small)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func cellIDs(cells []Cell) string {
	var ids []string
	for _, c := range cells {
		ids = append(ids, c.ID().String())
	}
	return strings.Join(ids, " ")
}

func TestPlan(t *testing.T) {
	m := smallMatrix(t)
	for _, c := range []struct {
		name      string
		selection Selection
		want      string
	}{
		{"order of the file", Selection{Entries: []string{"mariadb-*", "mysql-8.0"}, Suites: []string{"pseudogtid", "failover"}},
			"mysql-8.0/failover/embedded@builtin mysql-8.0/pseudogtid/embedded@builtin mariadb-10.11/failover/embedded@builtin mariadb-10.11/pseudogtid/embedded@builtin"},
		{"beyond the file comes last", Selection{Entries: []string{"mariadb@10.6.9", "dir:/srv/x*", "mysql-*"}, Suites: []string{"failover"}},
			"mysql-5.7/failover/embedded@builtin mysql-8.0/failover/embedded@builtin mariadb@10.6.9/failover/embedded@builtin dir:/srv/x*/failover/embedded@builtin"},
		{"named twice is once", Selection{Entries: []string{"mysql-8.0", "mysql-8*", "mysql-8.0"}, Suites: []string{"failover", "fail*"}}, "mysql-8.0/failover/embedded@builtin"},
		{"pr is a part of full", Selection{Tier: TierPR, Suites: []string{"migration"}},
			"mysql-8.0/migration/gh-ost@v1.1.10 mysql-8.0/migration/pt-osc@3.7.1 mariadb-10.11/migration/gh-ost@v1.1.10 mariadb-10.11/migration/pt-osc@3.7.1"},
		{"full is all", Selection{Tier: TierFull, Entries: []string{"mysql-5.7"}},
			"mysql-5.7/migration/gh-ost@v1.1.10 mysql-5.7/migration/gh-ost@v1.1.8 mysql-5.7/migration/pt-osc@3.7.1 mysql-5.7/failover/embedded@builtin mysql-5.7/pseudogtid/embedded@builtin"},
		{"named in full, whatever its tier", Selection{Tier: TierPR, Entries: []string{"mysql-5.7"}, Suites: []string{"failover"}}, "mysql-5.7/failover/embedded@builtin"},
		{"pattern within the tier", Selection{Tier: TierPR, Entries: []string{"mysql-*"}, Suites: []string{"failover"}}, "mysql-8.0/failover/embedded@builtin"},
		{"naming a tool leaves it alone in its suite", Selection{Entries: []string{"mysql-8.0"}, Tools: []string{"gh-ost=v1.1.8"}},
			"mysql-8.0/migration/gh-ost@v1.1.8 mysql-8.0/failover/embedded@builtin mysql-8.0/pseudogtid/embedded@builtin"},
		{"all versions of a tool, once each", Selection{Tier: TierPR, Entries: []string{"mysql-8.0"}, Suites: []string{"migration"}, Tools: []string{"gh-ost", "gh-ost=v1.1.8"}},
			"mysql-8.0/migration/gh-ost@v1.1.10 mysql-8.0/migration/gh-ost@v1.1.8"},
		{"version beyond the file", Selection{Entries: []string{"mysql-8.0"}, Suites: []string{"migration"}, Tools: []string{"gh-ost=v1.1.9"}}, "mysql-8.0/migration/gh-ost@v1.1.9"},
		{"build of one's own", Selection{Entries: []string{"mysql-8.0"}, Suites: []string{"migration"}, Tools: []string{"gh-ost=/src/gh-ost", "pt-osc=./pt-osc"}},
			"mysql-8.0/migration/gh-ost@local mysql-8.0/migration/pt-osc@local"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cells, err := m.Plan(c.selection)
			if err != nil {
				t.Fatal(err)
			}
			if got := cellIDs(cells); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestPlanOfToolVersions(t *testing.T) {
	m := smallMatrix(t)
	ref := func(argument string) ToolRef {
		t.Helper()
		cells, err := m.Plan(Selection{Entries: []string{"mysql-8.0"}, Suites: []string{"migration"}, Tools: []string{argument}})
		if err != nil {
			t.Fatal(err)
		}
		if flag := cells[0].Tool.Flag(); flag != argument {
			t.Errorf("flag %q, want %q", flag, argument)
		}
		return cells[0].Tool
	}
	if r := ref("gh-ost=v1.1.9"); r.Source.Module == nil || r.Source.Version != "v1.1.9" || r.Source.Module.Command != "go/cmd/gh-ost" {
		t.Errorf("a version beyond the file: %+v", r.Source)
	}
	if r := ref("pt-osc=/opt/pt-osc"); r.Path != "/opt/pt-osc" || r.Source.Path != r.Path || r.Source.Apt == nil {
		t.Errorf("a build of one's own: %+v", r)
	}
	if m.Tools[0].Versions[0].Version != "v1.1.10" || m.Tools[1].Versions[0].Path != "" {
		t.Error("planning has changed the matrix")
	}
}

func TestPlanNothing(t *testing.T) {
	m := smallMatrix(t)
	var all strings.Builder
	for _, s := range []Selection{
		{Entries: []string{"mysql-9*"}},
		{Entries: []string{"mysql-8.1", "mariadb@10.6"}, Suites: []string{"migartion"}, Tools: []string{"ghost"}},
		{Entries: []string{"mysql-[8"}},
		{Entries: []string{"mysql-5*"}, Tier: TierPR},
		{Suites: []string{"backup"}},
		{Suites: []string{"[x"}},
		{Tools: []string{"pt-osc=3.2.1"}},
		{Tools: []string{"pt-osc="}},
		{Tools: []string{"gh-ost=1.1.8"}},
		{Tools: []string{"gh-ost=master"}},
		{Tools: []string{"gh-ost=/a/gh-ost", "gh-ost=/b/gh-ost"}},
		{Tools: []string{"gh-ost=v1.1.8"}, Suites: []string{"failover"}},
	} {
		cells, err := m.Plan(s)
		if err == nil || cells != nil {
			t.Errorf("%+v: %s, %v", s, cellIDs(cells), err)
			continue
		}
		fmt.Fprintf(&all, "%s\n\n", err)
	}
	golden(t, "testdata/unplanned.golden", all.String())
}

// A suite whose tools are all of another tier leaves nothing to run.
func TestPlanEmptyTier(t *testing.T) {
	m, err := loadText(t, strings.ReplaceAll(small, "{version: builtin, tier: pr", "{version: builtin, tier: full"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Plan(Selection{Tier: TierPR, Suites: []string{"failover"}})
	want := "nothing to run of tier pr in failover; the tools and their suites are gh-ost (migration), pt-osc (migration), embedded (failover, pseudogtid)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A cached basedir stays good when lines move, and not when what it comes from changes.
func TestDigest(t *testing.T) {
	digest := func(text string) string {
		t.Helper()
		m, err := loadText(t, text)
		if err != nil {
			t.Fatal(err)
		}
		return m.Entries[0].Digest()
	}
	same := digest(small)
	if digest("# a comment\n"+small) != same {
		t.Error("the digest depends on where the entry stands")
	}
	if digest(strings.Replace(small, "path: /a", "path: /z", 1)) == same {
		t.Error("the digest does not depend on the source")
	}
}
