package matrix

import (
	"cmp"
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
		for _, j := range jobs {
			names = append(names, j.Name)
			all = append(all, j.Cells...)
			if odd.MatchString(j.Name) || j.Key == "" || len(j.Cells) == 0 || len(j.Entries) == 0 {
				t.Errorf("%d shards: job %+v", shards, j)
			}
		}
		slices.Sort(names)
		slices.Sort(all)
		if len(slices.Compact(names)) != len(jobs) || len(all) != len(cells) || len(slices.Compact(all)) != len(cells) {
			t.Errorf("%d shards: %d names, %d cells of %d", shards, len(names), len(all), len(cells))
		}
	}
}

// Entries that take the same time, and such of which two take as long as all others.
func TestJobsAreEven(t *testing.T) {
	cells := planned(t)
	slow := []string{cells[0].Entry.Name, cells[len(cells)-1].Entry.Name}
	for name, expected := range map[string]func(Cell) float64{
		"alike": func(Cell) float64 { return 60 },
		"two are slow": func(c Cell) float64 {
			if slices.Contains(slow, c.Entry.Name) {
				return 400
			}
			return float64(20 + 5*len(c.Suite))
		},
	} {
		for shards := 2; shards <= 12; shards++ {
			jobs, err := Jobs(slices.Clone(cells), shards, expected)
			if err != nil {
				t.Fatal(err)
			}
			byLength := func(a, b Job) int { return cmp.Compare(a.Seconds, b.Seconds) }
			longest, shortest := slices.MaxFunc(jobs, byLength), slices.MinFunc(jobs, byLength)
			pieces, total := 0, 0.0
			for _, j := range jobs {
				pieces, total = pieces+len(j.Entries), total+j.Seconds
			}
			if fair := total / float64(shards); longest.Seconds > uneven*fair || longest.Seconds > 2*shortest.Seconds {
				t.Errorf("%s, %d shards: %s has %.0f s, %s %.0f s, a fair share is %.0f s", name, shards,
					longest.Name, longest.Seconds, shortest.Name, shortest.Seconds, fair)
			}
			if entries := len(byEntry(cells)); pieces > entries+2*shards {
				t.Errorf("%s, %d shards: %d entries are in %d pieces", name, shards, entries, pieces)
			}
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

// The longest cells fill the jobs first; cells of servers that were never had are counted and take no time.
func TestTotalDuration(t *testing.T) {
	d := Durations{}
	cells := []Cell{}
	for i, seconds := range []float64{300, 100, 100, 100} {
		c := Cell{Entry: Entry{Name: "a"}, Suite: fmt.Sprint(i)}
		d[c.ID()] = seconds
		cells = append(cells, c)
	}
	cells = append(cells, Cell{Entry: Entry{Name: "never"}, Suite: "s"})
	for jobs, want := range map[int]float64{0: 600, 1: 600, 2: 300, 9: 300} {
		if got, left := d.Total(cells, jobs); got != want || left != 1 {
			t.Errorf("%d jobs: %v s and %d left out, want %v and 1", jobs, got, left, want)
		}
	}
	if got, left := (Durations)(nil).Total(cells, 2); got != 0 || left != 5 {
		t.Errorf("without a record: %v s, %d left out", got, left)
	}
}
