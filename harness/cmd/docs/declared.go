package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/report"
)

const (
	declaredBegin = "<!-- Made of fixtures/expectations by make docs. -->\n"
	declaredEnd   = "<!-- End of what is made. -->\n"

	nothingDeclared = "none"
)

// declaredPages are the pages that have a table of what is declared, with the suite that it is of.
var declaredPages = map[string]string{"docs/suites/migration.md": "migration", "docs/suites/failover.md": "failover", "docs/suites/pseudogtid.md": "pseudogtid"}

// withDeclared is a page with its table of declarations made anew.
func withDeclared(project, page, suite string, m *matrix.Matrix) (string, error) {
	text, err := os.ReadFile(filepath.Join(project, page))
	if err != nil {
		return "", err
	}
	before, rest, found := strings.Cut(string(text), declaredBegin)
	_, after, ends := strings.Cut(rest, declaredEnd)
	if !found || !ends {
		return "", fmt.Errorf("%s has no place for what is declared: want the lines %q and %q", page, declaredBegin, declaredEnd)
	}
	table, err := declaredTable(m, suite)
	return before + declaredBegin + table + declaredEnd + after, err
}

// declaredTable says what is declared of each server and each version of a suite's tools. Entries that follow one another and
// of which the same is declared share a row; versions of which nothing is declared are named below.
func declaredTable(m *matrix.Matrix, suite string) (string, error) {
	names, rows := []string{"server"}, [][]string{}
	for _, e := range entriesOf(m, suite) {
		rows = append(rows, []string{e.Name})
	}
	var nothing []string
	for _, t := range m.Tools {
		if !slices.Contains(t.Suites, suite) {
			continue
		}
		for _, v := range t.Versions {
			column, err := declaredColumn(m, suite, t.Name, v.Version)
			if err != nil {
				return "", err
			}
			if !slices.ContainsFunc(column, func(text string) bool { return text != nothingDeclared }) {
				nothing = append(nothing, t.Name+" "+v.Version)
				continue
			}
			names = append(names, t.Name+" "+v.Version)
			for i := range rows {
				rows[i] = append(rows[i], column[i])
			}
		}
	}
	var text strings.Builder
	text.WriteString("\n| " + strings.Join(names, " | ") + " |\n" + strings.Repeat("| --- ", len(names)) + "|\n")
	for i := 0; i < len(rows); {
		servers := []string{}
		for first := i; i < len(rows) && slices.Equal(rows[i][1:], rows[first][1:]); i++ {
			servers = append(servers, rows[i][0])
		}
		text.WriteString("| " + strings.Join(servers, ", ") + " | " + strings.Join(rows[i-1][1:], " | ") + " |\n")
	}
	if len(nothing) > 0 {
		text.WriteString("\nNothing is declared of " + strings.Join(nothing, " and ") + ".\n")
	}
	return text.String() + "\n", nil
}

// entriesOf are the entries that run a suite.
func entriesOf(m *matrix.Matrix, suite string) []matrix.Entry {
	return slices.DeleteFunc(slices.Clone(m.Entries), func(e matrix.Entry) bool {
		return len(e.Suites) > 0 && !slices.Contains(e.Suites, suite)
	})
}

// declaredColumn is what is declared of a tool's version, for each entry of a suite.
func declaredColumn(m *matrix.Matrix, suite, tool, version string) ([]string, error) {
	var column []string
	for _, e := range entriesOf(m, suite) {
		known, err := m.KnownOf(&e, report.Server{}, tool+"="+version)
		if err != nil {
			return nil, err
		}
		known = slices.DeleteFunc(known, func(x matrix.Expectation) bool { return x.Suite != suite })
		column = append(column, declaredCell(e, tool, known))
	}
	return column, nil
}

func declaredCell(e matrix.Entry, tool string, known []matrix.Expectation) string {
	if unsupported(e, tool) {
		return "unsupported"
	}
	var parts []string
	failures := 0
	for _, x := range known {
		if !x.BlocksCell() {
			failures++
			continue
		}
		text := "does not work"
		only := x.OnlySome(e)
		if only != "" {
			text += " " + only
		}
		text += " ([link](" + x.Link + "))"
		if only == "" {
			return text // all else follows from that
		}
		parts = append(parts, text)
	}
	switch failures {
	case 0:
	case 1:
		parts = append(parts, "1 known failure")
	default:
		parts = append(parts, fmt.Sprintf("%d known failures", failures))
	}
	if len(parts) == 0 {
		return nothingDeclared
	}
	return strings.Join(parts, "; ")
}

// unsupported says whether a migration tool says of itself that it is not for servers of an entry.
func unsupported(e matrix.Entry, tool string) bool {
	version, err := flavor.ParseVersion(e.Series + ".0")
	if err != nil {
		return false
	}
	for _, d := range migration.Descriptors() {
		if d.Name == tool && d.Unsupported != nil {
			return d.Unsupported(flavor.Flavor{Vendor: e.Vendor, Version: version}) != ""
		}
	}
	return false
}
