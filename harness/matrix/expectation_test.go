package matrix

import (
	"errors"
	"strings"
	"testing"

	"mysqlmatrix/harness/report"
)

// known declares failures of the tools of small.
var known = []string{"gh-ost.yaml", `expectations:
  - {servers: [mysql 8.0, percona 8.0], suite: migration, tool: gh-ost <= v1.1.8, specs: "^gh-ost .* replica", error: "syntax .*SLAVE", link: "https://example.com/1", review: 2027-06-01}
  - {servers: [mariadb >= 10.5 < 11.1.1], suite: migration, tool: gh-ost, except: "^never ", error: transaction_isolation, link: "https://example.com/2", review: 2027-06-01}
`, "pt-osc.yaml", `expectations:
  - {servers: [mariadb <= 10.11], build: debian, suite: migration, tool: pt-osc 3.7.1, error: near 'REPLICAS', link: "https://example.com/4", review: 2027-06-01}
`, "embedded.yaml", `expectations:
  - {servers: [mysql, percona, mariadb], suite: failover, tool: embedded, specs: semi-sync, error: plugin, link: "https://example.com/3", review: 2027-06-01}
`}

func withKnown() string { return small + "expectations: known\n" }

// What is known is known of the server that was obtained, whatever the entry is called that it came from.
func TestExpect(t *testing.T) {
	m, err := loadText(t, withKnown(), known...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		server, suite, tool, baseline, spec string
		link                                string
	}{
		{"8.0.31 MySQL Community Server - GPL", "migration", "gh-ost=v1.1.8", "", "gh-ost v1.1.8 on a replica", "https://example.com/1"},
		{"8.0.31 MySQL Community Server - GPL", "migration", "gh-ost=v1.1.8", "", "gh-ost v1.1.8 on the primary", ""},
		{"8.0.31 MySQL Community Server - GPL", "migration", "gh-ost=v1.1.10", "", "gh-ost v1.1.10 on a replica", ""},
		{"8.0.31 MySQL Community Server - GPL", "migration", "gh-ost=v1.1.6", "", "gh-ost v1.1.6 on a replica", "https://example.com/1"},
		{"8.0.36-28 Percona Server (GPL)", "migration", "gh-ost=v1.1.8", "", "gh-ost on a replica", "https://example.com/1"},
		{"8.4.8 MySQL Community Server - GPL", "migration", "gh-ost=v1.1.8", "", "gh-ost on a replica", ""},
		{"10.6.9-MariaDB MariaDB Server", "migration", "gh-ost=v1.1.8", "", "any", "https://example.com/2"},
		{"11.1.0-MariaDB MariaDB Server", "migration", "gh-ost=v1.1.8", "", "any", "https://example.com/2"},
		{"11.1.1-MariaDB MariaDB Server", "migration", "gh-ost=v1.1.8", "", "any", ""},
		{"10.6.9-MariaDB MariaDB Server", "migration", "gh-ost=v1.1.8", "", "never fails", ""},
		{"10.6.9-MariaDB MariaDB Server", "migration", "gh-ost=/src/gh-ost", "none", "any", ""},
		{"10.6.9-MariaDB MariaDB Server", "migration", "gh-ost=/src/gh-ost", "v1.1.8", "any", "https://example.com/2"},
		{"8.0.31 MySQL Community Server - GPL", "migration", "gh-ost=/src/gh-ost", "", "gh-ost on a replica", ""}, // as the newest, v1.1.10
		{"8.0.31 MySQL Community Server - GPL", "migration", "gh-ost=/src/gh-ost", "v1.1.8", "gh-ost on a replica", "https://example.com/1"},
		{"10.11.19-MariaDB-0+deb12u1 Debian 12", "migration", "pt-osc", "", "any", "https://example.com/4"},
		{"10.11.5-MariaDB MariaDB Server", "migration", "pt-osc", "", "any", ""},
		{"11.8.9-MariaDB-0+deb13u1 -- Please help", "migration", "pt-osc", "", "any", ""},
		{"9.7.4-2 (Debian)", "failover", "embedded", "", "with semi-sync", "https://example.com/3"},
		{"9.7.4-2 (Debian)", "pseudogtid", "embedded", "", "with semi-sync", ""},
	} {
		t.Run(c.server+" "+c.tool+" "+c.spec, func(t *testing.T) {
			cells, err := m.Plan(Selection{Entries: []string{"mysql-8.0"}, Suites: []string{c.suite}, Tools: []string{c.tool}, Baseline: c.baseline})
			if err != nil {
				t.Fatal(err)
			}
			x, err := m.Expect(cells[0], report.ParseServer(c.server), c.spec)
			if err != nil || (x == nil) != (c.link == "") || x != nil && x.Link != c.link {
				t.Errorf("got %+v, %v, want %q", x, err, c.link)
			}
		})
	}
	x := &m.Known[1]
	if !x.Matches("a syntax error near 'SLAVE HOSTS'") || x.Matches("connection refused") {
		t.Errorf("the declared error is not told from another: %s", x.Error)
	}
	if x.Where() != "known/gh-ost.yaml:2" {
		t.Errorf("it stands in %s", x.Where())
	}
}

