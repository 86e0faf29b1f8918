package report

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	at0   = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	cellA = CellID{Entry: "mysql-9.7", Suite: "migration", Tool: "gh-ost", Version: "v1.1.10"}
	cellB = CellID{Entry: "mariadb-10.11", Suite: "failover"}
)

// complete is a whole run of cellA: its specs' verdicts, and what the runner says of the cell.
func complete(total int, said Verdict, specs ...Verdict) *Run {
	events := []Event{{Time: at0, Type: EventRunStarted, Plan: []CellID{cellA}},
		{Time: at0, Type: EventCellStarted, Cell: cellA, Total: total}}
	for _, v := range specs {
		events = append(events, Event{Time: at0, Type: EventSpecFinished, Cell: cellA, Spec: "the same text", Verdict: v})
	}
	return Fold(append(events, Event{Time: at0, Type: EventCellFinished, Cell: cellA, Verdict: said},
		Event{Time: at0, Type: EventRunFinished}))
}

func TestCellVerdict(t *testing.T) {
	const none = VerdictUnknown
	const P, F, K, X, U, A, E, T = VerdictPassed, VerdictFailed, VerdictKnown, VerdictFixed, VerdictUnsupported, VerdictUnavailable, VerdictErrored, VerdictTimedOut
	for _, c := range []struct {
		total int
		said  Verdict
		specs []Verdict
		want  Verdict
	}{
		{1, none, []Verdict{P}, P},
		{2, none, []Verdict{P, U}, P},
		{2, none, []Verdict{U, U}, U},
		{2, none, []Verdict{P, K}, K},
		{3, none, []Verdict{P, K, X}, X},
		{3, none, []Verdict{X, F, P}, F},
		{3, none, []Verdict{T, F, P}, T},
		{3, none, []Verdict{T, F, E}, E},
		{1, E, []Verdict{P}, E},
		{1, P, []Verdict{F}, F},
		{9, T, []Verdict{P}, T}, // stopped: the rest is missing for a reason
		{0, A, nil, A},
		{5, U, nil, U},
		{0, none, nil, E}, // silence is not success
		{0, P, nil, E},
		{3, none, []Verdict{P, P}, E},
		{3, P, []Verdict{P, P}, E},
		{1, A, []Verdict{P}, P}, // a cell whose specs ran was there
	} {
		run := complete(c.total, c.said, c.specs...)
		got := run.Cells[0]
		if got.Verdict != c.want || got.State != StateFinished || len(got.Specs) != len(c.specs) {
			t.Errorf("total %d, runner says %v, specs %v: %v (%s, %d specs), want %v", c.total, c.said, c.specs, got.Verdict, got.State, len(got.Specs), c.want)
		}
	}
}

func TestTimedOutCellTimesOutItsRunningSpecs(t *testing.T) {
	run := Fold([]Event{{Time: at0, Type: EventCellStarted, Cell: cellA, Total: 2},
		{Time: at0, Type: EventSpecStarted, Cell: cellA, Spec: "hangs"},
		{Time: at0.Add(time.Minute), Type: EventCellFinished, Cell: cellA, Verdict: VerdictTimedOut},
		{Time: at0.Add(time.Minute), Type: EventRunFinished}})
	if s := run.Cells[0].Specs[0]; s.Verdict != VerdictTimedOut || s.Seconds != 60 {
		t.Errorf("got %+v", s)
	}
	if run.Cells[0].Verdict != VerdictTimedOut || ExitCode(run, ExitRules{}) != ExitFailed {
		t.Errorf("cell %v, exit %d", run.Cells[0].Verdict, ExitCode(run, ExitRules{}))
	}
}

