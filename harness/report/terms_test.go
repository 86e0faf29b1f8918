package report

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

// Every cell has what a repetition needs, in run.json as well, and one whose preparation fails has it, too.
func TestTerms(t *testing.T) {
	terms := Terms{Limit: SecondsOf(15 * time.Second), Checksum: "abc", TrustFirstUse: true, Env: []string{"TZ=America/New_York"}}
	run := Fold([]Event{{Time: at0, Type: EventRunStarted, Plan: []CellID{cellA}, Seed: 7, Terms: terms},
		{Time: at0, Type: EventCellFinished, Cell: cellA, Verdict: VerdictErrored, ToolFlag: "gh-ost=/path"},
		{Time: at0, Type: EventRunFinished}})
	var file bytes.Buffer
	if err := WriteJSON(&file, run); err != nil {
		t.Fatal(err)
	}
	read, err := ReadRun(&file)
	if err != nil {
		t.Fatal(err)
	}
	if got := read.Cells[0]; !reflect.DeepEqual(got.Terms, terms) || got.ToolFlag != "gh-ost=/path" || got.Seed != 7 {
		t.Errorf("%+v", got)
	}
}
