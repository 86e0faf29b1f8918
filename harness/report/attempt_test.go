package report

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// tried is a complete run of one spec that ended as the verdicts say, one attempt after the other.
func tried(verdicts ...Verdict) *Run {
	events := []Event{{Time: at0, Type: EventCellStarted, Cell: cellA, Total: 1}}
	for i, v := range verdicts {
		at := at0.Add(time.Duration(i) * time.Second)
		e := Event{Time: at, Type: EventSpecFinished, Cell: cellA, Spec: "x", Verdict: v, Seconds: 2, Measurements: []Measurement{{Name: "m", Value: float64(i)}}}
		if v.Broken() {
			e.Error, e.Evidence = v.String()+" in attempt", "evidence/"+v.String()
		}
		started := Event{Time: at, Type: EventSpecStarted, Cell: cellA, Spec: "x"}
		if i > 0 {
			e.Attempt, started.Attempt = i+1, i+1
		}
		events = append(events, started, e)
	}
	return Fold(append(events, Event{Time: at0, Type: EventCellFinished, Cell: cellA}, Event{Time: at0, Type: EventRunFinished}))
}

func TestAttempts(t *testing.T) {
	const P, F, K, X, V, E, U, T = VerdictPassed, VerdictFailed, VerdictKnown, VerdictFixed, VerdictVacuous, VerdictErrored, VerdictUnsupported, VerdictTimedOut
	for _, c := range []struct {
		attempts []Verdict
		want     Verdict
		err      string
	}{
		{[]Verdict{F, P}, VerdictFlaky, "failed in attempt"},
		{[]Verdict{P, P, F}, VerdictFlaky, "failed in attempt"},
		{[]Verdict{F, T, P}, VerdictFlaky, "timed-out in attempt"},
		{[]Verdict{E, P}, VerdictFlaky, "errored in attempt"},
		{[]Verdict{K, X}, VerdictFlaky, "known in attempt"},
		{[]Verdict{F, V}, VerdictFlaky, "failed in attempt"},
		{[]Verdict{P, P}, P, ""},
		{[]Verdict{P, V}, V, ""},
		{[]Verdict{F, F}, F, "failed in attempt"},
		{[]Verdict{F, E}, E, "errored in attempt"},
		{[]Verdict{U, U}, U, ""},
	} {
		run := tried(c.attempts...)
		s := run.Cells[0].Specs[0]
		if len(run.Cells[0].Specs) != 1 || s.Verdict != c.want || run.Cells[0].Verdict != c.want || len(s.Attempts) != len(c.attempts) {
			t.Errorf("%v: %v with %d attempts in a cell that is %v, want %v", c.attempts, s.Verdict, len(s.Attempts), run.Cells[0].Verdict, c.want)
		}
		for i, a := range s.Attempts {
			if a.Verdict != c.attempts[i] {
				t.Errorf("%v: attempt %d is %v", c.attempts, i+1, a.Verdict)
			}
		}
		if (s.Error == "") != (c.err == "") || !strings.HasPrefix(s.Error, c.err) || s.Seconds != Seconds(2*len(c.attempts)) || len(s.Measurements) != len(c.attempts) {
			t.Errorf("%v: error %q, %v s, %d measurements", c.attempts, s.Error, s.Seconds, len(s.Measurements))
		}
		if (s.Failure != "") != (c.want.Bad() || c.want == VerdictFlaky) {
			t.Errorf("%v: failure id %q", c.attempts, s.Failure)
		}
	}
}

// Flaky is never counted as passed, in no view, and fails a run only where that is asked for.
func TestFlakyIsNotPassed(t *testing.T) {
	run := tried(VerdictFailed, VerdictPassed)
	if ExitCode(run, ExitRules{}) != ExitOK || ExitCode(run, ExitRules{FlakyFails: true}) != ExitFailed {
		t.Errorf("exit codes %d and %d", ExitCode(run, ExitRules{}), ExitCode(run, ExitRules{FlakyFails: true}))
	}
	var final, junit, markdown, annotations bytes.Buffer
	for _, err := range []error{WriteFinal(&final, run, Options{}), WriteJUnit(&junit, run), WriteMarkdown(&markdown, run, Options{}, 0), WriteAnnotations(&annotations, run)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		final.String():       "passed 1 of 2 attempts: failed, passed",
		junit.String():       `<skipped message="flaky: passed 1 of 2 attempts`,
		markdown.String():    "**± flaky**",
		annotations.String(): "::warning title=mysql-9.7%3A 1 spec in 1 cell flaky::",
	} {
		if !strings.Contains(text, want) || strings.Contains(text, "1 passed") {
			t.Errorf("want %q, and nothing passed:\n%s", want, text)
		}
	}
}

