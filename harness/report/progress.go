package report

import (
	"fmt"
	"time"
)

// progress is how far a run has come.
type progress struct {
	cells, cellsDone int
	specs, specsDone int  // specs of cells that have not begun are estimated
	guessed          bool // whether specs rests on an estimate
}

// measure adds up a run's progress. A cell that has not announced its specs is taken to have as many as the mean of
// its suite's other cells, or of all cells. Unavailable cells weigh nothing.
func measure(run *Run) progress {
	type sum struct{ n, specs int }
	bySuite, all := map[string]sum{}, sum{}
	for i := range run.Cells {
		if c := &run.Cells[i]; c.Total > 0 {
			s := bySuite[c.ID.Suite]
			bySuite[c.ID.Suite] = sum{s.n + 1, s.specs + c.Total}
			all = sum{all.n + 1, all.specs + c.Total}
		}
	}
	p := progress{cells: len(run.Cells)}
	for i := range run.Cells {
		c := &run.Cells[i]
		if c.State == StateFinished {
			p.cellsDone++
			p.specs += c.Total
			p.specsDone += c.Total
			continue
		}
		total := c.Total
		if total == 0 {
			p.guessed = true
			s := bySuite[c.ID.Suite]
			if s.n == 0 {
				s = all
			}
			total = 1
			if s.n > 0 {
				total = max(1, (s.specs+s.n/2)/s.n)
			}
		}
		p.specs += total
		p.specsDone += min(c.Done(), total)
	}
	return p
}

// remaining estimates the time left from the pace so far; not before a twentieth of the specs has ended, since the
// first ones pay for fetching and unpacking.
func (p progress) remaining(elapsed time.Duration) (time.Duration, bool) {
	if p.specsDone == 0 || p.specsDone*20 < p.specs || p.specsDone >= p.specs {
		return 0, false
	}
	return time.Duration(float64(elapsed) * float64(p.specs-p.specsDone) / float64(p.specsDone)), true
}

// lines are the progress on one line, or on two where one is too wide: what is done, and the time.
func (p progress) lines(run *Run, now time.Time, o Options) []line {
	about := ""
	if p.guessed {
		about = "about "
	}
	what := line{{styleBold, fmt.Sprintf("%d/%d cells", p.cellsDone, p.cells)},
		{stylePlain, o.dot() + fmt.Sprintf("%d of %s%s", p.specsDone, about, plural(p.specs, "spec"))}}
	totals := run.SpecTotals()
	for _, v := range Verdicts() {
		if v.Bad() && totals[v] > 0 {
			what = append(what, span{stylePlain, o.dot()}, span{verdicts[v].style, fmt.Sprintf("%d %s", totals[v], v)})
		}
	}
	spent := now.Sub(run.Started)
	when := "elapsed " + clock(spent)
	if left, ok := p.remaining(spent); ok {
		when += o.dot() + "about " + clock(left) + " left"
	}
	if whole := append(what[:len(what):len(what)], span{stylePlain, o.dot() + when}); o.Width <= 0 || whole.width() <= o.Width {
		return []line{whole}
	}
	return []line{what, plainLine(when)}
}
