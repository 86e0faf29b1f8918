package matrix

import (
	"encoding/json"
	"maps"
	"testing"

	"mysqlmatrix/harness/report"
)

// durations reads them by their cells' names, as the file has them.
func durations(t *testing.T, named map[string]float64) Durations {
	t.Helper()
	text, err := json.Marshal(named)
	if err != nil {
		t.Fatal(err)
	}
	var d Durations
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestExpectedSeconds(t *testing.T) {
	recorded := durations(t, map[string]float64{
		"mysql-5.6/migration/gh-ost@v1.1.6":      700,
		"mysql-5.6/migration/gh-ost@v1.1.10":     100,
		"mysql-9.7/migration/gh-ost@v1.1.10":     300,
		"mariadb-11.8/migration/gh-ost@v1.1.10":  200,
		"mysql-5.6/failover/embedded@builtin":    20,
		"mysql-5.6/pseudogtid/embedded@builtin":  40,
		"mysql-5.6/migration/gh-ost-too@v1.1.11": 9000,
	})
	for name, want := range map[string]float64{
		"mysql-9.7/migration/gh-ost@v1.1.10":     300, // as recorded
		"mysql-8.4/migration/gh-ost@v1.1.10":     200, // the median of that version on other entries
		"mysql-8.4/migration/gh-ost@unversioned": 300, // of any version: the upper one of the two in the middle
		"mysql-8.4/failover/embedded@builtin":    20,
		"mysql-8.4/pseudogtid/embedded@builtin":  40,
		"mysql-8.4/failover/orchestrator@v3.2.5": unknownSeconds,
		"mysql-8.4/failover/gh-ost@v1.1.10":      unknownSeconds, // recorded in another suite alone
	} {
		id, err := report.ParseCellID(name)
		if err != nil {
			t.Fatal(err)
		}
		c := Cell{Entry: Entry{Name: id.Entry}, Suite: id.Suite, Tool: ToolRef{Name: id.Tool, Version: id.Version}}
		if got := recorded.Expected(c); got != want {
			t.Errorf("%s: %.0f s, want %.0f s", name, got, want)
		}
		if got := Durations(nil).Expected(c); got != unknownSeconds {
			t.Errorf("%s: %.0f s where nothing is recorded, want %d s", name, got, unknownSeconds)
		}
	}
}

// A cell that did not come to its end would be no measure of the next run.
func TestDurationsOfARun(t *testing.T) {
	cell := func(entry string, state report.State, verdict report.Verdict, specs ...report.Spec) report.Cell {
		return report.Cell{ID: report.CellID{Entry: entry, Suite: "failover", Tool: "embedded", Version: "builtin"}, Specs: specs,
			Outcome: report.Outcome{State: state, Verdict: verdict, Seconds: 12.3}}
	}
	d := DurationsOf(&report.Run{Cells: []report.Cell{
		cell("passed", report.StateFinished, report.VerdictPassed, report.Spec{}),
		cell("failed", report.StateFinished, report.VerdictFailed, report.Spec{}),
		cell("errored", report.StateFinished, report.VerdictErrored, report.Spec{}),
		cell("unavailable", report.StateFinished, report.VerdictUnavailable),
		cell("unchosen", report.StateFinished, report.VerdictUnsupported),
		cell("running", report.StateRunning, report.VerdictUnknown, report.Spec{}),
	}})
	if len(d) != 2 || !maps.Equal(d, durations(t, map[string]float64{"passed/failover/embedded@builtin": 13, "failed/failover/embedded@builtin": 13})) {
		t.Errorf("got %v", d)
	}
}
