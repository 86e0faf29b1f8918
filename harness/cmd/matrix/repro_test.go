package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
	"mysqlmatrix/harness/run"
)

// A failure is planned again on the terms of its run: its seed, its time limit, and the user's word on the release.
func TestAgain(t *testing.T) {
	a := &app{matrixPath: filepath.Join(projectRoot(t), matrixFile)}
	id := report.CellID{Entry: "mysql@8.0.21", Suite: "failover", Tool: "embedded", Version: "builtin"}
	sum := strings.Repeat("a", 32)
	for _, c := range []struct {
		terms report.Terms
		flag  time.Duration // the user's --limit
		want  time.Duration
	}{
		{report.Terms{Limit: 15, Checksum: sum}, 0, 15 * time.Second},
		{report.Terms{Limit: 15, TrustFirstUse: true}, time.Minute, time.Minute},
		{report.Terms{}, 0, run.DefaultLimit}, // a run of before they were recorded
	} {
		o := runFlags{limit: c.flag}
		_, cells, focus, err := a.again(&results.Failure{Run: &report.Run{}, Cell: &report.Cell{ID: id, Seed: 7, Terms: c.terms}, Spec: "x", Outcome: &report.Outcome{}}, &o)
		if err != nil || len(cells) != 1 || !focus.MatchString("x") {
			t.Fatalf("%d cells, focus %s, %v", len(cells), focus, err)
		}
		if o.limit != c.want || o.seed != 7 {
			t.Errorf("%+v: limit %s, seed %d", c.terms, o.limit, o.seed)
		}
		if checksum, trust := cells[0].Entry.Sources[0].Declared.(*basedir.Release).Pinned(); checksum != c.terms.Checksum || trust != c.terms.TrustFirstUse {
			t.Errorf("%+v: the archive has checksum %q, trust on first use %t", c.terms, checksum, trust)
		}
	}
}

// What another spec or matrix up has left is not taken for the servers of this one.
func TestPrintLeft(t *testing.T) {
	dir, err := os.MkdirTemp("", "mt") // t's own would be too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	a := &app{runDir: dir}
	root, err := a.openRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := &results.Failure{Cell: &report.Cell{ID: report.CellID{Entry: "e", Suite: "s", Tool: "t", Version: "1"}}, Spec: "x"}
	for _, c := range []struct{ why, fault string }{{"matrix up", "its servers are not up"}, {"e/s/t@1 y", "its servers are not up"}, {"e/s/t@1 x", ""}} {
		dir, err := root.Create(t.Context(), "s")
		if err == nil {
			err = dir.Keep(c.why)
		}
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		err = a.printLeft(t.Context(), &out, f)
		if c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) || c.fault == "" && (err != nil || strings.Count(out.String(), c.why) != 1) {
			t.Errorf("with those of %q: %v, %q", c.why, err, out.String())
		}
	}
}

func TestWhatOf(t *testing.T) {
	for now, want := range map[report.Verdict]string{
		report.VerdictFailed: "it failed again", report.VerdictKnown: "it failed again", report.VerdictErrored: "it failed again",
		report.VerdictPassed: "it did not fail again", report.VerdictFixed: "it did not fail again",
		report.VerdictUnavailable: "that tells nothing", report.VerdictUnknown: "that tells nothing",
	} {
		if got := whatOf(now); got != want {
			t.Errorf("%s: %s, want %s", now, got, want)
		}
	}
}
