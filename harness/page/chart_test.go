package page

import (
	"slices"
	"testing"

	"mysqlmatrix/harness/report"
)

// measured is a run with what a migration and a failover record, on two versions.
func measured() *report.Run {
	run := &report.Run{Version: report.Version, Status: report.RunComplete}
	add := func(entry, suite, tool, spec string, ms ...report.Measurement) {
		ended := report.Outcome{State: report.StateFinished, Verdict: report.VerdictPassed}
		c := report.Cell{ID: report.CellID{Entry: entry, Suite: suite, Tool: tool}, Total: 1, Outcome: ended, Specs: []report.Spec{{Text: spec, Outcome: ended}}}
		c.Specs[0].Measurements = ms
		run.Cells = append(run.Cells, c)
	}
	shown := func(name, unit string, value float64) report.Measurement {
		return report.Measurement{Name: name, Unit: unit, Value: value}
	}
	detail := func(name, unit string, value float64) report.Measurement {
		return report.Measurement{Name: name, Unit: unit, Value: value, Detail: true}
	}
	add("mysql-8.4", "migration", "gh-ost@v1", "changes a table", detail("provisioning star:1", "s", 1.5), detail("tool memory", "MB", 20), detail("tool cpu", "s", 0.0123),
		detail("replica lag", "s", 1), shown("rows copied", "rows/s", 50432.125), detail("events applied", "events/s", 912.5), shown("migration", "s", 9),
		detail("writes during the migration", "", 7), detail("rows copied before the kill", "", 7),
		shown("cut-over stall", "ms", 150), shown("cut-over stall", "ms", 123.45), shown("cut-over stall", "ms", 0.6))
	add("mysql-9.7", "migration", "gh-ost@v1", "changes a table", shown("rows copied", "rows/s", 60000), shown("cut-over stall", "ms", 75))
	add("mysql-9.7", "failover", "embedded", "promotes a replica", shown("all following", "ms", 1900), shown("first write", "ms", 1500.25), shown("detected", "ms", 900),
		detail("suspected", "ms", 300), detail("writable", "ms", 1400), detail("relay log applied", "ms", 1300), detail("frozen", "ms", 1000),
		detail("longest time without a write", "ms", 1600))
	return run
}

func TestCharts(t *testing.T) {
	groups := charts(measured())
	var names []string
	for _, g := range groups {
		names = append(names, g.Name)
	}
	want := []string{"cut-over stall", "suspected", "detected", "frozen", "relay log applied", "writable", "first write", "all following",
		"longest time without a write", "rows copied", "events applied", "replica lag", "tool cpu", "tool memory", "provisioning star:1", "migration"}
	if !slices.Equal(names, want) {
		t.Fatalf("drawn are\n%q, want\n%q", names, want)
	}
	// Values stand exact side by side: no digit is lost for the sake of another value.
	stall := groups[0].Charts[0].Bars
	if b := stall[0]; len(stall) != 2 || b.Entry != "mysql-8.4" || b.Median != "123.45" || b.Min != "0.6" || b.Max != "150" || b.N != 3 ||
		b.Hover != "mysql-8.4: median 123.45, from 0.6 to 150 ms (3 values)" || b.Width >= b.To-labelRoom || b.Width*2 <= b.To-labelRoom {
		t.Errorf("the stall is %+v", stall)
	}
	if b := stall[1]; b.Hover != "mysql-9.7: 75 ms" || b.Width != barRoom/2 {
		t.Errorf("one value is %+v", b)
	}
	if g := groups[9]; g.Unit != "rows/s" || g.Charts[0].Bars[0].Median != "50432.125" {
		t.Errorf("rows copied are %+v", g)
	}
}
