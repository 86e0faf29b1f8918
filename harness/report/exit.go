package report

import "slices"

// The exit codes that a run decides; bad usage (2) is found before there is a run.
const (
	ExitOK          = 0   // all as declared
	ExitFailed      = 1   // failed, fixed or timed-out cells
	ExitErrored     = 3   // errored cells, or unavailable ones that had to be there
	ExitInterrupted = 130 // ended early; as a shell reports SIGINT
)

// ExitCode is the exit code of a run. The first that applies, in this order:
//
//   - 130: the run was interrupted, since then its cells say too little;
//   - 1: a cell, or any spec of a cell, failed, was fixed or timed out, also in a cell that is errored as a whole: a
//     defect that was seen must not hide behind a harness that broke down later;
//   - 3: a cell is errored, or is unavailable with strict or although named names its entry;
//   - 0.
//
// named lists the entries that the user named in full, not by a pattern.
func ExitCode(run *Run, strict bool, named []string) int {
	if run.Status != RunComplete {
		return ExitInterrupted
	}
	code := ExitOK
	for i := range run.Cells {
		c := &run.Cells[i]
		for _, v := range []Verdict{VerdictFailed, VerdictFixed, VerdictTimedOut} {
			if c.Verdict == v || c.Count(v) > 0 {
				return ExitFailed
			}
		}
		missing := c.Verdict == VerdictUnavailable && (strict || slices.Contains(named, c.ID.Entry))
		if missing || c.Verdict == VerdictErrored || !c.Verdict.Valid() {
			code = ExitErrored
		}
	}
	return code
}
