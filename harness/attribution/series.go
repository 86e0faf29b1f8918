package attribution

import (
	"errors"
	"slices"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
)

// Step is an entry of a series, and the cells to run on it.
type Step struct {
	Entry matrix.Entry
	Cells []matrix.Cell
}

// InSeries puts cells in the order of their entries' versions. Only entries of one vendor have one.
func InSeries(cells []matrix.Cell) ([]Step, error) {
	byEntry := map[string][]matrix.Cell{}
	var entries []matrix.Entry
	for _, c := range cells {
		if byEntry[c.Entry.Name] == nil {
			entries = append(entries, c.Entry)
		}
		byEntry[c.Entry.Name] = append(byEntry[c.Entry.Name], c)
	}
	if slices.ContainsFunc(entries, func(e matrix.Entry) bool { return e.Vendor != entries[0].Vendor || e.Vendor == flavor.VendorUnknown }) {
		return nil, errors.New("the entries are of several vendors, whose versions have no common order")
	}
	var series []Step
	for _, e := range InOrder(entries) {
		series = append(series, Step{e, byEntry[e.Name]})
	}
	return series, nil
}
