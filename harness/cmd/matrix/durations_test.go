package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

// named is the cell of a name.
func named(t *testing.T, name string) report.CellID {
	t.Helper()
	id, err := report.ParseCellID(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// planOf plans shards of a copy of matrix.yaml, beside which these durations are recorded.
func planOf(t *testing.T, recorded matrix.Durations, shards string, args ...string) []matrix.Job {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(projectRoot(t), matrixFile))
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.WriteFile(filepath.Join(dir, matrixFile), text, 0o644), os.CopyFS(filepath.Join(dir, "scripts"), os.DirFS(filepath.Join(projectRoot(t), "scripts"))),
		os.CopyFS(filepath.Join(dir, "fixtures/expectations"), os.DirFS(filepath.Join(projectRoot(t), "fixtures/expectations"))))
	if err != nil {
		t.Fatal(err)
	}
	if recorded != nil {
		writeDurations(t, filepath.Join(dir, durationsFile), recorded)
	}
	var planned struct{ Include []matrix.Job }
	output := mustRun(t, runFolder(t), append([]string{"--matrix", filepath.Join(dir, matrixFile), "plan", "--shards", shards}, args...)...)
	if err := json.Unmarshal([]byte(output), &planned); err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	return planned.Include
}

func writeDurations(t *testing.T, path string, d matrix.Durations) {
	t.Helper()
	text, err := json.Marshal(d)
	if err := errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// A plan is balanced by what is recorded beside matrix.yaml, with no flag: jobs that it makes even are uneven without.
func TestShardsAreBalancedByWhatIsRecorded(t *testing.T) {
	recorded := matrix.Durations{}
	for _, j := range planOf(t, nil, "0") {
		for _, name := range j.Cells {
			recorded[named(t, name)] = 60
			if strings.HasPrefix(name, "mysql-5.6/") {
				recorded[named(t, name)] = 10 * 60
			}
		}
	}
	ratio := func(jobs []matrix.Job) float64 {
		t.Helper()
		if len(jobs) != 4 {
			t.Fatalf("%d jobs, want 4", len(jobs))
		}
		var shortest, longest float64
		for i, j := range jobs {
			seconds := 0.0
			for _, name := range j.Cells {
				seconds += recorded[named(t, name)]
			}
			if longest = max(longest, seconds); i == 0 || seconds < shortest {
				shortest = seconds
			}
		}
		return longest / shortest
	}
	const even = 1.5
	if got := ratio(planOf(t, recorded, "4")); got > even {
		t.Errorf("the longest shard takes %.1f times the shortest", got)
	}
	if got := ratio(planOf(t, nil, "4")); got <= even {
		t.Errorf("without what is recorded the longest shard takes %.1f times the shortest: this test shows nothing", got)
	}
	file := filepath.Join(t.TempDir(), "mine.json")
	writeDurations(t, file, recorded)
	if got := ratio(planOf(t, nil, "4", "--durations", file)); got > even {
		t.Errorf("by a file that is named the longest shard takes %.1f times the shortest", got)
	}
}
