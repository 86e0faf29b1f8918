package report

import (
	"fmt"
	"strings"
	"time"
)

// column is one suite and tool of the grid: a cell's identity without its entry.
type column CellID

// heading is the column's name in up to three short lines: suite, tool, version.
func (c column) heading() [3]string {
	return [3]string{OneLine(c.Suite), OneLine(c.Tool), OneLine(c.Version)}
}

func columnOf(id CellID) column {
	id.Entry = ""
	return column(id)
}

// on is the column's cell of an entry.
func (c column) on(entry string) CellID {
	c.Entry = entry
	return CellID(c)
}

// axes are the grid's entries and columns, in the order of the run's cells.
func axes(run *Run) (entries []string, columns []column) {
	seenEntry, seenColumn := map[string]bool{}, map[column]bool{}
	for i := range run.Cells {
		id := run.Cells[i].ID
		if !seenEntry[id.Entry] {
			seenEntry[id.Entry] = true
			entries = append(entries, id.Entry)
		}
		if c := columnOf(id); !seenColumn[c] {
			seenColumn[c] = true
			columns = append(columns, c)
		}
	}
	return entries, columns
}

// amount is "12" when all specs of a cell share its verdict, "2/12" when some do, and "" when none does.
func amount(c *Cell) string {
	switch n := c.Count(c.Verdict); n {
	case 0:
		return ""
	case c.Total:
		return fmt.Sprintf(" %d", n)
	default:
		return fmt.Sprintf(" %d/%d", n, c.Total)
	}
}

// status is what a grid says of one cell; with words, or by marks and numbers alone.
func status(c *Cell, words bool, now time.Time, ascii bool) span {
	word := func(s string) string {
		if words {
			return " " + s
		}
		return ""
	}
	switch c.State {
	case StateFinished:
		return span{verdicts[c.Verdict].style, c.Verdict.Mark(ascii) + word(c.Verdict.String()) + amount(c)}
	case StateInterrupted:
		return span{styleYellow, c.State.Mark(ascii) + word(c.State.String()) + done(c)}
	case StateRunning:
		s := span{styleBold, c.State.Mark(ascii) + done(c)}
		if words {
			s.text += " " + clock(now.Sub(c.Started))
		}
		if bad := c.Bad(); bad > 0 {
			s.style = styleRed
			s.text += fmt.Sprintf(" %s%d", worstSpec(c).Mark(ascii), bad)
		}
		return s
	}
	return span{styleDim, c.State.Mark(ascii)}
}

// done is " 3/12", or "" as long as the cell has not said how many specs it has.
func done(c *Cell) string {
	if c.Total == 0 {
		return ""
	}
	return fmt.Sprintf(" %d/%d", c.Done(), c.Total)
}

func runningMark(ascii bool) string {
	if ascii {
		return ">"
	}
	return "▸"
}

func worstSpec(c *Cell) Verdict {
	worst := VerdictUnknown
	for i := range c.Specs {
		worst = Worst(worst, c.Specs[i].Verdict)
	}
	return worst
}

// grid draws entries × columns as wide as it may be: with words, else with marks and a legend, else one line a cell.
func grid(run *Run, now time.Time, o Options) []line {
	if len(run.Cells) == 0 {
		return []line{plainLine("no cells")}
	}
	if lines := drawGrid(run, now, o, true, 10); lines != nil {
		return lines
	}
	if lines := drawGrid(run, now, o, false, 7); lines != nil {
		return append(lines, legend(run, o)...)
	}
	return list(run, now, o, func(*Cell) bool { return true })
}

const gap = 2 // columns between two columns of a table

