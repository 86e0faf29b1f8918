package run

import (
	"testing"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

// The longest cell begins first; those of which nothing is known keep the order of the plan.
func TestOrderOfCells(t *testing.T) {
	cells := []matrix.Cell{{Suite: "a"}, {Suite: "b"}, {Suite: "c"}, {Suite: "d"}}
	seconds := map[string]float64{"a": 60, "b": 900, "c": 60, "d": 300}
	config := Config{Expected: func(c matrix.Cell) float64 { return seconds[c.Suite] }}
	got := ""
	for _, c := range config.order(cells) {
		got += c.Suite
	}
	if got != "bdac" || cells[0].Suite != "a" {
		t.Errorf("got %s, want bdac, and the plan as it was", got)
	}
	if same := (&Config{}).order(cells); same[0].Suite != "a" {
		t.Errorf("without times: %v first", same[0].Suite)
	}
}

// What failed in the run before begins first, then the pr tier, then the rest, each in the order of the suite.
func TestOrderOfSpecs(t *testing.T) {
	full := []string{cell.LabelFull}
	specs := []cell.Spec{{Text: "a", Labels: full}, {Text: "b"}, {Text: "c", Labels: full}, {Text: "d"}, {Text: "e", Labels: full}}
	id := report.CellID{Entry: "e", Suite: "s"}
	text := func(list []cell.Spec) (all string) {
		for _, s := range list {
			all += s.Text
		}
		return all
	}
	config := Config{Failed: map[report.CellID]map[string]bool{id: {"e": true, "d": true}}}
	if got := text(config.orderSpecs(id, specs)); got != "debac" {
		t.Errorf("got %s, want debac", got)
	}
	if got := text(config.orderSpecs(report.CellID{Entry: "other", Suite: "s"}, specs)); got != "bdace" {
		t.Errorf("of a cell that did not fail: got %s, want bdace", got)
	}
	cells := []matrix.Cell{{Suite: "long"}, {Suite: "s", Entry: matrix.Entry{Name: "e"}}}
	config.Expected = func(c matrix.Cell) float64 { return float64(len(c.Suite)) }
	config.Failed = map[report.CellID]map[string]bool{cells[1].ID(): {"x": true}}
	if got := config.order(cells); got[0].Suite != "s" {
		t.Errorf("%s begins first, want the cell that failed", got[0].Suite)
	}
}
