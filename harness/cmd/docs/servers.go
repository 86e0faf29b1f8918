package main

import (
	"fmt"
	"strings"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/matrix"
)

// servers is docs/servers.md: what matrix.yaml lists.
func servers(m *matrix.Matrix) string {
	var text strings.Builder
	text.WriteString(`# Servers

What ` + "`matrix.yaml`" + ` lists, and where each comes from. Sources are tried in order; ` + "`bin/matrix list`" + ` says which work on your machine, and
` + "`bin/matrix list --offline`" + ` which are there already. An entry that no source has is *unavailable* in a report, never passed.
Any other server: an exact release from its vendor (` + "`mysql@8.0.21`" + `) or an installation of your own (` + "`dir:/path`" + `).

| entry | tier | sources | to fetch | suites |
| --- | --- | --- | --- | --- |
`)
	for _, e := range m.Entries {
		var sources []string
		for _, s := range e.Sources {
			sources = append(sources, s.Declared.String())
		}
		suites := "all"
		if len(e.Suites) > 0 {
			suites = strings.Join(e.Suites, ", ")
		}
		size := "an archive"
		if n := basedir.DeclaredSize(e); n > 0 {
			size = fmt.Sprintf("%d MB", n/1e6)
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s |\n", e.Name, e.Tier, strings.Join(sources, "; "), size, suites)
	}
	text.WriteString("\nThe pr tier is what a pull request runs; the full tier is everything. To fetch is about what the first source whose size\n" +
		"is known takes, Debian's package indexes aside (10 MB a suite). Made of `matrix.yaml` by `make docs`.\n")
	return text.String()
}
