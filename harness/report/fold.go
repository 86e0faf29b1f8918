package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Aggregate folds events into a Run. The zero Aggregate is ready; it is not safe for concurrent use.
type Aggregate struct {
	run   Run
	terms Terms // of every cell
	index map[CellID]int
	last  time.Time
	ended bool
}

// Fold is the Run of a whole stream: every event applied, then End.
func Fold(events []Event) *Run {
	var a Aggregate
	for _, e := range events {
		a.Apply(e)
	}
	return a.End()
}

// Run is the aggregate so far. It is the Aggregate's own: read it before the next Apply.
func (a *Aggregate) Run() *Run { return &a.run }

// Apply takes in one valid event. Events of cells that no plan named add those cells.
func (a *Aggregate) Apply(e Event) {
	if a.run.Status == RunUnknown {
		a.run = Run{Version: Version, Status: RunRunning, Started: e.Time}
		a.index = map[CellID]int{}
	}
	if e.Time.After(a.last) {
		a.last = e.Time
	}
	switch e.Type {
	case EventRunStarted:
		a.startRun(e)
	case EventCellStarted:
		a.startCell(e)
	case EventSpecStarted:
		c := a.cell(e.Cell)
		a.begin(c, e.Time)
		if s := c.earlier(e); s != nil {
			s.reopen()
			break
		}
		c.Specs = append(c.Specs, Spec{Text: e.Spec, Labels: e.Labels, Outcome: Outcome{State: StateRunning, Started: e.Time}})
	case EventSpecFinished:
		a.finishSpec(e)
	case EventCellFinished:
		a.finishCell(e)
	case EventNote:
		a.run.Notes = append(a.run.Notes, Note{Time: e.Time, Cell: e.Cell, Text: e.Message})
	case EventRunFinished:
		a.ended = true
		a.run.Status = RunComplete
		if e.Status == RunInterrupted {
			a.run.Status = RunInterrupted
		}
		a.run.Seconds = elapsed(e.Seconds, a.run.Started, e.Time)
		a.run.Declarations = e.Declarations
	}
}

// End says that no more events will come, and settles what they left open. Without a run-finished event the run was
// interrupted: cells and specs that had begun are interrupted and have no verdict. In a complete run they are
// errored, since then it was the suite that crashed. End may be called again.
func (a *Aggregate) End() *Run {
	if a.run.Status == RunUnknown {
		a.run.Version = Version
	}
	if !a.ended {
		a.ended = true
		a.run.Status = RunInterrupted
		a.run.Seconds = elapsed(0, a.run.Started, a.last)
	}
	for i := range a.run.Cells {
		c := &a.run.Cells[i]
		switch {
		case c.State == StateFinished || c.State == StateInterrupted:
		case a.run.Status == RunComplete:
			begun := c.State == StateRunning
			c.Verdict = VerdictErrored
			c.Error = "the run ended without giving this cell a turn"
			if begun {
				c.Error = "the suite ended without saying that it had finished (crashed?)"
			}
			a.closeCell(c, a.last)
		case c.State == StateRunning:
			c.State = StateInterrupted
			c.Seconds = elapsed(0, c.Started, a.last)
			for j := range c.Specs {
				if s := &c.Specs[j]; s.State == StateRunning {
					s.State = StateInterrupted
					s.Seconds = elapsed(0, s.Started, a.last)
				}
			}
		}
	}
	return &a.run
}

func (a *Aggregate) startRun(e Event) {
	a.run.Started = e.Time
	a.run.MatrixDigest = e.MatrixDigest
	a.run.Seed = e.Seed
	a.run.Tier, a.run.Focus = e.Tier, e.Focus
	a.terms = e.Terms
	if e.Host != nil {
		a.run.Hosts = append(a.run.Hosts, *e.Host)
	}
	for _, id := range e.Plan {
		a.cell(id)
	}
}

// cell finds a cell, or adds it at the end.
func (a *Aggregate) cell(id CellID) *Cell {
	i, ok := a.index[id]
	if !ok {
		i = len(a.run.Cells)
		a.index[id] = i
		a.run.Cells = append(a.run.Cells, Cell{ID: id, Seed: a.run.Seed, Terms: a.terms, Outcome: Outcome{State: StatePending}})
	}
	return &a.run.Cells[i]
}

func (a *Aggregate) begin(c *Cell, at time.Time) {
	if c.State == StatePending {
		c.State, c.Started = StateRunning, at
	}
}

