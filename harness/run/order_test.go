package run

import (
	"testing"

	"mysqlmatrix/harness/matrix"
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