// Every prefix of a stream is what a killed runner may leave: it folds, it is interrupted, no view of it fails.
func TestEveryPrefix(t *testing.T) {
	each(t, func(t *testing.T, name string, events []Event, _ *Run) {
		for n := range events {
			if n > 0 && events[n-1].Type == EventRunFinished {
				continue
			}
			run := Fold(events[:n])
			if run.Status != RunInterrupted && n > 0 || ExitCode(run, ExitRules{}) != ExitInterrupted {
				t.Fatalf("after %d events: %s, exit %d", n, run.Status, ExitCode(run, ExitRules{}))
			}
			if n == 0 {
				continue
			}
			var b bytes.Buffer
			if err := errors.Join(WriteJSON(&b, run), WriteFinal(&bytes.Buffer{}, run, Options{Width: 80}),
				WriteJUnit(&bytes.Buffer{}, run), WriteMarkdown(&bytes.Buffer{}, run, Options{}, 0)); err != nil {
				t.Fatal(err)
			}
			again, err := ReadRun(&b)
			if err != nil || !reflect.DeepEqual(again, run) {
				t.Fatalf("after %d events: run.json reads back as %+v (%v), want %+v", n, again, err, run)
			}
		}
	})
}

func TestRunJSONRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, _ string, _ []Event, run *Run) {
		var b bytes.Buffer
		if err := WriteJSON(&b, run); err != nil {
			t.Fatal(err)
		}
		again, err := ReadRun(&b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, run) {
			t.Errorf("read back as\n%+v\nwant\n%+v", again, run)
		}
	})
}

