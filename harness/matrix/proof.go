package matrix

import (
	"slices"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/report"
)

// Declarations are the known failures that planned cells could show, each with how many of them it speaks of. obtained is the
// server of a cell, the zero value where it could not be obtained. A declaration of no listed release line counts as well, so that
// it is not carried in silence.
func (m *Matrix) Declarations(cells []Cell, obtained func(Cell) report.Server) []report.Declaration {
	var all []report.Declaration
	for i := range m.Known {
		x := &m.Known[i]
		shown, planned := 0, !slices.ContainsFunc(m.Entries, x.ofEntry)
		tested := false
		for _, c := range cells {
			if !x.ofTool(c) {
				continue
			}
			tested = true
			server := obtained(c)
			if x.ofServer(server) {
				shown++
			}
			planned = planned || server == (report.Server{}) && x.ofEntry(c.Entry)
		}
		if tested && (shown > 0 || planned) {
			all = append(all, report.Declaration{Where: x.Where(), Servers: x.Servers, Build: string(x.Build), Suite: x.Suite, Tool: x.Tool, Error: x.Error, Cells: shown})
		}
	}
	return all
}

// ofEntry says whether the expectation may speak of servers of an entry, whatever source they come from.
func (x *Expectation) ofEntry(e Entry) bool {
	series, err := flavor.ParseRange(e.Series)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(x.servers, func(r serverRange) bool { return r.vendor == e.Vendor && r.Overlaps(series) })
}
