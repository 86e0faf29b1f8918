package run

import (
	"cmp"
	"slices"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

// order puts the cells first in which a spec failed in the run before, and then those that are expected to take longest.
func (c *Config) order(cells []matrix.Cell) []matrix.Cell {
	return slices.SortedStableFunc(slices.Values(cells), func(a, b matrix.Cell) int {
		failed := cmp.Compare(len(c.Failed[b.ID()]), len(c.Failed[a.ID()]))
		if failed == 0 && c.Expected != nil {
			return cmp.Compare(c.Expected(b), c.Expected(a))
		}
		return failed
	})
}

// orderSpecs puts the specs of a cell first that failed in the run before, then those of the pr tier, then the others.
func (c *Config) orderSpecs(id report.CellID, specs []cell.Spec) []cell.Spec {
	rank := func(s cell.Spec) int {
		switch {
		case c.Failed[id][s.Text]:
			return 0
		case !slices.Contains(s.Labels, cell.LabelFull):
			return 1
		default:
			return 2
		}
	}
	return slices.SortedStableFunc(slices.Values(specs), func(a, b cell.Spec) int { return cmp.Compare(rank(a), rank(b)) })
}