func TestReadRunRefuses(t *testing.T) {
	good := `{"version":1,"status":"complete","cells":[{"id":{"entry":"e","suite":"s"},"state":"finished","verdict":"passed","specs":[{"spec":"x","state":"finished","verdict":"passed"}]}]}`
	if _, err := ReadRun(strings.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"version":1`, `"version":3`, "version 3 is newer"},
		{`"version":1,`, ``, "no version"},
		{`"complete"`, `"done"`, `run status "done": want one of ["running" "complete" "interrupted"]`},
		{`"status":"complete",`, ``, "no status"},
		{`"entry":"e"`, `"entry":""`, "has no entry"},
		{`"state":"finished","verdict":"passed","specs"`, `"state":"running","specs"`, "is running in a complete run"},
		{`"state":"finished","verdict":"passed","specs"`, `"state":"finished","specs"`, "finished without a verdict"},
		{`"spec":"x","state":"finished","verdict":"passed"`, `"spec":"x","state":"finished","verdict":"failed"`, `is passed, but its spec "x" is failed`},
		{`"spec":"x","state":"finished",`, `"spec":"x","state":"running",`, "running, and yet passed"},
		{`}]}]}`, `}]},{"id":{"entry":"e","suite":"s"},"state":"finished","verdict":"passed"}]}`, "is there twice"},
		{good, `{"version":1`, "read run.json: unexpected end"},
	} {
		if _, err := ReadRun(strings.NewReader(strings.Replace(good, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: error %v, want %q", c.new, c.old, err, c.want)
		}
	}
}

func TestExitCode(t *testing.T) {
	cell := func(v Verdict) Cell { return Cell{ID: cellA, Outcome: Outcome{State: StateFinished, Verdict: v}} }
	version := func(version string, v Verdict) Cell {
		c := cell(v)
		c.ID.Version = version
		return c
	}
	both := cell(VerdictErrored)
	both.Specs = []Spec{{Outcome: Outcome{State: StateFinished, Verdict: VerdictFailed}}}
	for _, c := range []struct {
		name   string
		status RunStatus
		strict bool
		named  []string
		cells  []Cell
		want   int
	}{
		{"passed, known, unsupported", RunComplete, true, []string{"mysql-9.7"}, []Cell{cell(VerdictPassed), cell(VerdictKnown), cell(VerdictUnsupported)}, 0},
		{"failed", RunComplete, false, nil, []Cell{cell(VerdictPassed), cell(VerdictFailed)}, 1},
		{"fixed", RunComplete, false, nil, []Cell{cell(VerdictFixed)}, 1},
		{"timed out", RunComplete, false, nil, []Cell{cell(VerdictTimedOut)}, 1},
		{"errored", RunComplete, false, nil, []Cell{cell(VerdictErrored), cell(VerdictPassed)}, 3},
		{"errored and failed", RunComplete, false, nil, []Cell{cell(VerdictErrored), cell(VerdictFailed)}, 1},
		{"errored cell with a failed spec", RunComplete, false, nil, []Cell{both}, 1},
		{"unavailable", RunComplete, false, []string{"mysql-9", "mysql-*"}, []Cell{cell(VerdictUnavailable)}, 0},
		{"unavailable, strict", RunComplete, true, nil, []Cell{cell(VerdictUnavailable)}, 3},
		{"unavailable, named", RunComplete, false, []string{"mysql-9.7"}, []Cell{cell(VerdictUnavailable)}, 3},
		{"one version unavailable, named", RunComplete, false, []string{"mysql-9.7"}, []Cell{cell(VerdictUnavailable), version("v2", VerdictPassed)}, 0},
		{"one version unavailable, strict", RunComplete, true, nil, []Cell{cell(VerdictUnavailable), version("v2", VerdictPassed)}, 3},
		{"interrupted and failed", RunInterrupted, false, nil, []Cell{cell(VerdictFailed)}, 130},
		{"still running", RunRunning, false, nil, []Cell{cell(VerdictPassed)}, 130},
		{"no verdict", RunComplete, false, nil, []Cell{cell(VerdictUnknown)}, 3},
	} {
		if got := ExitCode(&Run{Status: c.status, Cells: c.cells}, ExitRules{Strict: c.strict, Named: c.named}); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestMerge(t *testing.T) {
	a := &Run{Version: Version, Status: RunComplete, Started: at0, Seconds: 10, MatrixDigest: "d", Seed: 1, Hosts: []Host{{CPUs: 2}},
		Cells: []Cell{{ID: cellA, Seed: 1}}, Notes: []Note{{Time: at0.Add(3 * time.Second), Text: "later"}}}
	b := &Run{Version: Version, Status: RunComplete, Started: at0.Add(-5 * time.Second), Seconds: 20, MatrixDigest: "d", Seed: 2, Hosts: []Host{{CPUs: 2}},
		Cells: []Cell{{ID: cellB, Seed: 2}}, Notes: []Note{{Time: at0, Text: "sooner"}}}
	first, second := Part{"out/a", a}, Part{"out/b", b}
	got, err := Merge(first, second)
	if err != nil {
		t.Fatal(err)
	}
	want := &Run{Version: Version, Status: RunComplete, Started: b.Started, Seconds: 20, MatrixDigest: "d", Hosts: a.Hosts,
		Cells: []Cell{a.Cells[0], b.Cells[0]}, Notes: []Note{b.Notes[0], a.Notes[0]}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	b.Status = RunInterrupted
	if got, err = Merge(first, second); err != nil || got.Status != RunInterrupted {
		t.Errorf("with an interrupted part: %v, %v", got, err)
	}
	b.MatrixDigest = "other"
	b.Cells = append(b.Cells, a.Cells[0])
	_, err = Merge(first, second)
	for _, want := range []string{`out/b is of another matrix.yaml (digest "other") than out/a ("d")`, "cell mysql-9.7/migration/gh-ost@v1.1.10 is in out/a and in out/b"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	if _, err := Merge(); err == nil {
		t.Error("merged nothing")
	}
}

func TestVerdictText(t *testing.T) {
	marks := map[bool][]string{}
	for _, v := range Verdicts() {
		text, err := v.MarshalText()
		var back Verdict
		if err != nil || back.UnmarshalText(text) != nil || back != v {
			t.Errorf("%v: written as %q (%v), read as %v", v, text, err, back)
		}
		for _, ascii := range []bool{true, false} {
			m := v.Mark(ascii)
			if textWidth(m) != 1 || slices.Contains(marks[ascii], m) || ascii && m[0] >= 0x80 {
				t.Errorf("%v's mark %q is not one column of its own", v, m)
			}
			marks[ascii] = append(marks[ascii], m)
		}
	}
	for i, v := range Verdicts()[1:] {
		if before := Verdicts()[i]; Worst(v, before) != before || Worst(before, v) != before {
			t.Errorf("%v does not hide %v", before, v)
		}
	}
	if _, err := ParseVerdict(""); err == nil {
		t.Error("read an empty verdict")
	}
	if _, err := VerdictUnknown.MarshalText(); err == nil {
		t.Error("wrote an unknown verdict")
	}
	if Verdict(200).Valid() || Verdict(200).Bad() || Verdict(200).Mark(true) != "?" || Worst() != VerdictUnknown {
		t.Error("a verdict out of range is taken for one")
	}
}
