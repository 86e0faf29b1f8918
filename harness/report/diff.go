package report

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Diff is what changed from one run to another.
type Diff struct {
	Failing   []Change     `json:"failing"`    // broken now and not before
	Fixed     []Change     `json:"fixed"`      // the other way round
	Other     []Change     `json:"other"`      // says neither: from and to vacuous, flaky, unsupported, unavailable, and declared races
	Slower    []Slowdown   `json:"slower"`     // beyond noise
	New       []CellID     `json:"new"`        // cells that only the new run has
	Gone      []CellID     `json:"gone"`       // cells that only the old run has
	GoneSpecs []GoneSpec   `json:"gone_specs"` // of cells that both have
	Tools     []ToolChange `json:"tools,omitempty"`
	newIDs    map[string]bool
}

// Change is a spec, or a cell as a whole (Spec is empty), that ended otherwise.
type Change struct {
	Cell  CellID  `json:"cell"` // of the new run
	Spec  string  `json:"spec,omitempty"`
	Old   Verdict `json:"old,omitzero"` // left out where the old run has no such spec
	New   Verdict `json:"new,omitzero"`
	Error string  `json:"error,omitempty"`
	ID    string  `json:"failure,omitempty"`
}

// GoneSpec is a spec that had a verdict in the old run, and has none in the new one.
type GoneSpec struct {
	Cell  CellID  `json:"cell"` // of the new run
	Spec  string  `json:"spec"`
	Old   Verdict `json:"old"`
	State State   `json:"state"` // of the cell: a finished one has no such spec, another did not come to its end
}

// ToolChange says that cells of one tool version were compared with those of another.
type ToolChange struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// Slowdown is a spec's time, or one of a cell's measurements (Spec is empty), that grew worse beyond noise.
type Slowdown struct {
	Cell CellID  `json:"cell"`
	Spec string  `json:"spec,omitempty"`
	Name string  `json:"name"`
	Unit string  `json:"unit"`
	Old  float64 `json:"old"`
	New  float64 `json:"new"`
}

// Regressed reports whether something that worked in the old run is broken in the new one, or was not come to because
// its cell was cut off. What is flaky, vacuous, unsupported, unavailable, gone or slower now is told, but is no regression,
// and neither is a failure that is declared as a race.
func (d Diff) Regressed() bool {
	return slices.ContainsFunc(d.Failing, func(c Change) bool { return c.Old.works() }) ||
		slices.ContainsFunc(d.GoneSpecs, func(g GoneSpec) bool { return g.Old.works() && g.State != StateFinished })
}

// NewIDs are the ids of failures that the old run did not have.
func (d Diff) NewIDs() map[string]bool { return d.newIDs }

// Compare says what changed from old to new. Cells are compared by name; where a suite ran on an entry with one
// version of a tool before and with another one now, these two are compared, so that two releases of a tool can be.
func Compare(old, new *Run) Diff {
	d := Diff{newIDs: map[string]bool{}}
	pairs := d.pair(old, new)
	var all []pairOfSpecs
	for i := range new.Cells {
		c := &new.Cells[i]
		was := pairs[c.ID]
		if was == nil {
			d.New = append(d.New, c.ID)
			was = &Cell{}
		}
		all = append(all, d.cell(was, c)...)
	}
	d.slower(all)
	for i := range new.Cells {
		if was := pairs[new.Cells[i].ID]; was != nil {
			d.measured(was, &new.Cells[i])
		}
	}
	return d
}

// pair finds for each new cell the old one to compare it with.
func (d *Diff) pair(old, new *Run) map[CellID]*Cell {
	pairs := map[CellID]*Cell{}
	taken := map[CellID]bool{}
	left := map[CellID][]*Cell{} // old cells without a namesake, by entry, suite and tool's name
	names := map[CellID]bool{}
	for i := range new.Cells {
		names[new.Cells[i].ID] = true
	}
	for i := range old.Cells {
		c := &old.Cells[i]
		if names[c.ID] {
			pairs[c.ID], taken[c.ID] = c, true
			continue
		}
		left[c.ID.versionless()] = append(left[c.ID.versionless()], c)
	}
	count := map[CellID]int{}
	for id := range names {
		if pairs[id] == nil {
			count[id.versionless()]++
		}
	}
	for i := range new.Cells {
		id := new.Cells[i].ID
		if others := left[id.versionless()]; pairs[id] == nil && len(others) == 1 && count[id.versionless()] == 1 {
			pairs[id], taken[others[0].ID] = others[0], true
			if change := (ToolChange{others[0].ID.ToolID(), id.ToolID()}); !slices.Contains(d.Tools, change) {
				d.Tools = append(d.Tools, change)
			}
		}
	}
	for i := range old.Cells {
		if id := old.Cells[i].ID; !taken[id] {
			d.Gone = append(d.Gone, id)
		}
	}
	return pairs
}

