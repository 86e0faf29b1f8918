package report

import (
	"bytes"
	"encoding/json"
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

// versioned is a run of one cell with a spec for each verdict, each of which took as long as seconds says.
func versioned(tool string, verdicts []Verdict, seconds func(i int) float64) *Run {
	c := Cell{ID: CellID{Entry: "mariadb-10.11", Suite: "migration", Tool: tool}, Outcome: Outcome{State: StateFinished}}
	for i, v := range verdicts {
		c.Specs = append(c.Specs, Spec{Text: "spec " + string(rune('a'+i)), Outcome: Outcome{State: StateFinished, Verdict: v, Seconds: Seconds(seconds(i)), Error: v.String()}})
		c.Verdict = Worst(c.Verdict, v)
	}
	c.Total = len(c.Specs)
	return &Run{Version: Version, Status: RunComplete, Cells: []Cell{c}}
}

func TestCompare(t *testing.T) {
	const P, F, K, X, V, L, U = VerdictPassed, VerdictFailed, VerdictKnown, VerdictFixed, VerdictVacuous, VerdictFlaky, VerdictUnsupported
	same := func(int) float64 { return 3 }
	for _, c := range []struct {
		old, new              []Verdict
		failing, fixed, other int
		regressed             bool
	}{
		{[]Verdict{P, P}, []Verdict{P, F}, 1, 0, 0, true},
		{[]Verdict{P, P}, []Verdict{P, K}, 1, 0, 0, true}, // declared, and yet it worked before
		{[]Verdict{F, K}, []Verdict{P, X}, 0, 2, 0, false},
		{[]Verdict{F, K}, []Verdict{K, F}, 0, 0, 0, false}, // broken before, broken now
		{[]Verdict{P, P}, []Verdict{V, L}, 0, 0, 2, false},
		{[]Verdict{U, P}, []Verdict{F, P}, 1, 0, 0, false}, // it never worked there
		{[]Verdict{P}, []Verdict{P, F}, 1, 0, 0, false},    // a new spec
		{[]Verdict{P, P}, []Verdict{P, P}, 0, 0, 0, false},
	} {
		// Two versions of one tool are compared with each other.
		d := Compare(versioned("gh-ost@v1", c.old, same), versioned("gh-ost@v2", c.new, same))
		if len(d.Failing) != c.failing || len(d.Fixed) != c.fixed || len(d.Other) != c.other || d.Regressed() != c.regressed || len(d.New)+len(d.Gone) != 0 {
			t.Errorf("%v to %v: %+v", c.old, c.new, d)
		}
		if len(d.Tools) != 1 || d.Tools[0] != (ToolChange{"gh-ost@v1", "gh-ost@v2"}) {
			t.Errorf("compared %v", d.Tools)
		}
		var b bytes.Buffer
		if err := WriteDiff(&b, d, Options{}); err != nil || b.Len() == 0 {
			t.Errorf("%v, %d bytes", err, b.Len())
		}
		if text, err := json.Marshal(d); err != nil || !strings.Contains(string(text), `"failing":`) {
			t.Errorf("%s, %v", text, err)
		}
	}
	// Two tools are never taken for two versions.
	d := Compare(versioned("gh-ost@v1", []Verdict{P}, same), versioned("pt@1", []Verdict{F}, same))
	if len(d.New) != 1 || len(d.Gone) != 1 || d.Regressed() || !d.NewIDs()[FailureID(d.New[0], "spec a")] {
		t.Errorf("got %+v", d)
	}
}

func TestSlowerBeyondNoise(t *testing.T) {
	verdicts := make([]Verdict, 12)
	for i := range verdicts {
		verdicts[i] = VerdictPassed
	}
	slower := func(seconds func(i int) float64) []Slowdown {
		return Compare(versioned("t@1", verdicts, func(i int) float64 { return 2 + float64(i) }), versioned("t@1", verdicts, seconds)).Slower
	}
	if got := slower(func(i int) float64 { return 3 * (2 + float64(i)) }); len(got) != 0 {
		t.Errorf("a slower machine is taken for slower specs: %v", got)
	}
	noisy := func(i int) float64 { return (2 + float64(i)) * []float64{0.8, 1, 1.3}[i%3] }
	if got := slower(noisy); len(got) != 0 {
		t.Errorf("noise is taken for slower specs: %v", got)
	}
	got := slower(func(i int) float64 {
		if i == 5 {
			return 4 * (2 + float64(i))
		}
		return noisy(i)
	})
	if len(got) != 1 || got[0].Spec != "spec f" {
		t.Errorf("the one that is slower is not found: %v", got)
	}
	stat := func(unit string, v ...float64) Statistic {
		return Statistic{Unit: unit, N: len(v), Median: v[len(v)/2], Min: v[0], Max: v[len(v)-1]}
	}
	for _, c := range []struct {
		old, new Statistic
		want     bool
	}{
		{stat("ms", 10, 11, 12), stat("ms", 20, 22, 30), true},
		{stat("ms", 10, 11, 25), stat("ms", 20, 22, 30), false}, // they overlap
		{stat("ms", 20, 22, 30), stat("ms", 10, 11, 12), false}, // faster
		{stat("ms", 10), stat("ms", 15), false},                 // too few for so little
		{stat("ms", 10), stat("ms", 25), true},
		{stat("rows/s", 1000, 1100, 1200), stat("rows/s", 500, 600, 700), true},
		{stat("rows/s", 500, 600, 700), stat("rows/s", 1000, 1100, 1200), false},
		{stat("", 0, 0, 0), stat("", 5, 5, 5), false}, // a count
	} {
		if worse(c.old, c.new) != c.want {
			t.Errorf("%+v to %+v: want %v", c.old, c.new, c.want)
		}
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