// drawGrid draws the grid with headings cut to no fewer than heading columns, or returns nil if it cannot fit.
func drawGrid(run *Run, now time.Time, o Options, words bool, heading int) []line {
	entries, columns := axes(run)
	at := map[CellID]*Cell{}
	for i := range run.Cells {
		at[run.Cells[i].ID] = &run.Cells[i]
	}
	first := 0
	for _, e := range entries {
		first = max(first, textWidth(OneLine(e)))
	}
	body := make([][]span, len(entries))
	need, want := make([]int, len(columns)), make([]int, len(columns))
	for j, c := range columns {
		for i, e := range entries {
			var s span
			if cell := at[c.on(e)]; cell != nil {
				s = status(cell, words, now, o.ASCII)
			}
			body[i] = append(body[i], s)
			need[j] = max(need[j], textWidth(s.text))
		}
		longest := 0
		for _, h := range c.heading() {
			longest = max(longest, textWidth(h))
		}
		want[j] = max(need[j], longest)
		need[j] = max(need[j], min(longest, heading))
	}
	if !widen(need, want, o.Width-first-gap*len(columns), o.Width > 0) {
		return nil
	}
	lines := headings(columns, need, first, o)
	for i, e := range entries {
		l := line{{stylePlain, pad(OneLine(e), first)}}
		for j, s := range body[i] {
			l = append(l, span{stylePlain, strings.Repeat(" ", gap)}, span{s.style, pad(s.text, need[j])})
		}
		lines = append(lines, l)
	}
	return lines
}

// widen gives each column up to what it wants out of the room left, and reports whether its need fits at all.
func widen(need, want []int, room int, limited bool) bool {
	if !limited {
		copy(need, want)
		return true
	}
	for _, n := range need {
		room -= n
	}
	if room < 0 {
		return false
	}
	for grown := true; grown && room > 0; {
		grown = false
		for j := range need {
			if need[j] < want[j] && room > 0 {
				need[j]++
				room--
				grown = true
			}
		}
	}
	return true
}

func headings(columns []column, widths []int, first int, o Options) []line {
	var lines []line
	for k := range 3 {
		l, blank := line{{stylePlain, pad("", first)}}, true
		for j, c := range columns {
			h := c.heading()[k]
			blank = blank && h == ""
			l = append(l, span{stylePlain, strings.Repeat(" ", gap)},
				span{styleBold, pad(truncate(h, widths[j], o.ASCII), widths[j])})
		}
		if !blank {
			lines = append(lines, l)
		}
	}
	return lines
}

// legend explains the marks that the run's cells show, as many to a line as fit.
func legend(run *Run, o Options) []line {
	shown := map[Verdict]bool{}
	var parts []span
	states := map[State]bool{}
	for i := range run.Cells {
		shown[run.Cells[i].Verdict] = true
		states[run.Cells[i].State] = true
	}
	for _, v := range Verdicts() {
		if shown[v] {
			parts = append(parts, span{verdicts[v].style, v.Mark(o.ASCII) + " " + v.String()})
		}
	}
	for _, s := range []State{StateInterrupted, StateRunning, StatePending} {
		if states[s] {
			parts = append(parts, span{styleDim, s.Mark(o.ASCII) + " " + s.String()})
		}
	}
	var lines []line
	var l line
	used := 0
	for _, p := range parts {
		if used > 0 && o.Width > 0 && used+textWidth(p.text) > o.Width {
			lines, l, used = append(lines, l), nil, 0
		}
		l = append(l, p, span{stylePlain, "  "})
		used += textWidth(p.text) + 2
	}
	return append(lines, l)
}

// list draws the chosen cells one to a line, with words.
func list(run *Run, now time.Time, o Options, choose func(*Cell) bool) []line {
	widest := 0
	for i := range run.Cells {
		if choose(&run.Cells[i]) {
			widest = max(widest, textWidth(OneLine(run.Cells[i].ID.String())))
		}
	}
	const room = 20 // for the widest status
	if o.Width > 0 {
		widest = min(widest, max(10, o.Width-gap-room))
	}
	var lines []line
	for i := range run.Cells {
		c := &run.Cells[i]
		if !choose(c) {
			continue
		}
		name := pad(shorten(OneLine(c.ID.String()), widest, o.ASCII), widest+gap)
		lines = append(lines, line{{stylePlain, name}, status(c, true, now, o.ASCII)})
	}
	return lines
}
