package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// WriteHistory draws how cells did over past runs, the oldest first: pass rates of their specs, how long they took,
// and the medians of what was measured. A line has a column for each run; a dot is a run without that cell.
func WriteHistory(w io.Writer, runs []Part, o Options) error {
	runs = slices.SortedStableFunc(slices.Values(runs), func(a, b Part) int { return a.Run.Started.Compare(b.Run.Started) })
	lines := []line{head(plural(len(runs), "run"))}
	for i, p := range runs {
		l := line{{styleDim, fmt.Sprintf("  %2d  ", i+1)}, {stylePlain, p.Run.Started.UTC().Format(time.DateTime) + "  " + OneLine(p.Name) + "  " + p.Run.Status.String() + "  "}}
		lines = append(lines, append(l, tally(p.Run.SpecTotals())...))
	}
	cells := cellsOf(runs)
	lines = append(lines, historySection("Specs that worked, of those that ran, %", runs, cells, passRate, o)...)
	lines = append(lines, historySection("Duration, s", runs, cells, func(c *Cell) (float64, bool) { return float64(c.Seconds), c.State == StateFinished && len(c.Specs) > 0 }, o)...)
	for _, k := range measuredOf(runs) {
		title := OneLine(k[0])
		if k[1] != "" {
			title += ", " + OneLine(k[1])
		}
		lines = append(lines, historySection(title, runs, cells, func(c *Cell) (float64, bool) {
			for _, s := range Statistics(&Run{Cells: []Cell{*c}}, Shown) {
				if s.Name == k[0] && s.Unit == k[1] {
					return s.Median, true
				}
			}
			return 0, false
		}, o)...)
	}
	loose := o
	loose.Width = 0
	if _, err := io.WriteString(w, text(lines, loose)); err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	return nil
}

func cellsOf(runs []Part) []CellID {
	var cells []CellID
	seen := map[CellID]bool{}
	for _, p := range runs {
		for i := range p.Run.Cells {
			if id := p.Run.Cells[i].ID; !seen[id] {
				seen[id] = true
				cells = append(cells, id)
			}
		}
	}
	return cells
}

func measuredOf(runs []Part) [][2]string {
	var names [][2]string
	for _, p := range runs {
		for _, s := range Statistics(p.Run, Shown) {
			if k := [2]string{s.Name, s.Unit}; !slices.Contains(names, k) {
				names = append(names, k)
			}
		}
	}
	return names
}

// passRate is how many of a cell's specs worked, in percent of those that say something of the subject.
func passRate(c *Cell) (float64, bool) {
	worked, ran := 0, 0
	for i := range c.Specs {
		v := c.Specs[i].Verdict
		if v.works() {
			worked++
		}
		if v.works() || v.Broken() || v == VerdictFlaky {
			ran++
		}
	}
	if ran == 0 {
		return 0, false
	}
	return 100 * float64(worked) / float64(ran), true
}

func historySection(title string, runs []Part, cells []CellID, value func(*Cell) (float64, bool), o Options) []line {
	widest := 0
	for _, id := range cells {
		widest = max(widest, textWidth(OneLine(id.String())))
	}
	var lines []line
	for _, id := range cells {
		var values []float64
		var there []bool
		var known []float64
		for _, p := range runs {
			i := slices.IndexFunc(p.Run.Cells, func(c Cell) bool { return c.ID == id })
			v, ok := 0.0, false
			if i >= 0 {
				v, ok = value(&p.Run.Cells[i])
			}
			if values, there = append(values, v), append(there, ok); ok {
				known = append(known, v)
			}
		}
		if len(known) == 0 {
			continue
		}
		n := Numbers(known[0], known[len(known)-1], slices.Min(known), slices.Max(known))
		lines = append(lines, plainLine("  "+pad(OneLine(id.String()), widest+gap)+sparks(values, there, o.ASCII)+
			fmt.Sprintf("  first %s, last %s, from %s to %s", n[0], n[1], n[2], n[3])))
	}
	if len(lines) == 0 {
		return nil
	}
	return append([]line{nil, head(title)}, lines...)
}

// sparks draws values as bars from zero to the greatest; one that is not there is a dot.
func sparks(values []float64, there []bool, ascii bool) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	if ascii {
		bars = []rune("123456789")
	}
	greatest := slices.Max(values)
	var b strings.Builder
	for i, v := range values {
		switch {
		case !there[i]:
			b.WriteRune('.')
		case greatest <= 0:
			b.WriteRune(bars[0])
		default:
			b.WriteRune(bars[min(len(bars)-1, int(max(0, v)/greatest*float64(len(bars)-1)+0.5))])
		}
	}
	return b.String()
}
