package matrix

import (
	"cmp"
	"slices"
	"strings"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/report"
)

// KnownOf are the known failures of a server and a tool, in the order of their files. A server that is not known is any of the
// entry's release line; without an entry it is any server. tool is a name, or a name and a version: gh-ost=v1.1.8.
func (m *Matrix) KnownOf(e *Entry, s report.Server, tool string) ([]Expectation, error) {
	name, version, _ := strings.Cut(tool, "=")
	if tool != "" {
		if _, err := m.ResolveTool(tool); err != nil {
			return nil, err
		}
	}
	known := slices.DeleteFunc(slices.Clone(m.Known), func(x Expectation) bool {
		switch {
		case tool != "" && x.tool != name, version != "" && !x.ofVersion(version):
			return true
		case s != (report.Server{}):
			return !x.ofServer(s)
		}
		return e != nil && !x.ofEntry(*e)
	})
	slices.SortStableFunc(known, func(a, b Expectation) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.At.Line, b.At.Line))
	})
	return known, nil
}

// OnlySome says of which servers of an entry's release line the expectation speaks, such as "on mysql < 5.7.20" or "as built
// by debian", "" where of all.
func (x *Expectation) OnlySome(e Entry) string {
	const lowest, highest = 0, 999
	var only string
	for i, r := range x.servers {
		if r.vendor != e.Vendor {
			continue
		}
		numbers, err := flavor.Numbers(e.Series)
		if err != nil {
			return ""
		}
		if r.Contains(append(slices.Clone(numbers), lowest)) && r.Contains(append(slices.Clone(numbers), highest)) {
			only = ""
			break
		}
		if series, err := flavor.ParseRange(e.Series); err == nil && r.Overlaps(series) {
			only = "on " + x.Servers[i]
		}
	}
	if x.Build != "" {
		only = strings.TrimSpace(only + " as built by " + string(x.Build))
	}
	return only
}
