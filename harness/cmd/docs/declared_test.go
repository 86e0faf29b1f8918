package main

import (
	"strings"
	"testing"

	"mysqlmatrix/harness/matrix"
)

// What a tool cannot do, what it was not made for and what is declared of some builds only are told apart.
func TestDeclaredCells(t *testing.T) {
	m, err := matrix.Load("../../../matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cell := func(entry, tool, version string) string {
		column, err := declaredColumn(m, "migration", tool, version)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range entriesOf(m, "migration") {
			if e.Name == entry {
				return column[i]
			}
		}
		t.Fatalf("no entry %s", entry)
		return ""
	}
	for _, c := range []struct{ entry, tool, version, want string }{
		{"mysql-5.6", "gh-ost", "v1.1.10", "does not work ([link]("},
		{"mysql-5.7", "gh-ost", "v1.1.10", "does not work on mysql < 5.7.20 ([link]("},
		{"mysql-9.7", "gh-ost", "v1.1.6", "does not work ([link]("},
		{"mysql-9.7", "gh-ost", "v1.1.10", " known failures"},
		{"mariadb-10.11", "pt-online-schema-change", "3.7.1", "does not work as built by debian ([link]("},
		{"mariadb-11.8", "spirit", "v0.12.0", "unsupported"},
		{"mysql-9.7", "online-ddl", "builtin", nothingDeclared},
	} {
		if got := cell(c.entry, c.tool, c.version); !strings.Contains(got, c.want) {
			t.Errorf("%s, %s %s: %q, want %q", c.entry, c.tool, c.version, got, c.want)
		}
	}
}