// Of two declarations of one thing only the first would be looked at, and the other would be true for ever.
func TestDeclarationsThatOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b    string
		overlap bool
	}{
		{`servers: [mysql >= 8.0], tool: gh-ost`, `servers: [mysql 8.4], tool: gh-ost`, true},
		{`servers: [mysql >= 8.0], tool: gh-ost`, `servers: [mysql 5.7], tool: gh-ost`, false},
		{`servers: [mysql >= 8.0], tool: gh-ost`, `servers: [percona >= 8.0], tool: gh-ost`, false},
		{`servers: [mysql], tool: gh-ost <= v1.1.8`, `servers: [mysql], tool: gh-ost > v1.1.8`, false},
		{`servers: [mysql], tool: gh-ost <= v1.1.8`, `servers: [mysql], tool: gh-ost >= v1.1.8`, true},
		{`servers: [mysql], build: debian, tool: gh-ost`, `servers: [mysql], build: vendor, tool: gh-ost`, false},
		{`servers: [mysql], build: debian, tool: gh-ost`, `servers: [mysql], tool: gh-ost`, true},
		{`servers: [mysql], tool: gh-ost, specs: a`, `servers: [mysql], tool: gh-ost, specs: b`, false},
		{`servers: [mysql], tool: gh-ost, specs: a`, `servers: [mysql], tool: gh-ost`, true},
	} {
		item := func(s string) string {
			return "  - {" + s + `, suite: migration, error: e, link: "https://example.com/1", review: 2027-06-01}` + "\n"
		}
		_, err := loadText(t, withKnown(), "gh-ost.yaml", "expectations:\n"+item(c.a)+item(c.b))
		var problems Problems
		if c.overlap != errors.As(err, &problems) || !c.overlap && err != nil {
			t.Errorf("%s and %s: %v", c.a, c.b, err)
		}
		if c.overlap && !strings.Contains(err.Error(), "known/gh-ost.yaml:3: expectation speaks of specs, servers and versions that line 2 speaks of") {
			t.Errorf("%s and %s: %v", c.a, c.b, err)
		}
	}
}

// A change of a file of known failures is a change of the matrix: runs of different ones are not merged.
func TestDigestOfKnownFailures(t *testing.T) {
	digest := func(declared ...string) string {
		m, err := loadText(t, withKnown(), declared...)
		if err != nil {
			t.Fatal(err)
		}
		return m.Digest
	}
	if whole := digest(known...); digest(known[:2]...) == whole || digest(known...) != whole {
		t.Error("the digest does not depend on the known failures alone")
	}
	if _, err := loadText(t, withKnown()); err == nil || !strings.Contains(err.Error(), "want a folder of files such as gh-ost.yaml") {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// What blocks a cell comes first; two others of one spec are told when it is judged, with their lines.
func TestExpectationsOfOneSpec(t *testing.T) {
	const rest = `suite: migration, error: e, review: 2027-06-01, link: "https://example.com/`
	m, err := loadText(t, withKnown(), "gh-ost.yaml", "expectations:\n"+
		"  - {servers: [mysql], tool: gh-ost, specs: b, "+rest+`1"}`+"\n"+
		"  - {servers: [mysql 8.0], tool: gh-ost, blocks: cell, except: \"^z\", "+rest+`2"}`+"\n"+
		"  - {servers: [mysql], tool: gh-ost, specs: c, "+rest+`3"}`+"\n")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := m.Plan(Selection{Entries: []string{"mysql-8.0"}, Suites: []string{"migration"}, Tools: []string{"gh-ost"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ server, spec, link, fault string }{
		{"8.0.31 MySQL", "b", "2", ""}, {"8.0.31 MySQL", "a", "2", ""}, {"8.0.31 MySQL", "zb", "1", ""}, {"8.4.0 MySQL", "b", "1", ""},
		{"8.4.0 MySQL", "bc", "", `known/gh-ost.yaml:2 and line 4 both speak of "bc" on 8.4.0 MySQL`},
	} {
		x, err := m.Expect(cells[0], report.ParseServer(c.server), c.spec)
		if c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) || c.fault == "" && (err != nil || x.Link != "https://example.com/"+c.link) {
			t.Errorf("%s on %s: %+v, %v", c.spec, c.server, x, err)
		}
	}
}