// versionless is the cell's name without its tool's version.
func (c CellID) versionless() CellID {
	c.Version = ""
	return c
}

type pairOfSpecs struct {
	cell     CellID
	old, new *Spec
}

// cell compares two cells spec by spec, and returns the specs that worked in both.
func (d *Diff) cell(old, new *Cell) []pairOfSpecs {
	was := map[string]*Spec{}
	for i := range old.Specs {
		was[old.Specs[i].Text] = &old.Specs[i]
	}
	var both []pairOfSpecs
	for i := range new.Specs {
		s := &new.Specs[i]
		before := was[s.Text]
		var verdict Verdict
		race := s.race()
		if before != nil {
			verdict, race = before.Verdict, race || before.race()
		}
		d.change(new.ID, s.Text, verdict, &s.Outcome, old.ID != CellID{}, race)
		if before != nil && verdict.works() && s.Verdict.works() {
			both = append(both, pairOfSpecs{new.ID, before, s})
		}
	}
	gone := old.specsWithout(new)
	// What the runner said of a cell counts where it is more than its specs' verdicts.
	if new.beyondSpecs() || old.beyondSpecs() && len(old.Specs) == 0 {
		d.change(new.ID, "", old.before(new, gone), &new.Outcome, old.ID != CellID{}, false)
	}
	if ruledOut := new.State == StateFinished && !new.Verdict.Broken() && len(new.Specs) == 0; ruledOut {
		return both // the cell's own change says it of all its specs
	}
	for _, s := range gone {
		d.GoneSpecs = append(d.GoneSpecs, GoneSpec{new.ID, s.Text, s.Verdict, new.State})
	}
	return both
}

// specsWithout are the specs with a verdict that another cell has no verdict of.
func (c *Cell) specsWithout(other *Cell) []*Spec {
	ended := map[string]bool{}
	for i := range other.Specs {
		ended[other.Specs[i].Text] = ended[other.Specs[i].Text] || other.Specs[i].State == StateFinished
	}
	var without []*Spec
	for i := range c.Specs {
		if s := &c.Specs[i]; s.State == StateFinished && !ended[s.Text] {
			without = append(without, s)
		}
	}
	return without
}

// before is the verdict to compare a later end of the cell as a whole with. Where something in the cell worked, it is
// that of what worked, though other specs were broken: unless the runner itself had found the cell broken, and all that
// worked is still there.
func (c *Cell) before(now *Cell, gone []*Spec) Verdict {
	var worked []Verdict
	for i := range c.Specs {
		if v := c.Specs[i].Verdict; v.works() {
			worked = append(worked, v)
		}
	}
	lost := slices.ContainsFunc(gone, func(s *Spec) bool { return s.Verdict.works() })
	if now.Verdict.Broken() && len(worked) > 0 && (lost || !c.beyondSpecs()) {
		return Worst(worked...)
	}
	return c.Verdict
}

// race says that the outcome is a failure which is declared to come sometimes.
func (o *Outcome) race() bool {
	return o.Verdict == VerdictKnown && o.Expectation != nil && o.Expectation.Sometimes
}

