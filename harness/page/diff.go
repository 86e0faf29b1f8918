package page

import (
	"fmt"
	"strings"

	"mysqlmatrix/harness/report"
)

// changes is what differs from an earlier run. What fails newly is marked where it stands, and not listed again.
type changes struct {
	Summary string
	Lists   []changeList
}

type changeList struct {
	Title string
	Lines []string
}

// changesShown bounds a list: an earlier run may have nothing in common with this one.
const changesShown = 1000

func newChanges(d *report.Diff) changes {
	c := changes{Summary: fmt.Sprintf("%d newly failing, %d newly fixed, %d otherwise changed, %d slower beyond noise, %d new cells, %d cells gone, %d specs gone from cells that are there.",
		len(d.Failing), len(d.Fixed), len(d.Other), len(d.Slower), len(d.New), len(d.Gone), len(d.GoneSpecs))}
	var slower, gone, specs []string
	for _, s := range d.Slower {
		slower = append(slower, report.OneLine(fmt.Sprintf("%s %s: %s %s → %s %s", s.Cell, s.Spec, s.Name, report.Exact(s.Old), report.Exact(s.New), s.Unit)))
	}
	for _, id := range d.Gone {
		gone = append(gone, report.OneLine(id.String()))
	}
	for _, g := range d.GoneSpecs {
		specs = append(specs, fmt.Sprintf("%s: %s (%s)", g.Whose(), report.OneLine(g.Spec), g.Old))
	}
	c.list("slower", slower)
	c.list("newly fixed", verdictChanges(d.Fixed))
	c.list("otherwise changed", verdictChanges(d.Other))
	c.list("cells gone", gone)
	c.list("specs gone", specs)
	return c
}

func verdictChanges(list []report.Change) []string {
	var lines []string
	for _, c := range list {
		lines = append(lines, strings.TrimSpace(report.OneLine(c.Cell.String()+" "+c.Spec))+fmt.Sprintf(": %s → %s", c.Old, c.New))
	}
	return lines
}

func (c *changes) list(title string, lines []string) {
	if extra := len(lines) - changesShown; extra > 0 {
		lines = append(lines[:changesShown:changesShown], fmt.Sprintf("and %d more: matrix report diff names them", extra))
	}
	if len(lines) > 0 {
		c.Lists = append(c.Lists, changeList{title, lines})
	}
}
