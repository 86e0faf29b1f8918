package trackrecord

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		"issues: [{name: a, bug: b, tool: c, entry: d, suite: e, specs: '(', error: x, link: l}]"} {
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
