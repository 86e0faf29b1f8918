package run

import (
	"errors"
	"fmt"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/report"
)

// judge compares a spec's outcome with what is declared of it.
func (r *runner) judge(w *work, e report.Event) report.Event {
	expected, err := r.expect(w, cell.Spec{Text: e.Spec, Labels: e.Labels})
	if err != nil {
		e.Verdict, e.Error = report.VerdictErrored, errors.Join(errors.New(e.Error), err).Error()
	}
	if expected == nil {
		return e
	}
	declared := expected.Declared()
	switch e.Verdict {
	case report.VerdictPassed:
		switch {
		case expected.Sometimes:
		case w.cell.Tool.Path != "":
			e.Verdict, e.Expectation = report.VerdictFixedByBuild, declared
		default:
			e.Verdict, e.Expectation = report.VerdictFixed, declared
		}
	case report.VerdictFailed, report.VerdictTimedOut:
		if expected.Matches(e.Error) {
			e.Verdict, e.Expectation = report.VerdictKnown, declared
		} else {
			e.Error = fmt.Sprintf("%s declares another error, %q:\n%s", expected.Where(), expected.Error, e.Error)
		}
	}
	return e
}
