package report

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// FailureID names what went wrong with a spec, or with a cell as a whole (spec is empty). It depends on the names
// alone, so that the same failure has the same id in every run.
func FailureID(cell CellID, spec string) string {
	sum := sha256.Sum256([]byte(cell.Entry + "\x00" + cell.Suite + "\x00" + cell.ToolID() + "\x00" + spec))
	return hex.EncodeToString(sum[:4])
}

// Broken reports whether something did not work, declared or not: failed, timed-out, errored or known.
func (v Verdict) Broken() bool {
	return v == VerdictFailed || v == VerdictTimedOut || v == VerdictErrored || v == VerdictKnown
}

// works reports whether the subject did what it should, whatever is declared of it.
func (v Verdict) works() bool {
	return v == VerdictPassed || v == VerdictVacuous || v == VerdictFixed || v == VerdictFixedByBuild
}

// foldAttempts folds the verdicts of several attempts at one spec: flaky when some worked and some did not.
func foldAttempts(attempts []Attempt) Verdict {
	var verdicts []Verdict
	var works, broken bool
	for _, one := range attempts {
		verdicts = append(verdicts, one.Verdict)
		works, broken = works || one.Verdict.works(), broken || one.Verdict.Broken()
	}
	if works && broken {
		return VerdictFlaky
	}
	return Worst(verdicts...)
}

// name gives an outcome that needs a look its id.
func (o *Outcome) name(cell CellID, spec string) {
	o.Failure = ""
	if o.Verdict.Bad() || o.Verdict == VerdictKnown || o.Verdict == VerdictFlaky {
		o.Failure = FailureID(cell, spec)
	}
}

// earlier is the finished spec that an event is a further attempt at, or nil.
func (c *Cell) earlier(e Event) *Spec {
	if e.Attempt < 2 {
		return nil
	}
	i := slices.IndexFunc(c.Specs, func(s Spec) bool { return s.State == StateFinished && s.Text == e.Spec })
	if i < 0 {
		return nil
	}
	return &c.Specs[i]
}

// reopen opens a finished spec for a further attempt, and keeps what was.
func (s *Spec) reopen() {
	if len(s.Attempts) == 0 {
		s.Attempts = []Attempt{{s.Verdict, s.Seconds, s.Error, s.Evidence}}
	}
	s.State, s.Verdict, s.Failure = StateRunning, VerdictUnknown, ""
}

// addAttempt adds an attempt's outcome to those before it.
func (o *Outcome) addAttempt(e Event) {
	worst := 0
	for _, one := range o.Attempts {
		worst = max(worst, one.Verdict.errorSeverity())
	}
	o.Attempts = append(o.Attempts, Attempt{e.Verdict, e.Seconds, e.Error, e.Evidence})
	o.State, o.Verdict = StateFinished, foldAttempts(o.Attempts)
	o.Seconds += e.Seconds
	o.Measurements = append(slices.Clip(o.Measurements), e.Measurements...)
	keep(&o.Repro, e.Repro)
	keep(&o.Expectation, e.Expectation)
	if e.Verdict.errorSeverity() > worst {
		o.Error, o.Reason, o.Evidence = e.Error, e.Reason, e.Evidence
	}
}

// errorSeverity orders verdicts by which attempt's error a reader wants: those of attempts that did not work first.
func (v Verdict) errorSeverity() int {
	if v.Broken() {
		return len(verdicts) + v.severity()
	}
	return v.severity()
}

// Passed counts the attempts that worked.
func (o *Outcome) Passed() int {
	n := 0
	for _, one := range o.Attempts {
		if one.Verdict.works() {
			n++
		}
	}
	return n
}
