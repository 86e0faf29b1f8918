package page

import (
	"fmt"
	"slices"
	"strings"

	"mysqlmatrix/harness/report"
)

// first are the measurements that people look for, in the order in which they are drawn: what a migration costs those
// who write meanwhile, what a failover takes and its phases, what it costs to get servers. The rest follow.
var first = []string{"cut-over stall", "longest write", "failover", "detected", "first write", "all following", "rows copied",
	"events applied", "replica lag", "tool cpu", "tool memory", "provisioning"}

// chartGroup is one measurement, a chart for each tool, all to the same scale.
type chartGroup struct {
	Name, Unit string
	Charts     []chart
}

type chart struct {
	Title  string // suite and tool
	Height int
	Bars   []bar
}

// bar is one server version's values: their median as a bar, and a line from the least to the greatest.
type bar struct {
	Entry                   string
	Median, Min, Max        string // exact values
	N                       int
	Y, TextY, LineY         int
	Width, From, To, ValueX float64
	Hover, Unit             string
}

// The measures of a chart, in pixels.
const (
	barHeight = 20
	labelRoom = 120
	barRoom   = 240
)

// charted are the measurements that are drawn: those that a run shows, and what provisioning took.
func charted(m report.Measurement) bool {
	return report.Shown(m) || strings.HasPrefix(m.Name, "provisioning")
}

func charts(run *report.Run) []chartGroup {
	var groups []chartGroup
	stats := report.Statistics(run, charted)
	for len(stats) > 0 {
		same := func(s report.Statistic) bool { return s.Name == stats[0].Name && s.Unit == stats[0].Unit }
		n := slices.IndexFunc(stats, func(s report.Statistic) bool { return !same(s) })
		if n < 0 {
			n = len(stats)
		}
		groups = append(groups, newChartGroup(stats[:n]))
		stats = stats[n:]
	}
	slices.SortStableFunc(groups, func(a, b chartGroup) int { return order(a.Name) - order(b.Name) })
	return groups
}

func order(name string) int {
	i := slices.IndexFunc(first, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	if i < 0 {
		return len(first)
	}
	return i
}

func newChartGroup(stats []report.Statistic) chartGroup {
	g := chartGroup{Name: report.OneLine(stats[0].Name), Unit: report.OneLine(stats[0].Unit)}
	largest := 0.0
	for _, s := range stats {
		largest = max(largest, s.Max)
	}
	for _, s := range stats {
		title := report.OneLine(s.Cell.Suite + " " + s.Cell.Tool)
		i := slices.IndexFunc(g.Charts, func(c chart) bool { return c.Title == title })
		if i < 0 {
			i = len(g.Charts)
			g.Charts = append(g.Charts, chart{Title: title})
		}
		g.Charts[i].add(s, largest, g.Unit)
	}
	return g
}

func (c *chart) add(s report.Statistic, largest float64, unit string) {
	x := func(v float64) float64 {
		if largest <= 0 {
			return 0
		}
		return round(max(0, v) / largest * barRoom)
	}
	v := report.Numbers(s.Median, s.Min, s.Max)
	y := len(c.Bars) * barHeight
	b := bar{Entry: report.OneLine(s.Cell.Entry), Median: v[0], Min: v[1], Max: v[2], N: s.N, Unit: unit, Y: y + 4, TextY: y + 14, LineY: y + 10,
		Width: x(s.Median), From: labelRoom + x(s.Min), To: labelRoom + x(s.Max)}
	b.ValueX = b.To + 6
	b.Hover = fmt.Sprintf("%s: median %s %s, from %s to %s, %d values", b.Entry, b.Median, unit, b.Min, b.Max, b.N)
	c.Bars = append(c.Bars, b)
	c.Height = len(c.Bars)*barHeight + 2
}
