package matrix

import (
	"cmp"
	"slices"
	"strings"

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
