package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
)

// A run that is split into four jobs, each in a clean folder of its own, merges to the verdicts of the whole: one that
// is declared to fail and a page with its evidence among them.
func TestShardsMergeToTheWhole(t *testing.T) {
	needsServer(t)
	runs, dir := runFolder(t), t.TempDir()
	focus := "finds the same coordinates|promotes the wrong replica|gh-ost allow-on-master: changes|schema-change triggers: changes"
	chosen := []string{"--entry", entryName, "--tier", "pr"}
	whole := filepath.Join(dir, "whole")
	runLong(t, runs, append([]string{"run", "--plain", "--focus", focus, "--out", whole}, chosen...)...)

	var planned struct {
		Include []struct {
			Name    string
			Cells   []string
			Seconds float64
		}
	}
	output := mustRun(t, runs, append([]string{"plan", "--shards", "4", "--durations", whole}, chosen...)...)
	if err := json.Unmarshal([]byte(output), &planned); err != nil || len(planned.Include) != 4 {
		t.Fatalf("%d jobs, %v:\n%s", len(planned.Include), err, output)
	}
	total := 0.0
	for _, j := range planned.Include {
		total += j.Seconds
	}
	merge := []string{"report", "merge", "--out", filepath.Join(dir, "merged")}
	for _, j := range planned.Include {
		if len(j.Cells) > 1 && j.Seconds > total/2 {
			t.Errorf("of %.0f s in 4 jobs %s has %.0f s, and could be divided", total, j.Name, j.Seconds)
		}
		out := filepath.Join(dir, j.Name)
		runLong(t, runs, "run", "--plain", "--tier", "pr", "--focus", focus, "--cell", strings.Join(j.Cells, " "), "--out", out)
		merge = append(merge, out)
	}
	mustRun(t, runs, merge...)

	want, got := verdictsIn(t, whole), verdictsIn(t, filepath.Join(dir, "merged"))
	if len(want) < 4 || len(got) != len(want) {
		t.Errorf("%d verdicts of the shards, %d of the whole", len(got), len(want))
	}
	known := false
	for what, verdict := range want {
		known = known || verdict == report.VerdictKnown
		if got[what] != verdict {
			t.Errorf("%s: %s in shards, %s as a whole", what, got[what], verdict)
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "merged", "page.html"))
	if err != nil {
		t.Fatal(err)
	}
	if known && !strings.Contains(string(page), "primary.error.log") {
		t.Error("the merged page has no evidence of what is known to fail")
	}
}

// runLong is mustRun for what takes longer than a test of one spec.
func runLong(t *testing.T, runs string, args ...string) {
	t.Helper()
	if code, output := start(t, runs, args...).wait(t, 10*time.Minute); code != 0 {
		t.Fatalf("matrix %s: exit code %d\n%s", strings.Join(args, " "), code, output)
	}
}

func verdictsIn(t *testing.T, folder string) map[string]report.Verdict {
	t.Helper()
	run, err := results.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]report.Verdict{}
	for i := range run.Cells {
		c := &run.Cells[i]
		verdicts[c.ID.String()] = c.Verdict
		for j := range c.Specs {
			verdicts[c.ID.String()+" "+c.Specs[j].Text] = c.Specs[j].Verdict
		}
	}
	return verdicts
}
