package run

import (
	"strings"
	"testing"

	"mysqlmatrix/harness/report"
)

func TestALimitThatRanOutOnABusyMachineBlamesNobody(t *testing.T) {
	const limit = "replica1 has applied all: not after 20s; last seen: IO=Yes"
	for _, c := range []struct {
		error   string
		verdict report.Verdict
		load    float64
		want    report.Verdict
	}{
		{limit, report.VerdictFailed, 45, report.VerdictErrored},
		{limit, report.VerdictFailed, 5, report.VerdictFailed},
		{"Timed out after 20.001s.\nit goes on with the dead primary", report.VerdictFailed, 45, report.VerdictErrored},
		{"dial tcp 127.0.0.1:3306: i/o timeout", report.VerdictFailed, 45, report.VerdictErrored},
		{"the spec's 5m0s", report.VerdictTimedOut, 45, report.VerdictErrored},
		{"the spec's 5m0s", report.VerdictTimedOut, 5, report.VerdictTimedOut},
		{"row 3 is gone", report.VerdictFailed, 45, report.VerdictFailed},
		{limit, report.VerdictKnown, 45, report.VerdictKnown},
		{"", report.VerdictPassed, 45, report.VerdictPassed},
	} {
		got := tooBusy(report.Event{Verdict: c.verdict, Error: c.error}, c.load)
		if got.Verdict != c.want {
			t.Errorf("%s, %q at %.0f: %s, want %s", c.verdict, c.error, c.load, got.Verdict, c.want)
		}
		if got.Verdict != c.verdict && !strings.Contains(got.Error, c.error) {
			t.Errorf("%q: the failure itself is not told: %q", c.error, got.Error)
		}
	}
	if load := loadOfProcessor(); load < 0 {
		t.Errorf("a load of %f", load)
	}
}
