package page

import (
	"fmt"
	"strings"

	"mysqlmatrix/harness/report"
)

// grid is entries × suites and tools.
type grid struct {
	Columns []column
	Rows    []row
}

type column struct{ Suite, Tool, Version string }

type row struct {
	Entry, Vendor, Server string
	Cells                 []*gridCell // nil where the run has no such cell
}

type gridCell struct {
	Index         int
	Verdict, Mark string
	Amount        string
	Label         string // for a screen reader: the whole of it
}

func newGrid(run *report.Run) grid {
	var g grid
	rows, columns := map[string]int{}, map[string]int{}
	for i := range run.Cells {
		c := &run.Cells[i]
		key := c.ID.Suite + "\x00" + c.ID.Tool
		if _, ok := columns[key]; !ok {
			columns[key] = len(g.Columns)
			tool, version, _ := strings.Cut(c.ID.Tool, "@")
			g.Columns = append(g.Columns, column{report.OneLine(c.ID.Suite), report.OneLine(tool), report.OneLine(version)})
		}
		if _, ok := rows[c.ID.Entry]; !ok {
			rows[c.ID.Entry] = len(g.Rows)
			g.Rows = append(g.Rows, row{Entry: report.OneLine(c.ID.Entry), Vendor: vendor(c.ID.Entry)})
		}
	}
	for i := range g.Rows {
		g.Rows[i].Cells = make([]*gridCell, len(g.Columns))
	}
	for i := range run.Cells {
		c := &run.Cells[i]
		r := &g.Rows[rows[c.ID.Entry]]
		if c.Server != "" {
			r.Server = report.OneLine(c.Server)
		}
		r.Cells[columns[c.ID.Suite+"\x00"+c.ID.Tool]] = newGridCell(i, c)
	}
	return g
}

func newGridCell(index int, c *report.Cell) *gridCell {
	one := &gridCell{Index: index, Verdict: c.Verdict.String(), Mark: c.Verdict.Mark(false)}
	if c.State != report.StateFinished {
		one.Verdict, one.Mark = c.State.String(), c.State.Mark(false)
	}
	switch n := c.Count(c.Verdict); {
	case c.State != report.StateFinished:
		one.Amount = fmt.Sprintf("%d/%d", c.Done(), c.Total)
	case n > 0 && n < c.Total:
		one.Amount = fmt.Sprintf("%d/%d", n, c.Total)
	case n > 0:
		one.Amount = fmt.Sprint(n)
	}
	one.Label = report.OneLine(fmt.Sprintf("%s: %s %s specs", c.ID, one.Verdict, one.Amount))
	return one
}
