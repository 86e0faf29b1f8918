package bench

import (
	"testing"

	"mysqlmatrix/harness/localtests"
	"mysqlmatrix/harness/report"
)

func TestAgreement(t *testing.T) {
	folders := []localtests.Folder{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	ours := map[string]report.Verdict{"a": report.VerdictPassed, "b": report.VerdictVacuous, "c": report.VerdictPassed}
	theirs := map[string]localtests.Verdict{"a": localtests.Passed, "b": localtests.Passed, "c": localtests.Passed}
	if got := agreement(folders, ours, theirs); got != "3 of 3 verdicts agree" {
		t.Error(got)
	}
	theirs["a"], ours["b"] = localtests.Failed, report.VerdictFailed
	if got := agreement(folders, ours, theirs); got != "1 of 3 verdicts agree: a is passed here and failed there, b is failed here and passed there" {
		t.Error(got)
	}
	delete(theirs, "c")
	if got := agreement(folders[2:], ours, theirs); got != "0 of 1 verdicts agree: c is passed here and not judged there" {
		t.Error(got)
	}
}