// change enters how a spec or a cell ended before and now. That a declared race has gone the other way is no news.
func (d *Diff) change(cell CellID, spec string, before Verdict, now *Outcome, common, race bool) {
	id := FailureID(cell, spec)
	broken := now.Verdict.Broken() && !now.race() || now.Verdict == VerdictFixed && before != VerdictFixed
	if (broken || now.Verdict == VerdictFlaky) && !before.Broken() && before != now.Verdict {
		d.newIDs[id] = true
	}
	if !common || before == now.Verdict || now.State != StateFinished {
		return
	}
	c := Change{cell, spec, before, now.Verdict, now.Error, id}
	decided := func(v Verdict) bool { return v == VerdictKnown || v.works() }
	switch {
	case race && decided(before) && decided(now.Verdict):
		d.Other = append(d.Other, c)
	case now.Verdict.Broken() && !before.Broken():
		d.Failing = append(d.Failing, c)
	case now.Verdict.works() && before.Broken():
		d.Fixed = append(d.Fixed, c)
	case before != VerdictUnknown && !(now.Verdict.Broken() && before.Broken()) && !(now.Verdict == VerdictFixed && before.works()):
		d.Other = append(d.Other, c)
	}
}

// The least that counts as slower: a time must have grown by half and by a second, on top of what all others grew by;
// a measurement by a quarter, with all its values beyond all those before.
const (
	slowerTimes       = 1.5
	slowerSeconds     = 1.0
	slowerMeasurement = 1.25
	enoughValues      = 3
	fewValues         = 2.0 // the factor where there are fewer values
	noiseDeviations   = 4   // of the logarithm of the ratios, robustly: a spec beyond them is no noise
)

// slower finds specs that took longer than the change of machine and its noise explain. Both are taken from the
// specs themselves: the median of the ratios of their times, and the median deviation from it.
func (d *Diff) slower(all []pairOfSpecs) {
	var ratios []float64
	for _, p := range all {
		if p.old.Seconds > 0 && p.new.Seconds > 0 {
			ratios = append(ratios, math.Log(float64(p.new.Seconds/p.old.Seconds)))
		}
	}
	middle, deviation := spread(ratios)
	limit := max(math.Log(slowerTimes), noiseDeviations*deviation)
	for _, p := range all {
		o, n := float64(p.old.Seconds), float64(p.new.Seconds)
		if o > 0 && n > 0 && math.Log(n/o)-middle > limit && n-o*math.Exp(middle) > slowerSeconds {
			d.Slower = append(d.Slower, Slowdown{p.cell, p.new.Text, "time", "s", o, n})
		}
	}
}

// spread is the median and the median absolute deviation, scaled to a standard deviation of normal values. Of few
// values it is no better than nothing.
func spread(v []float64) (middle, deviation float64) {
	const enough = 5
	if len(v) < enough {
		return 0, 0
	}
	v = slices.Sorted(slices.Values(v))
	middle = median(v)
	var off []float64
	for _, one := range v {
		off = append(off, math.Abs(one-middle))
	}
	slices.Sort(off)
	return middle, 1.4826 * median(off)
}

func (d *Diff) measured(old, new *Cell) {
	single := func(c *Cell) []Statistic { return Statistics(&Run{Cells: []Cell{*c}}, Shown) }
	before := single(old)
	for _, s := range single(new) {
		i := slices.IndexFunc(before, func(b Statistic) bool { return b.Name == s.Name && b.Unit == s.Unit })
		if i >= 0 && worse(before[i], s) {
			d.Slower = append(d.Slower, Slowdown{new.ID, "", s.Name, s.Unit, before[i].Median, s.Median})
		}
	}
}

// worse compares a time, or a rate: what is measured in "…/s" is better when greater. Other units count as times
// do, and a count without unit is no speed at all.
func worse(old, new Statistic) bool {
	times := slowerMeasurement
	if min(old.N, new.N) < enoughValues {
		times = fewValues
	}
	switch {
	case new.Unit == "":
		return false
	case strings.HasSuffix(new.Unit, "/s"):
		return new.Max < old.Min && new.Median*times < old.Median
	}
	return new.Min > old.Max && new.Median > old.Median*times
}

// sections lists a Diff's parts with their titles, those of most weight first.
func (d Diff) sections() []struct {
	Title   string
	Changes []Change
} {
	byCell := func(a, b Change) int { return cmp.Compare(a.Cell.String(), b.Cell.String()) }
	for _, list := range [][]Change{d.Failing, d.Fixed, d.Other} {
		slices.SortStableFunc(list, byCell)
	}
	return []struct {
		Title   string
		Changes []Change
	}{{"Newly failing", d.Failing}, {"Newly fixed", d.Fixed}, {"Otherwise changed", d.Other}}
}
