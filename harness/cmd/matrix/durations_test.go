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

func TestExpectedSeconds(t *testing.T) {
	recorded := durations{
		"mysql-5.6/migration/gh-ost@v1.1.6":      700,
		"mysql-5.6/migration/gh-ost@v1.1.10":     100,
		"mysql-9.7/migration/gh-ost@v1.1.10":     300,
		"mariadb-11.8/migration/gh-ost@v1.1.10":  200,
		"mysql-5.6/failover/embedded@builtin":    20,
		"mysql-5.6/pseudogtid/embedded@builtin":  40,
		"mysql-5.6/migration/gh-ost-too@v1.1.11": 9000,
	}
	for name, want := range map[string]float64{
		"mysql-9.7/migration/gh-ost@v1.1.10":     300, // as recorded
		"mysql-8.4/migration/gh-ost@v1.1.10":     200, // the median of that version on other entries
		"mysql-8.4/migration/gh-ost@unversioned": 300, // of any version: the upper one of the two in the middle
		"mysql-8.4/failover/embedded@builtin":    20,
		"mysql-8.4/pseudogtid/embedded@builtin":  40,
		"mysql-8.4/failover/orchestrator@v3.2.5": guess,
		"mysql-8.4/failover/gh-ost@v1.1.10":      guess, // recorded in another suite alone
	} {
		parts := strings.Split(name, "/")
		tool, version, _ := strings.Cut(parts[2], "@")
		c := matrix.Cell{Entry: matrix.Entry{Name: parts[0]}, Suite: parts[1], Tool: matrix.ToolRef{Name: tool, Version: version}}
		if got := recorded.expected(c); got != want {
			t.Errorf("%s: %.0f s, want %.0f s", name, got, want)
		}
		if got := durations(nil).expected(c); got != guess {
			t.Errorf("%s: %.0f s where nothing is recorded, want %d s", name, got, guess)
		}
	}
}

// A cell that did not come to its end would be no measure of the next run.
func TestDurationsOfARun(t *testing.T) {
	cell := func(entry string, state report.State, verdict report.Verdict, specs ...report.Spec) report.Cell {
		return report.Cell{ID: report.CellID{Entry: entry, Suite: "failover", Tool: "embedded@builtin"}, Specs: specs,
			Outcome: report.Outcome{State: state, Verdict: verdict, Seconds: 12.3}}
	}
	d := durationsOf(&report.Run{Cells: []report.Cell{
		cell("passed", report.StateFinished, report.VerdictPassed, report.Spec{}),
		cell("failed", report.StateFinished, report.VerdictFailed, report.Spec{}),
		cell("errored", report.StateFinished, report.VerdictErrored, report.Spec{}),
		cell("unavailable", report.StateFinished, report.VerdictUnavailable),
		cell("unchosen", report.StateFinished, report.VerdictUnsupported),
		cell("running", report.StateRunning, report.VerdictUnknown, report.Spec{}),
	}})
	if len(d) != 2 || d["passed/failover/embedded@builtin"] != 13 || d["failed/failover/embedded@builtin"] != 13 {
		t.Errorf("got %v", d)
	}
}

// planOf plans shards of a copy of matrix.yaml, beside which these durations are recorded.
func planOf(t *testing.T, recorded durations, shards string, args ...string) []matrix.Job {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(projectRoot(t), matrixFile))
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.WriteFile(filepath.Join(dir, matrixFile), text, 0o644), os.CopyFS(filepath.Join(dir, "scripts"), os.DirFS(filepath.Join(projectRoot(t), "scripts"))))
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

func writeDurations(t *testing.T, path string, d durations) {
	t.Helper()
	text, err := json.Marshal(d)
	if err := errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// A plan is balanced by what is recorded beside matrix.yaml, with no flag: jobs that it makes even are uneven without.
func TestShardsAreBalancedByWhatIsRecorded(t *testing.T) {
	recorded := durations{}
	for _, j := range planOf(t, nil, "0") {
		for _, name := range j.Cells {
			recorded[name] = guess
			if strings.HasPrefix(name, "mysql-5.6/") {
				recorded[name] = 10 * guess
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
				seconds += recorded[name]
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