// A run that ends in the middle of a second attempt has the first one's outcome, and no verdict.
func TestInterruptedAttempt(t *testing.T) {
	run := Fold([]Event{{Time: at0, Type: EventCellStarted, Cell: cellA, Total: 1},
		{Time: at0, Type: EventSpecFinished, Cell: cellA, Spec: "x", Verdict: VerdictFailed, Error: "e"},
		{Time: at0, Type: EventSpecStarted, Cell: cellA, Spec: "x", Attempt: 2}})
	s := run.Cells[0].Specs[0]
	if s.State != StateInterrupted || s.Verdict.Valid() || len(s.Attempts) != 1 || s.Attempts[0].Verdict != VerdictFailed {
		t.Errorf("got %+v", s)
	}
	var b bytes.Buffer
	if err := WriteJSON(&b, run); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRun(&b); err != nil {
		t.Error(err)
	}
}

// However much of a version is broken, it is one annotation; beyond what GitHub shows, versions share the last.
func TestAnnotationsAreGrouped(t *testing.T) {
	run := &Run{Status: RunComplete}
	for i := range 14 {
		entry := "mysql-" + string(rune('a'+i))
		for _, suite := range []string{"migration", "failover"} {
			c := Cell{ID: CellID{Entry: entry, Suite: suite}, Total: 2, Outcome: Outcome{State: StateFinished, Verdict: VerdictFailed}}
			for _, text := range []string{"one", "two: 100%\r\n::error::x"} {
				c.Specs = append(c.Specs, Spec{Text: text, Outcome: Outcome{State: StateFinished, Verdict: VerdictFailed, Error: "broken: 100%\n::error::x"}})
			}
			run.Cells = append(run.Cells, c)
		}
	}
	var b strings.Builder
	if err := WriteAnnotations(&b, run); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != annotationLimit {
		t.Errorf("%d annotations, want %d:\n%s", len(lines), annotationLimit, b.String())
	}
	for _, l := range lines {
		if !strings.HasPrefix(l, "::error title=") || strings.ContainsAny(l, "\r") {
			t.Errorf("no annotation: %q", l)
		}
	}
	if !strings.Contains(lines[0], "mysql-a%3A 4 specs in 2 cells failed") || !strings.Contains(lines[0], "broken: 100%25%0A::error::x") ||
		!strings.Contains(lines[9], "5 server versions more::mysql-j, mysql-k, mysql-l, mysql-m, mysql-n") {
		t.Errorf("got\n%s", b.String())
	}
}

// A version on which one spec failed and another is flaky is one error that says both.
func TestFailedAndFlakyIsOneAnnotation(t *testing.T) {
	same := func(int) float64 { return 1 }
	run := versioned("gh-ost@v1", []Verdict{VerdictFlaky, VerdictFailed, VerdictFailed}, same)
	flaky := versioned("pt@1", []Verdict{VerdictFlaky}, same).Cells[0]
	run.Cells = append(run.Cells, flaky)
	var b strings.Builder
	if err := WriteAnnotations(&b, run); err != nil {
		t.Fatal(err)
	}
	const title = "::error title=mariadb-10.11%3A 2 specs in 1 cell failed%2C 2 specs in 2 cells flaky::migration gh-ost@v1, migration pt@1%0Aspec b%0A"
	if got := b.String(); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, title) {
		t.Errorf("got\n%swant one line that begins with\n%s", got, title)
	}
}

func TestHistory(t *testing.T) {
	older, newer := versioned("t@1", []Verdict{VerdictPassed, VerdictPassed}, func(int) float64 { return 1 }), versioned("t@1", []Verdict{VerdictPassed, VerdictFailed}, func(int) float64 { return 1 })
	older.Started, newer.Started = at0, at0.Add(time.Hour)
	var b bytes.Buffer
	if err := WriteHistory(&b, []Part{{"second", newer}, {"first", older}, {"none", &Run{Started: at0.Add(time.Minute)}}}, Options{}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "█.▅  first 100, last 50, from 50 to 100") || strings.Index(got, "first  ") > strings.Index(got, "second  ") {
		t.Errorf("got\n%s", got)
	}
}
