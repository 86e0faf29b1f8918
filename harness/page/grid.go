package page

import (
	"fmt"

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
	Works         string // whether the tool works on the server, in words
}

func newGrid(run *report.Run) grid {
	var g grid
	rows, columns := map[string]int{}, map[report.CellID]int{}
	for i := range run.Cells {
		c := &run.Cells[i]
		key := columnOf(c.ID)
		if _, ok := columns[key]; !ok {
			columns[key] = len(g.Columns)
			g.Columns = append(g.Columns, column{report.OneLine(c.ID.Suite), report.OneLine(c.ID.Tool), report.OneLine(c.ID.Version)})
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
		if c.Server != (report.Server{}) {
			r.Server = report.OneLine(c.Server.String())
		}
		r.Cells[columns[columnOf(c.ID)]] = newGridCell(i, c)
	}
	return g
}

// columnOf is a cell's identity without its entry.
func columnOf(id report.CellID) report.CellID {
	id.Entry = ""
	return id
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
	one.Works = report.OneLine(report.Compatibility(c))
	one.Label = report.OneLine(fmt.Sprintf("%s: %s %s specs", c.ID, one.Verdict, one.Amount))
	return one
}
