package report

import "time"

// State says how far a cell or a spec got.
type State uint8

const (
	StateUnknown     State = iota
	StatePending           // planned, not begun
	StateRunning           // begun
	StateFinished          // has its verdict
	StateInterrupted       // begun, and cut off by the end of the run; has no verdict
)

var states = [...]string{"", "pending", "running", "finished", "interrupted"}

// String is the state's word in every view and file; StateUnknown's is "unknown".
func (s State) String() string { return enumString(states[:], uint8(s)) }

// Mark is the one-column sign of a state other than finished, whose signs are its verdicts'.
func (s State) Mark(ascii bool) string {
	switch s {
	case StateInterrupted:
		return "/"
	case StateRunning:
		return runningMark(ascii)
	}
	return VerdictUnknown.Mark(ascii)
}

// MarshalText is String; it refuses StateUnknown.
func (s State) MarshalText() ([]byte, error) { return enumMarshal("state", states[:], uint8(s)) }

// UnmarshalText reads what MarshalText writes.
func (s *State) UnmarshalText(text []byte) error {
	return enumUnmarshal("state", states[:], text, (*uint8)(s))
}

// Outcome is what a spec and a cell have in common: how it ended and what goes with that.
type Outcome struct {
	State        State         `json:"state"`
	Verdict      Verdict       `json:"verdict,omitzero"` // left out until finished
	Started      time.Time     `json:"started,omitzero"`
	Seconds      Seconds       `json:"seconds"`
	Error        string        `json:"error,omitempty"`
	Reason       string        `json:"reason,omitempty"`
	Expectation  *Expectation  `json:"expectation,omitempty"`
	Evidence     string        `json:"evidence,omitempty"`
	Repro        string        `json:"repro,omitempty"`
	NotRun       bool          `json:"not_run,omitempty"` // known without having run
	Measurements []Measurement `json:"measurements,omitempty"`
	Topologies   *Topologies   `json:"topologies,omitempty"` // that the spec had, in all attempts
	// Failure is the id of what needs a look, as matrix repro takes it; see FailureID.
	Failure string `json:"failure,omitempty"`
	// Attempts are all of them, in order, where there were several. The outcome is what they come to together:
	// their time and measurements added up, the error and evidence those of the worst.
	Attempts []Attempt `json:"attempts,omitempty"`
}

// Attempt is one run of a spec that ran several times.
type Attempt struct {
	Verdict  Verdict `json:"verdict"`
	Seconds  Seconds `json:"seconds"`
	Error    string  `json:"error,omitempty"`
	Evidence string  `json:"evidence,omitempty"`
}

// Spec is one spec of a cell.
type Spec struct {
	Text   string   `json:"spec"`
	Labels []string `json:"labels,omitempty"`
	Outcome
}

// Cell is one cell of a run. Its own Error, Evidence and so on are what the runner said of it as a whole; those of
// its specs stand with the specs.
type Cell struct {
	ID          CellID `json:"id"`
	Server      Server `json:"server,omitzero"`
	ToolVersion string `json:"tool_version,omitempty"`
	ToolFlag    string `json:"tool_flag,omitempty"`
	Baseline    string `json:"baseline,omitempty"` // the version whose known failures a build of one's own is judged by
	Seed        int64  `json:"seed,omitempty"`
	Total       int    `json:"total"` // specs announced; 0 before the suite said it
	Terms
	Outcome
	Specs []Spec `json:"specs,omitempty"`
}

// Note is something worth saying that belongs to no spec.
type Note struct {
	Time time.Time `json:"time"`
	Cell CellID    `json:"cell,omitzero"`
	Text string    `json:"text"`
}

// Run is the aggregate that every view shows, and the content of run.json.
type Run struct {
	Version      int       `json:"version"`
	Status       RunStatus `json:"status"`
	Started      time.Time `json:"started,omitzero"`
	Seconds      Seconds   `json:"seconds"`
	MatrixDigest string    `json:"matrix_digest,omitempty"`
	Seed         int64     `json:"seed,omitempty"`  // left out of a merged run whose parts had different ones: see the cells
	Tier         string    `json:"tier,omitempty"`  // pr or full; left out of a merged run whose parts had different ones
	Focus        string    `json:"focus,omitempty"` // the regular expression that chose among the tier's specs
	Hosts        []Host    `json:"hosts,omitempty"`
	Cells        []Cell    `json:"cells"` // in the order of the plan; cells outside it after those
	Notes        []Note    `json:"notes,omitempty"`
	// Declarations are the known failures that the plan's cells speak of.
	Declarations []Declaration `json:"declarations,omitempty"`
}

// Done counts the specs that have ended.
func (c *Cell) Done() int {
	n := 0
	for i := range c.Specs {
		if c.Specs[i].State == StateFinished {
			n++
		}
	}
	return n
}

// Count counts the specs that ended with a verdict.
func (c *Cell) Count(v Verdict) int {
	n := 0
	for i := range c.Specs {
		if c.Specs[i].Verdict == v {
			n++
		}
	}
	return n
}

// Bad counts the specs whose verdict is Verdict.Bad.
func (c *Cell) Bad() int {
	n := 0
	for i := range c.Specs {
		if c.Specs[i].Verdict.Bad() {
			n++
		}
	}
	return n
}

// NotRun counts the specs that are known without having run.
func (r *Run) NotRun() int {
	n := 0
	for i := range r.Cells {
		n += r.Cells[i].notRun()
	}
	return n
}

// Topologies adds up what the specs had.
func (r *Run) Topologies() Topologies {
	var all Topologies
	for i := range r.Cells {
		for j := range r.Cells[i].Specs {
			all.add(r.Cells[i].Specs[j].Topologies)
		}
	}
	return all
}

// CellTotals counts finished cells by verdict.
func (r *Run) CellTotals() map[Verdict]int {
	totals := map[Verdict]int{}
	for i := range r.Cells {
		if r.Cells[i].State == StateFinished {
			totals[r.Cells[i].Verdict]++
		}
	}
	return totals
}

// SpecTotals counts finished specs by verdict.
func (r *Run) SpecTotals() map[Verdict]int {
	totals := map[Verdict]int{}
	for i := range r.Cells {
		for j := range r.Cells[i].Specs {
			if s := &r.Cells[i].Specs[j]; s.State == StateFinished {
				totals[s.Verdict]++
			}
		}
	}
	return totals
}

// VerdictOf is how a spec of a cell ended; without a spec, or where it did not run, the cell.
func (r *Run) VerdictOf(id CellID, spec string) Verdict {
	for i := range r.Cells {
		c := &r.Cells[i]
		if c.ID != id {
			continue
		}
		for j := range c.Specs {
			if c.Specs[j].Text == spec {
				return c.Specs[j].Verdict
			}
		}
		return c.Verdict
	}
	return VerdictUnknown
}

// Worst is how the specs of a run ended together. Cells in which the focus chose none say nothing.
func (r *Run) Worst() Verdict {
	var verdicts []Verdict
	for i := range r.Cells {
		if c := &r.Cells[i]; len(c.Specs) > 0 || c.Verdict != VerdictUnsupported {
			verdicts = append(verdicts, c.Verdict)
		}
	}
	if len(verdicts) == 0 {
		return VerdictUnsupported
	}
	return Worst(verdicts...)
}
