package report

import (
	"bytes"
	"strings"
	"testing"

	"mysqlmatrix/harness/flavor"
)

func TestTimes(t *testing.T) {
	measured := func(name string, median, p95, worst float64) []Measurement {
		return []Measurement{{Name: name + ", each", Unit: "ms", Value: 1, Detail: true}, {Name: name + ", median", Unit: "ms", Value: median},
			{Name: name + ", p95", Unit: "ms", Value: p95}, {Name: name + ", worst", Unit: "ms", Value: worst}}
	}
	one := Cell{ID: cellA, Server: Server{Vendor: flavor.MySQL, Version: "9.7.4"}}
	one.Specs = []Spec{{Outcome: Outcome{Measurements: append(measured("detected", 61.4, 80, 95), measured("first write", 300, 310, 320)...)}},
		{Outcome: Outcome{Measurements: measured("detected, hung", 1000, 2000, 3000)}}, {Outcome: Outcome{Measurements: measured("detected, once", 700, 700, 700)}}}
	run := &Run{Started: at0, Cells: []Cell{one}}
	var text bytes.Buffer
	if err := WriteTimes(&text, run); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## Usual", "## Hung", "61 / 80 / 95 ms | 300 / 310 / 320 ms |", "1000 / 2000 / 3000 ms |  |", "| 700 ms |"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
	if strings.Index(text.String(), "Usual") > strings.Index(text.String(), "Hung") {
		t.Error("what is usual does not come first")
	}
	run.Cells[0].Specs = nil
	if err := WriteTimes(&text, run); err == nil || !strings.Contains(err.Error(), "repeated failovers") {
		t.Errorf("of a run without times: %v", err)
	}
}
