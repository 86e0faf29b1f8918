package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// finding is a spec, or a cell as a whole (then spec is empty), that a reader has to be told of.
type finding struct {
	cell *Cell
	spec string
	*Outcome
}

// what names the finding on one line, neutralised.
func (f finding) what() string {
	if f.spec == "" {
		return OneLine(f.cell.ID.String())
	}
	return OneLine(f.cell.ID.String()) + "  " + OneLine(f.spec)
}

// id is the finding's name, as matrix repro takes it.
func (f finding) id() string { return FailureID(f.cell.ID, f.spec) }

// attemptsText is "passed 1 of 3 attempts: failed, failed, passed".
func attemptsText(o *Outcome) string {
	var words []string
	for _, one := range o.Attempts {
		words = append(words, one.Verdict.String())
	}
	return fmt.Sprintf("passed %d of %s: %s", o.Passed(), plural(len(o.Attempts), "attempt"), strings.Join(words, ", "))
}

// why is the finding's error; a fixed spec has none of its own, so that the declaration is shown that it broke.
func (f finding) why() string {
	if f.Verdict != VerdictFixed {
		return f.Error
	}
	why := "it was declared to fail, but it passed: remove the expectation from fixtures/expectations"
	if x := f.Expectation; x != nil {
		why += "\nexpected error: " + x.Error
		for _, more := range []string{x.Link, x.Note} {
			if more != "" {
				why += "\n" + more
			}
		}
	}
	return strings.TrimSpace(why + "\n" + f.Error)
}

// findings walks the finished cells and specs of a run in order, and keeps those that choose accepts. A cell comes
// before its specs, and only when something was said of the cell itself.
func findings(run *Run, choose func(Verdict) bool) []finding {
	var found []finding
	for i := range run.Cells {
		c := &run.Cells[i]
		if c.State == StateFinished && choose(c.Verdict) && c.beyondSpecs() {
			found = append(found, finding{c, "", &c.Outcome})
		}
		for j := range c.Specs {
			if s := &c.Specs[j]; s.State == StateFinished && choose(s.Verdict) {
				found = append(found, finding{c, s.Text, &s.Outcome})
			}
		}
	}
	return found
}

// beyondSpecs reports whether the cell's verdict says more than those of its specs.
func (c *Cell) beyondSpecs() bool {
	return c.Error != "" || c.Reason != "" || c.Expectation != nil || c.Evidence != "" || c.Count(c.Verdict) == 0
}

func only(want Verdict) func(Verdict) bool { return func(v Verdict) bool { return v == want } }

// group is what several findings share.
type group struct {
	reason      string // of unsupported and unavailable
	expectation Expectation
	specs       int
	notRun      int // of the specs
	cells       []CellID
	entries     []string
}

// groups gathers findings by their expectation and reason, in the order of each one's first.
func groups(found []finding) []group {
	type key struct {
		reason string
		x      Expectation
	}
	at := map[key]int{}
	var all []group
	for _, f := range found {
		k := key{reason: f.Reason}
		if f.Expectation != nil {
			k.x = *f.Expectation
			k.reason = ""
		}
		i, ok := at[k]
		if !ok {
			i = len(all)
			at[k] = i
			all = append(all, group{reason: k.reason, expectation: k.x})
		}
		g := &all[i]
		if f.spec != "" {
			g.specs++
			if f.NotRun {
				g.notRun++
			}
		}
		if !slices.Contains(g.cells, f.cell.ID) {
			g.cells = append(g.cells, f.cell.ID)
		}
		if !slices.Contains(g.entries, f.cell.ID.Entry) {
			g.entries = append(g.entries, f.cell.ID.Entry)
		}
	}
	return all
}

// size is "4 specs in 2 cells", or the cells alone where no spec ran.
func (g group) size() string {
	if g.specs == 0 {
		return plural(len(g.cells), "cell")
	}
	text := plural(g.specs, "spec") + " in " + plural(len(g.cells), "cell")
	if g.notRun > 0 {
		text += fmt.Sprintf(", of them not run %d", g.notRun)
	}
	return text
}

// names lists the group's cells on one line.
func (g group) names() string {
	var names []string
	for _, id := range g.cells {
		names = append(names, id.String())
	}
	return OneLine(strings.Join(names, ", "))
}

// review says when to look at an expectation again, and whether that day had passed when the run began. It is empty
// without a day.
func review(x Expectation, started time.Time) string {
	if x.Review == "" {
		return ""
	}
	if day, err := time.Parse(time.DateOnly, x.Review); err == nil && started.After(day) {
		return "look again: due since " + OneLine(x.Review)
	}
	return "look again on " + OneLine(x.Review)
}

// Statistic is one measurement's values over a cell.
type Statistic struct {
	Name, Unit       string
	Cell             CellID
	N                int
	Median, Min, Max float64
}

// Shown chooses the measurements that are no details.
func Shown(m Measurement) bool { return !m.Detail }

// Statistics gathers the measurements that choose accepts: by name in the order of their first appearance, then by
// cell in the order of the run.
func Statistics(run *Run, choose func(Measurement) bool) []Statistic {
	type key struct{ name, unit string }
	var order []key
	values := map[key]map[CellID][]float64{}
	add := func(id CellID, ms []Measurement) {
		for _, m := range ms {
			if !choose(m) {
				continue
			}
			k := key{m.Name, m.Unit}
			if values[k] == nil {
				values[k] = map[CellID][]float64{}
				order = append(order, k)
			}
			values[k][id] = append(values[k][id], m.Value)
		}
	}
	for i := range run.Cells {
		c := &run.Cells[i]
		add(c.ID, c.Measurements)
		for j := range c.Specs {
			add(c.ID, c.Specs[j].Measurements)
		}
	}
	var all []Statistic
	for _, k := range order {
		for i := range run.Cells {
			id := run.Cells[i].ID
			if v := values[k][id]; len(v) > 0 {
				slices.Sort(v)
				all = append(all, Statistic{k.name, k.unit, id, len(v), median(v), v[0], v[len(v)-1]})
			}
		}
	}
	return all
}

// median of sorted values: the middle one, or the mean of the middle two.
func median(v []float64) float64 {
	m := len(v) / 2
	if len(v)%2 == 1 {
		return v[m]
	}
	return (v[m-1] + v[m]) / 2
}

// tally is "3 failed, 12 passed", the most severe first.
func tally(totals map[Verdict]int) []span {
	var parts []span
	for _, v := range Verdicts() {
		if n := totals[v]; n > 0 {
			if len(parts) > 0 {
				parts = append(parts, span{stylePlain, ", "})
			}
			parts = append(parts, span{verdicts[v].style, strconv.Itoa(n) + " " + v.String()})
		}
	}
	return parts
}

// summary is the run's one-line answer: what ran, how it ended, how long it took.
func summary(run *Run, o Options) line {
	entries, _ := axes(run)
	total := 0
	for i := range run.Cells {
		total += cmp.Or(run.Cells[i].Total, len(run.Cells[i].Specs))
	}
	st := span{stylePlain, run.Status.String()}
	if run.Status == RunInterrupted {
		st.style = styleYellow
	}
	parts := plural(len(entries), "entry") + o.dot() + plural(len(run.Cells), "cell") + o.dot() + plural(total, "spec") +
		o.dot() + clock(run.Seconds.Duration())
	return line{{styleBold, "Run "}, st, {stylePlain, o.dot() + parts}}
}
