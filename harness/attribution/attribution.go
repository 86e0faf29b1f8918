// Package attribution finds whose fault a failure is: it says what to run beside it, and what the verdicts then mean.
package attribution

import (
	"cmp"
	"fmt"
	"slices"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

// Neighbours are what to compare a cell with: the same with the tool's version before it, and the same on the server
// version before it. Where there is none before it is the one after; where there is none at all it is nil.
type Neighbours struct{ Tool, Server *matrix.Cell }

// Find finds a cell's neighbours. Servers are compared within a vendor, in the order of their versions, and only
// the available ones count. A build of one's own has the tool's first listed version, a release, for a neighbour.
func Find(m *matrix.Matrix, c matrix.Cell, obtainable func(matrix.Entry) bool) Neighbours {
	var n Neighbours
	if ref, ok := neighbourTool(m, c.Tool); ok {
		other := c
		other.Tool = ref
		n.Tool = &other
	}
	if e, ok := neighbourEntry(m, c.Entry, obtainable); ok {
		other := c
		other.Entry = e
		n.Server = &other
	}
	return n
}

func neighbourTool(m *matrix.Matrix, ref matrix.ToolRef) (matrix.ToolRef, bool) {
	i := slices.IndexFunc(m.Tools, func(t matrix.Tool) bool { return t.Name == ref.Name })
	if i < 0 {
		return ref, false
	}
	versions := slices.Clone(m.Tools[i].Versions)
	choose := func(v matrix.ToolVersion) (matrix.ToolRef, bool) {
		return matrix.ToolRef{Name: ref.Name, Version: v.Version, Source: v}, true
	}
	if ref.Path != "" {
		return choose(versions[0])
	}
	slices.SortStableFunc(versions, func(a, b matrix.ToolVersion) int { return compareVersions(a.Version, b.Version) })
	at := slices.IndexFunc(versions, func(v matrix.ToolVersion) bool { return v.Version == ref.Version })
	switch {
	case at > 0:
		return choose(versions[at-1])
	case at == 0 && len(versions) > 1:
		return choose(versions[1])
	case at < 0:
		return choose(versions[0])
	}
	return ref, false
}

func neighbourEntry(m *matrix.Matrix, e matrix.Entry, obtainable func(matrix.Entry) bool) (matrix.Entry, bool) {
	others := slices.DeleteFunc(slices.Clone(m.Entries), func(o matrix.Entry) bool { return o.Vendor != e.Vendor || o.Name == e.Name })
	all := InOrder(append(others, e)) // an exact release is not among the matrix's entries
	at := slices.IndexFunc(all, func(o matrix.Entry) bool { return o.Name == e.Name })
	for i := at - 1; i >= 0; i-- {
		if obtainable(all[i]) {
			return all[i], true
		}
	}
	for i := at + 1; i < len(all); i++ {
		if obtainable(all[i]) {
			return all[i], true
		}
	}
	return e, false
}

// InOrder sorts entries by vendor, and then by version; an exact release comes after its series.
func InOrder(entries []matrix.Entry) []matrix.Entry {
	return slices.SortedStableFunc(slices.Values(entries), func(a, b matrix.Entry) int {
		return cmp.Or(cmp.Compare(a.Vendor.String(), b.Vendor.String()), compareVersions(a.Series, b.Series), compareVersions(a.Release, b.Release))
	})
}

// compareVersions compares by numbers, whatever stands between them: v1.1.10 is after v1.1.8, 10.11 after 10.5.
func compareVersions(a, b string) int { return slices.Compare(numbers(a), numbers(b)) }

func numbers(s string) []int {
	var list []int
	in := false
	for _, r := range s {
		digit := r >= '0' && r <= '9'
		switch {
		case digit && !in:
			list = append(list, int(r-'0'))
		case digit:
			list[len(list)-1] = list[len(list)-1]*10 + int(r-'0')
		}
		in = digit
	}
	return list
}

// Finding is how one of the cells ended.
type Finding struct {
	Cell    report.CellID
	Verdict report.Verdict
}

// Conclude says whose fault a failure is, in one sentence. again is the same cell run once more; the others are its
// neighbours, or nil where there is none. A neighbour that could not be obtained tells nothing, and one that is errored only of
// a failure that is itself an error.
func Conclude(again Finding, tool, server *Finding) string {
	errored := unknown
	if again.Verdict == report.VerdictErrored { // then it is about this
		errored = breaks
	}
	switch speaks(&again, errored) {
	case unknown:
		return fmt.Sprintf("not told: %s is %s now", again.Cell, again.Verdict)
	case works:
		return fmt.Sprintf("it did not fail again: %s is %s now; run it with --repeat to see how often it fails", again.Cell, again.Verdict)
	}
	toolSays, serverSays := speaks(tool, errored), speaks(server, errored)
	switch {
	case toolSays == unknown && serverSays == unknown:
		return "nothing to compare with: no neighbouring version of the tool or the server tells anything"
	case toolSays == works && serverSays == works:
		return fmt.Sprintf("the two together: it works with %s, and on %s, so that what %s changed does not fit what %s changed",
			tool.Cell.ToolID(), server.Cell.Entry, again.Cell.ToolID(), again.Cell.Entry)
	case toolSays == works:
		return fmt.Sprintf("the tool: with %s it is %s on the same server; %s", tool.Cell.ToolID(), tool.Verdict, aside(serverSays, server, "the server version makes no difference"))
	case serverSays == works:
		return fmt.Sprintf("the server: on %s it is %s with the same tool; %s", server.Cell.Entry, server.Verdict, aside(toolSays, tool, "the tool's version makes no difference"))
	case toolSays == unknown || serverSays == unknown:
		return "not told: the one neighbour that tells anything fails as well"
	}
	return fmt.Sprintf("neither changes it: it fails with %s and on %s as well, so that it is older than both, or lies in the spec", tool.Cell.ToolID(), server.Cell.Entry)
}

func aside(said word, other *Finding, otherwise string) string {
	if said == unknown {
		return "the other neighbour tells nothing"
	}
	return otherwise + " (" + other.Cell.String() + " is " + other.Verdict.String() + ")"
}

type word uint8

const (
	unknown word = iota
	works
	breaks
)

// speaks is what a finding tells. errored is what one tells where something gave way before the spec could say anything.
func speaks(f *Finding, errored word) word {
	switch {
	case f == nil:
		return unknown
	case f.Verdict == report.VerdictErrored:
		return errored
	case f.Verdict.Broken():
		return breaks
	case f.Verdict == report.VerdictPassed || f.Verdict == report.VerdictFixed || f.Verdict == report.VerdictFixedByBuild || f.Verdict == report.VerdictVacuous:
		return works
	}
	return unknown
}