func (a *Aggregate) startCell(e Event) {
	c := a.cell(e.Cell)
	a.begin(c, e.Time)
	// The runner and the suite may both announce a cell; the later words add to the earlier ones.
	c.Total = max(c.Total, e.Total)
	keep(&c.Server, e.Server)
	keep(&c.ToolVersion, e.ToolVersion)
	keep(&c.ToolFlag, e.ToolFlag)
	keep(&c.Baseline, e.Baseline)
	keep(&c.Seed, e.Seed)
}

// finishSpec gives its verdict to the oldest running spec of that text, so that specs that share one are all counted.
func (a *Aggregate) finishSpec(e Event) {
	c := a.cell(e.Cell)
	a.begin(c, e.Time)
	if s := c.earlier(e); s != nil {
		s.reopen()
	}
	i := slices.IndexFunc(c.Specs, func(s Spec) bool { return s.State == StateRunning && s.Text == e.Spec })
	if i < 0 {
		started := e.Time.Add(-e.Seconds.Duration())
		c.Specs = append(c.Specs, Spec{Text: e.Spec, Outcome: Outcome{Started: started}})
		i = len(c.Specs) - 1
	}
	s := &c.Specs[i]
	if len(e.Labels) > 0 {
		s.Labels = e.Labels
	}
	before := s.Topologies
	if len(s.Attempts) > 0 {
		s.addAttempt(e)
	} else {
		s.take(e)
	}
	s.Topologies = e.Topologies
	if before != nil {
		s.Topologies = &Topologies{}
		s.Topologies.add(before)
		s.Topologies.add(e.Topologies)
	}
	s.name(c.ID, s.Text)
}

// take copies an event's outcome.
func (o *Outcome) take(e Event) {
	o.State, o.Verdict = StateFinished, e.Verdict
	o.Seconds = elapsed(e.Seconds, o.Started, e.Time)
	o.Error, o.Reason, o.Expectation = e.Error, e.Reason, e.Expectation
	o.Evidence, o.Repro, o.Measurements, o.NotRun = e.Evidence, e.Repro, e.Measurements, e.NotRun
}

func (a *Aggregate) finishCell(e Event) {
	c := a.cell(e.Cell)
	a.begin(c, e.Time)
	c.take(e)
	keep(&c.Server, e.Server)
	keep(&c.ToolVersion, e.ToolVersion)
	keep(&c.ToolFlag, e.ToolFlag)
	c.Total = max(c.Total, e.Total)
	a.closeCell(c, e.Time)
}

// closeCell folds a cell that has come to its end. What the runner said of it stands unless a spec is worse; specs that
// never ended share the runner's verdict if it stopped them, and are errored if it did not; a cell that says nothing
// of its specs, or not of all that it announced, is errored, since silence is not success.
func (a *Aggregate) closeCell(c *Cell, at time.Time) {
	said := c.Verdict
	verdicts := []Verdict{said}
	for i := range c.Specs {
		s := &c.Specs[i]
		if s.State == StateRunning {
			s.State, s.Verdict, s.Seconds = StateFinished, VerdictErrored, elapsed(0, s.Started, at)
			s.Error = "the suite ended during this spec"
			if said == VerdictTimedOut {
				s.Verdict, s.Error = VerdictTimedOut, "the suite was stopped during this spec: its time was up"
			}
			s.name(c.ID, s.Text)
		}
		verdicts = append(verdicts, s.Verdict)
	}
	c.State = StateFinished
	c.Seconds = elapsed(c.Seconds, c.Started, at)
	c.Total = max(c.Total, len(c.Specs))
	c.Verdict = Worst(verdicts...)
	stopped := said == VerdictErrored || said == VerdictTimedOut
	ruledOut := (said == VerdictUnavailable || said == VerdictUnsupported) && len(c.Specs) == 0
	switch missing := c.Total - len(c.Specs); {
	case stopped || ruledOut:
	case len(c.Specs) == 0:
		c.Verdict = VerdictErrored
		c.Error = cmp.Or(c.Error, "the suite reported no spec")
	case missing > 0:
		c.Verdict = VerdictErrored
		c.Error = cmp.Or(c.Error, fmt.Sprintf("%d of the %d specs announced were never reported", missing, c.Total))
	}
	if c.beyondSpecs() {
		c.name(c.ID, "")
	}
}

// keep sets *old to a new value unless that is the zero value.
func keep[T comparable](old *T, value T) {
	var zero T
	if value != zero {
		*old = value
	}
}

// elapsed is the length that was measured, or else the time between two events.
func elapsed(measured Seconds, from, to time.Time) Seconds {
	if measured > 0 || from.IsZero() || to.Before(from) {
		return measured
	}
	return SecondsOf(to.Sub(from))
}
