package report

import "slices"

// The exit codes that a run decides; bad usage (2) is found before there is a run.
const (
	ExitOK          = 0   // all as declared
	ExitFailed      = 1   // failed, fixed or timed-out cells
	ExitErrored     = 3   // errored cells, or unavailable ones that had to be there
	ExitInterrupted = 130 // ended early; as a shell reports SIGINT
)

// ExitRules say what a run's exit code is to count.
type ExitRules struct {
	Strict     bool     // unavailable cells are errors
	Named      []string // the entries that the user named in full, not by a pattern: they have to be there
	FlakyFails bool     // flaky specs are failures; with retries alone they are reported and pass
}

func (r ExitRules) failures() []Verdict {
	failures := []Verdict{VerdictFailed, VerdictFixed, VerdictTimedOut}
	if r.FlakyFails {
		failures = append(failures, VerdictFlaky)
	}
	return failures
}

// ExitCode is the exit code of a run. The first that applies, in this order:
//
//   - 130: the run was interrupted, since then its cells say too little;
//   - 1: a cell, or any spec of a cell, failed, was fixed or timed out, also in a cell that is errored as a whole: a
//     defect that was seen must not hide behind a harness that broke down later; or is flaky, where FlakyFails;
//   - 3: a cell is errored, or is unavailable with Strict, or no version of its tool is available though Named names its entry;
//   - 0.
func ExitCode(run *Run, rules ExitRules) int {
	if run.Status != RunComplete {
		return ExitInterrupted
	}
	code, had := ExitOK, map[CellID]bool{}
	for _, c := range run.Cells {
		if c.Verdict != VerdictUnavailable {
			had[c.ID.anyVersion()] = true
		}
	}
	for i := range run.Cells {
		c := &run.Cells[i]
		for _, v := range rules.failures() {
			if c.Verdict == v || c.Count(v) > 0 {
				return ExitFailed
			}
		}
		missing := c.Verdict == VerdictUnavailable && (rules.Strict || slices.Contains(rules.Named, c.ID.Entry) && !had[c.ID.anyVersion()])
		if missing || c.Verdict == VerdictErrored || !c.Verdict.Valid() {
			code = ExitErrored
		}
	}
	return code
}

// anyVersion is the cell of all versions of its tool.
func (id CellID) anyVersion() CellID {
	id.Version = ""
	return id
}
