package run

import (
	"fmt"

	"mysqlmatrix/harness/report"
)

// judge compares a spec's outcome with what is declared of it.
func (r *runner) judge(w *work, e report.Event) report.Event {
	expected := r.Matrix.Expect(w.cell, e.Spec)
	if expected == nil {
		return e
	}
	declared := &report.Expectation{Error: expected.Error, Link: expected.Link, Review: expected.ReviewDate(), Note: expected.Note,
		Sometimes: expected.Sometimes}
	switch e.Verdict {
	case report.VerdictPassed:
		if !expected.Sometimes {
			e.Verdict, e.Expectation = report.VerdictFixed, declared
		}
	case report.VerdictFailed, report.VerdictTimedOut:
		if expected.Matches(e.Error) {
			e.Verdict, e.Expectation = report.VerdictKnown, declared
		} else {
			e.Error = fmt.Sprintf("matrix.yaml declares another error, %q:\n%s", expected.Error, e.Error)
		}
	}
	return e
}
