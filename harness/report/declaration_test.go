package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/flavor"
)

// buildOf is a run of a build of one's own, judged by v1.1.10.
func buildOf(verdicts ...Verdict) *Run {
	id := CellID{"mysql-9.7", "migration", "gh-ost", LocalVersion}
	events := []Event{{Time: at0, Type: EventRunStarted, Plan: []CellID{id}},
		{Time: at0, Type: EventCellStarted, Cell: id, Total: len(verdicts), ToolFlag: "gh-ost=/src/gh-ost", Baseline: "v1.1.10", Server: Server{flavor.MySQL, "9.7.4", ""}}}
	for i, v := range verdicts {
		e := Event{Time: at0, Type: EventSpecFinished, Cell: id, Spec: string(rune('a' + i)), Verdict: v}
		if v == VerdictKnown || v == VerdictFixedByBuild {
			e.Expectation = &Expectation{Error: "declared", Note: "why it fails"}
		}
		events = append(events, e)
	}
	return Fold(append(events, Event{Time: at0, Type: EventCellFinished, Cell: id}, Event{Time: at0, Type: EventRunFinished}))
}

// A maintainer is told what is new, and what the build has fixed; only what is new fails the run.
func TestBuildAgainstItsBaseline(t *testing.T) {
	const P, F, K, G = VerdictPassed, VerdictFailed, VerdictKnown, VerdictFixedByBuild
	for _, c := range []struct {
		run  *Run
		want string
		code int
	}{
		{buildOf(P, F, K, K, G), "gh-ost=/src/gh-ost: 1 new, 1 fixed, 2 known as in v1.1.10", ExitFailed},
		{buildOf(P, K, G, G), "gh-ost=/src/gh-ost: 0 new, 2 fixed, 1 known as in v1.1.10", ExitOK},
		{buildOf(P, G), "gh-ost=/src/gh-ost: 0 new, 1 fixed, 0 known as in v1.1.10", ExitOK},
	} {
		if code := ExitCode(c.run, ExitRules{Strict: true}); code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.want, code, c.code)
		}
		var final, markdown bytes.Buffer
		if err := WriteFinal(&final, c.run, Options{}); err != nil || !strings.Contains(final.String(), c.want) || !strings.Contains(final.String(), "Fixed by this build") {
			t.Errorf("%v, want %q in:\n%s", err, c.want, final.String())
		}
		if err := WriteMarkdown(&markdown, c.run, Options{}, 0); err != nil || !strings.Contains(markdown.String(), c.want) {
			t.Errorf("%v, want %q in:\n%s", err, c.want, markdown.String())
		}
	}
}

func TestUnprovenDeclarations(t *testing.T) {
	proven := Declaration{Where: "gh-ost.yaml:2", Servers: []string{"mysql >= 8.4"}, Tool: "gh-ost", Cells: 1}
	unproven := Declaration{Where: "gh-ost.yaml:9", Servers: []string{"percona 8.0"}, Tool: "gh-ost <= v1.1.6"}
	part := func(all ...Declaration) *Run {
		r := Fold([]Event{{Time: at0, Type: EventRunStarted}, {Time: at0, Type: EventRunFinished, Declarations: all}})
		return r
	}
	merged, err := Merge(Part{"a", part(proven, unproven)}, Part{"b", part(Declaration{Where: "gh-ost.yaml:2"}, unproven)})
	if err != nil || len(merged.Unproven()) != 1 || merged.Unproven()[0].Where != unproven.Where {
		t.Fatalf("%v, %+v", err, merged.Declarations)
	}
	if merged, err = Merge(Part{"a", part(unproven)}, Part{"b", part(Declaration{Where: unproven.Where, Cells: 2})}); err != nil || len(merged.Unproven()) != 0 {
		t.Errorf("one part had the server: %v, %+v", err, merged.Unproven())
	}
	var final, markdown bytes.Buffer
	if err := WriteFinal(&final, part(proven, unproven), Options{}); err != nil || !strings.Contains(final.String(), "gh-ost.yaml:9: gh-ost <= v1.1.6 on percona 8.0") || strings.Contains(final.String(), "gh-ost.yaml:2") {
		t.Errorf("%v\n%s", err, final.String())
	}
	if err := WriteMarkdown(&markdown, part(proven, unproven), Options{}, 0); err != nil || !strings.Contains(markdown.String(), "1 declaration unproven") {
		t.Errorf("%v\n%s", err, markdown.String())
	}
}

func TestCompatibility(t *testing.T) {
	cell := func(verdicts ...Verdict) *Cell { return &buildOf(verdicts...).Cells[0] }
	const P, F, K = VerdictPassed, VerdictFailed, VerdictKnown
	blocked := cell(P, P, K)
	blocked.Specs[2].Expectation.Blocks = true
	U := cell(VerdictUnsupported, VerdictUnsupported)
	U.Specs[0].Reason = "no semi-sync"
	sampled := cell(P, K, K)
	sampled.Specs[1].Expectation.Blocks, sampled.Specs[1].Expectation.Note = true, "it sends X; 3.2 sends Y (seen on MySQL 9.7.4)"
	sampled.Specs[2].NotRun = true
	for _, c := range []struct {
		cell *Cell
		want string
	}{
		{nil, ""}, {cell(P, P), "works in 2 specs"}, {cell(P, P, K), "works in 2 specs, 1 known failure"}, {cell(P, F, P, K), "works in 2 specs, 1 known failure, 1 failed"},
		{blocked, "cannot work: why it fails"}, {cell(P, K, K, K), "works in 1 spec, 3 known failures"}, {cell(K), "1 known failure"},
		{cell(P, VerdictUnsupported), "works in 1 spec, 1 unsupported"}, {U, "unsupported: no semi-sync"},
		{sampled, "cannot work: it sends X, 1 of 3 specs not run"},
		{&Cell{Outcome: Outcome{State: StateFinished, Verdict: VerdictUnavailable}}, "not run: the server or the tool could not be obtained"},
	} {
		if got := Compatibility(c.cell); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	var b bytes.Buffer
	if err := WriteCompatibility(&b, buildOf(P, K)); err != nil || !strings.Contains(b.String(), "| mysql-9.7<br>9.7.4 | ") {
		t.Errorf("%v\n%s", err, b.String())
	}
	for _, c := range []struct {
		run        Run
		want, lack string
	}{
		{Run{Tier: "pr", Started: time.Date(2026, 11, 28, 1, 0, 0, 0, time.UTC), Status: RunComplete}, "From a run on 2026-11-28 of the pr tier, the short one that pull requests run, on 2 servers.", "cut off"},
		{Run{Tier: "full", Status: RunInterrupted}, "The run was cut off before its end.", "pr tier"},
		{Run{Tier: "full", Focus: "semi-sync", Status: RunComplete}, "Only specs that match semi-sync were chosen.", "cut off"},
		{Run{Status: RunComplete}, "of a tier that it did not record", "pr tier"},
	} {
		if got := c.run.scope(2); !strings.Contains(got, c.want) || strings.Contains(got, c.lack) {
			t.Errorf("%q, want %q and not %q", got, c.want, c.lack)
		}
	}
}
