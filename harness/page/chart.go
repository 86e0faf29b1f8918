package page

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mysqlmatrix/harness/report"
)

// first are the measurements that people look for, in the order in which they are drawn: what a migration costs those
// who write meanwhile, what a failover takes, phase by phase, how fast tools are and what they use, what it costs to get
// servers. They are drawn though they be details; the rest follow.
var first = []string{"cut-over stall", "longest write", "failover", "time without a write", "suspected", "detected", "frozen", "relay log applied",
	"writable", "first write", "all following", "longest time without a write", "rows copied", "events applied", "replica lag", "tool cpu",
	"tool memory", "provisioning"}

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
	Entry            string
	Median, Min, Max string // exact values
	N                int
	Y                int
	Width, From, To  float64
	Hover            string
}

// The measures of a chart, in pixels.
const (
	headHeight = 16 // of the word over the column of medians
	barHeight  = 20
	labelRoom  = 120
	barRoom    = 240
)

// charted are the measurements that are drawn: those that a run shows, and the details among those of first; what
// provisioning took is told by topology.
func charted(m report.Measurement) bool {
	return report.Shown(m) || slices.Contains(first, m.Name) || strings.HasPrefix(m.Name, "provisioning ")
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
		title := report.OneLine(s.Cell.Suite + " " + s.Cell.ToolID())
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
	b := bar{Entry: report.OneLine(s.Cell.Entry), Median: report.Exact(s.Median), Min: report.Exact(s.Min), Max: report.Exact(s.Max), N: s.N,
		Y: headHeight + len(c.Bars)*barHeight + 4, Width: x(s.Median), From: labelRoom + x(s.Min), To: labelRoom + x(s.Max)}
	b.Hover = strings.TrimRight(fmt.Sprintf("%s: %s %s", b.Entry, b.Median, unit), " ")
	if s.N > 1 {
		b.Hover = fmt.Sprintf("%s: median %s, from %s to %s %s (%d values)", b.Entry, b.Median, b.Min, b.Max, unit, b.N)
	}
	c.Bars = append(c.Bars, b)
	c.Height = headHeight + len(c.Bars)*barHeight + 2
}

// round keeps four digits of a length in pixels: more is not seen.
func round(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}
