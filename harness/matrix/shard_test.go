package matrix

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// planned is the repository's own plan.
func planned(t *testing.T) []Cell {
	t.Helper()
	m, err := Load("../../matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := m.Plan(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

func TestJobsHaveEveryCellOnce(t *testing.T) {
	cells := planned(t)
	// Some entries take much longer than others.
	expected := func(c Cell) float64 { return float64(1 + len(c.Entry.Name)*len(c.Suite)) }
	for _, shards := range []int{0, 1, 2, 4, 7, 40, 250} {
		jobs, err := Jobs(cells, shards, expected)
		if err != nil {
			t.Fatal(err)
		}
		if shards > 0 && len(jobs) != min(shards, len(cells)) {
			t.Errorf("%d shards: %d jobs", shards, len(jobs))
		}
		var names, all []string
		longest, total := 0.0, 0.0
		for _, j := range jobs {
			names = append(names, j.Name)
			all = append(all, j.Cells...)
			longest, total = max(longest, j.Seconds), total+j.Seconds
			if odd.MatchString(j.Name) || j.Key == "" || len(j.Cells) == 0 || len(j.Entries) == 0 {
				t.Errorf("%d shards: job %+v", shards, j)
			}
		}
		slices.Sort(names)
		slices.Sort(all)
		if len(slices.Compact(names)) != len(jobs) || len(all) != len(cells) || len(slices.Compact(all)) != len(cells) {
			t.Errorf("%d shards: %d names, %d cells of %d", shards, len(names), len(all), len(cells))
		}
		heaviest := 0.0
		for _, c := range cells {
			heaviest = max(heaviest, expected(c))
		}
		// The bound of longest-first scheduling (Graham 1969) over pieces of at most a fair share.
		if fair := total / float64(max(1, shards)); shards > 0 && longest > 2*max(fair, heaviest) {
			t.Errorf("%d shards: the longest has %.0f s, a fair share is %.0f s", shards, longest, fair)
		}
	}
}

func TestJobsBeyondTheLimit(t *testing.T) {
	var cells []Cell
	for i := range MaxJobs + 1 {
		cells = append(cells, Cell{Entry: Entry{Name: fmt.Sprintf("mysql@8.0.%d", i)}, Suite: "failover", Tool: ToolRef{Name: "embedded", Version: "builtin"}})
	}
	one := func(Cell) float64 { return 1 }
	if _, err := Jobs(cells, 0, one); err == nil || !strings.Contains(err.Error(), "257 jobs, more than the 256") {
		t.Errorf("got %v", err)
	}
	if _, err := Jobs(cells, 300, one); err == nil {
		t.Error("300 shards of 257 cells are planned")
	}
	jobs, err := Jobs(cells, 256, one)
	if err != nil || len(jobs) != 256 {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
	if _, err := Jobs(cells, -1, one); err == nil {
		t.Error("-1 shards are planned")
	}
	if name := jobName("dir:/opt/my sql-8"); name != "dir-opt-my-sql-8" {
		t.Errorf("a job is named %q", name)
	}
}

func TestOnlyCells(t *testing.T) {
	cells := planned(t)
	name := cells[3].ID().String()
	kept, err := OnlyCells(cells, []string{name})
	if err != nil || len(kept) != 1 || kept[0].ID().String() != name {
		t.Errorf("kept %v, %v", kept, err)
	}
	if _, err := OnlyCells(cells, []string{name, name + "x"}); err == nil || !strings.Contains(err.Error(), "no cell") {
		t.Errorf("got %v", err)
	}
}
