package trackrecord

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/report"
)

const file = "../../fixtures/track-record.yaml"

// A row that does not show the bug is told, whatever else its spec says.
func TestShown(t *testing.T) {
	list, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	i, err := Find(list, "gh-ost-set-reordered")
	if err != nil {
		t.Fatal(err)
	}
	const spec = "gh-ost allow-on-master: types: ENUM and SET columns keep their values when members are reordered"
	run := func(v report.Verdict, text string) *report.Run {
		return &report.Run{Cells: []report.Cell{{Specs: []report.Spec{{Text: spec, Outcome: report.Outcome{Verdict: v, Error: text}}}}}}
	}
	for _, one := range []struct {
		run  *report.Run
		want bool
	}{
		{run(report.VerdictKnown, "the tables differ: row 3"), true},
		{run(report.VerdictFailed, "the tables differ: row 3"), true},
		{run(report.VerdictFailed, "connection refused"), false},
		{run(report.VerdictPassed, ""), false},
		{run(report.VerdictErrored, "the tables differ: row 3"), false},
		{&report.Run{}, false},
	} {
		if text, got := i.Shown(one.run); got != one.want {
			t.Errorf("%+v: %t (%s)", one.run, got, text)
		}
	}
}

func TestMistakesOfTheFile(t *testing.T) {
	for _, text := range []string{"issues: [{name: a}]", "issues: [{nome: a}]",
		"issues: [{name: a, bug: b, tool: c, entry: d, suite: e, specs: '(', error: x, link: l, found: f, seen: 2026-11-28 on MySQL 9.7.4}]",
		"issues: [{name: a, bug: b, tool: c, entry: d, suite: e, specs: s, error: x, link: l, found: f, seen: yesterday}]"} {
		path := filepath.Join(t.TempDir(), "t.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

func TestPageIsCurrent(t *testing.T) {
	list, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/track-record.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != Markdown(list) {
		t.Error("docs/track-record.md is not what fixtures/track-record.yaml makes: run make docs")
	}
	if !strings.Contains(string(page), "gh-ost-set-reordered") {
		t.Error("the page has no rows")
	}
}

// Recording changes the one line, and only of an issue that was shown.
func TestRecord(t *testing.T) {
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "t.yaml")
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	const name, seen = "gh-ost-resume", "2031-01-02 on MySQL 9.7.9"
	if err := Record(path, name, seen); err != nil {
		t.Fatal(err)
	}
	list, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	old, _ := Read(file)
	for i := range list {
		if want := old[i].Seen; (list[i].Name == name) != (list[i].Seen == seen) || list[i].Name != name && list[i].Seen != want {
			t.Errorf("%s: %s", list[i].Name, list[i].Seen)
		}
	}
	if err := Record(path, "no-such-bug", seen); err == nil {
		t.Error("a row that is not there is recorded")
	}
	run := &report.Run{Started: time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC), Cells: []report.Cell{{
		Server: report.Server{Vendor: flavor.MySQL, Version: "9.7.9-2"},
		Specs: []report.Spec{{Text: "gh-ost interruption: x resumes from a checkpoint without losing writes",
			Outcome: report.Outcome{Verdict: report.VerdictKnown, Error: "7 increments acknowledged and 0 in doubt, counter 0"}}},
	}}}
	one, err := Find(list, name)
	if err != nil {
		t.Fatal(err)
	}
	if got := one.SeenIn(run); got != seen {
		t.Errorf("%q, want %q", got, seen)
	}
	run.Cells[0].Specs[0].Verdict = report.VerdictPassed
	if got := one.SeenIn(run); got != "" {
		t.Errorf("a bug that did not show was seen: %q", got)
	}
}
