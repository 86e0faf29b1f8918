package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
)

// own is a workflow command that an annotation may be: with a title, in which nothing ends it.
var own = regexp.MustCompile(`^::(error|warning) title=[^:,\r\n]+::[^\r\n]*\n$`)

// Whatever servers and tools write, no view lets it act: on a terminal, in XML, or as a command to a CI service,
// which is a line that begins with "::" after blanks (GitHub's workflow commands).
func TestViewsAreHarmless(t *testing.T) {
	each(t, func(t *testing.T, _ string, events []Event, run *Run) {
		views := map[string]func(io.Writer) error{
			"final":       func(w io.Writer) error { return WriteFinal(w, run, Options{}) },
			"narrow":      func(w io.Writer) error { return WriteFinal(w, run, Options{Width: 30, ASCII: true}) },
			"junit":       func(w io.Writer) error { return WriteJUnit(w, run) },
			"markdown":    func(w io.Writer) error { return WriteMarkdown(w, run, Options{}, 0) },
			"annotations": func(w io.Writer) error { return WriteAnnotations(w, run) },
			"plain": func(w io.Writer) error {
				var agg Aggregate
				v := NewPlain(w, &agg, Options{})
				for _, e := range events {
					if err := tell(&agg, v, e); err != nil {
						return err
					}
				}
				return nil
			},
		}
		for name, view := range views {
			var b bytes.Buffer
			if err := view(&b); err != nil {
				t.Fatal(err)
			}
			if bad := unsafe(b.String()); bad != "" {
				t.Errorf("%s has %s:\n%q", name, bad, b.String())
			}
			for text := range strings.Lines(b.String()) {
				switch name {
				case "junit", "markdown": // files are not read for commands, the streams are
				case "annotations":
					if !own.MatchString(text) {
						t.Errorf("%s has a line that is none of its own commands: %q", name, text)
					}
				default:
					if strings.HasPrefix(strings.TrimSpace(text), "::") {
						t.Errorf("%s has a line that commands: %q", name, text)
					}
				}
			}
			if err := view(failing{}); err == nil || !strings.Contains(err.Error(), "disk gone") {
				t.Errorf("%s on a full disk: %v", name, err)
			}
		}
	})
}

func TestJUnitIsXMLAndAddsUp(t *testing.T) {
	each(t, func(t *testing.T, _ string, _ []Event, run *Run) {
		var b bytes.Buffer
		if err := WriteJUnit(&b, run); err != nil {
			t.Fatal(err)
		}
		var got xmlSuites
		if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Suites) != len(run.Cells) {
			t.Errorf("%d testsuites for %d cells", len(got.Suites), len(run.Cells))
		}
		tests, failures, problems, skipped := 0, 0, 0, 0
		for i, s := range got.Suites {
			c := run.Cells[i]
			for _, tc := range s.Cases {
				tests++
				switch {
				case tc.Failure != nil:
					failures++
				case tc.Error != nil:
					problems++
				case tc.Skipped != nil:
					skipped++
				}
			}
			if len(s.Cases) == 0 {
				t.Errorf("%s has no testcase", c.ID)
			}
			if red := s.Failures+s.Errors > 0; red != c.Verdict.Bad() {
				t.Errorf("%s is %s, and its testsuite has %d failures and %d errors", c.ID, c.Verdict, s.Failures, s.Errors)
			}
		}
		if tests != got.Tests || failures != got.Failures || problems != got.Errors || skipped != got.Skipped {
			t.Errorf("the totals %d, %d, %d, %d are not those of the testcases: %d, %d, %d, %d",
				got.Tests, got.Failures, got.Errors, got.Skipped, tests, failures, problems, skipped)
		}
	})
}

// big is a run of many failures, each with a long error of its own.
func big(failures, length int) *Run {
	events := []Event{{Time: at0, Type: EventCellStarted, Cell: cellA, Total: failures}}
	for i := range failures {
		events = append(events, Event{Time: at0, Type: EventSpecFinished, Cell: cellA, Spec: fmt.Sprintf("spec %d", i), Verdict: VerdictFailed,
			Error: strings.Repeat("e", length) + words(i), Measurements: []Measurement{{Name: "m", Value: 1}}})
	}
	return Fold(append(events, Event{Time: at0, Type: EventCellFinished, Cell: cellA}, Event{Time: at0, Type: EventRunFinished}))
}

// words is a number in letters: errors that differ in numbers alone have one cause.
func words(n int) string {
	return strings.Map(func(r rune) rune { return r - '0' + 'k' }, fmt.Sprint(n))
}

func TestMarkdownLimit(t *testing.T) {
	for _, c := range []struct {
		run   *Run
		limit int
		want  string
	}{
		{big(4_000, 300), 0, "a summary may have 1048576 bytes; left out are "},
		{big(20, 300), 3000, "a summary may have 3000 bytes; left out are "},
		{big(20, 300), 1, "left out are 1 summary line, 1 table, 1 totals line, 20 failures, 1 measurement. run.json has everything."},
		{big(20, 300), 0, ""},
	} {
		var b bytes.Buffer
		if err := WriteMarkdown(&b, c.run, Options{}, c.limit); err != nil {
			t.Fatal(err)
		}
		limit := c.limit
		if limit == 0 {
			limit = MarkdownLimit
		}
		// The notice itself is written whatever the limit.
		if b.Len() > max(limit, cutNotice) {
			t.Errorf("%d bytes, more than %d", b.Len(), limit)
		}
		shown := strings.Count(b.String(), "**✗ failed**")
		if cut := strings.Contains(b.String(), "**Cut:**"); cut != (c.want != "") || !strings.Contains(b.String(), c.want) {
			t.Errorf("limit %d: cut %v, want %q in\n%.300s", c.limit, cut, c.want, b.String())
		} else if all := len(c.run.Cells[0].Specs); cut && !strings.Contains(b.String(), plural(all-shown, "failure")) {
			t.Errorf("limit %d: %d of %d failures are shown, and the notice says otherwise:\n%s", c.limit, shown, all, b.String()[b.Len()-200:])
		}
	}
}

// What stands after a cut is cut, too: a summary shows the first failures, never a choice that only size made.
func TestMarkdownCutsTheEnd(t *testing.T) {
	run := big(9, 10)
	run.Cells[0].Specs[4].Error = strings.Repeat(strings.Repeat("e", 390)+"\n", 30)
	var b bytes.Buffer
	if err := WriteMarkdown(&b, run, Options{}, 8000); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "spec 3`") || strings.Contains(got, "spec 5`") || !strings.Contains(got, "left out are 5 failures.") {
		t.Errorf("want specs 0 to 3, and 5 failures cut:\n%s", got)
	}
}

func TestPlainIsNeverSilentForLong(t *testing.T) {
	var b strings.Builder
	var agg Aggregate
	v := NewPlain(&b, &agg, Options{})
	for _, err := range []error{
		v.Tick(at0), // nothing has begun
		tell(&agg, v, Event{Time: at0, Type: EventRunStarted, Plan: []CellID{cellA, cellB}}),
		tell(&agg, v, Event{Time: at0, Type: EventCellStarted, Cell: cellA, Total: 4}),
		v.Tick(at0.Add(59 * time.Second)),
		v.Tick(at0.Add(61 * time.Second)),
		v.Tick(at0.Add(62 * time.Second)),
		tell(&agg, v, Event{Time: at0.Add(63 * time.Second), Type: EventRunFinished, Status: RunInterrupted}),
		v.Tick(at0.Add(10 * time.Minute)),
		v.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := `[  0.0s] run started: 2 entries, 2 cells
[  0.0s] mysql-9.7/migration/gh-ost@v1.1.10: started, 4 specs
[ 1m01s] 0/2 cells · 0 of about 8 specs · elapsed 1m01s · running: mysql-9.7/migration/gh-ost@v1.1.10 0/4
[ 1m03s] run interrupted:
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestEmptyRun(t *testing.T) {
	run := Fold(nil)
	if err := errors.Join(WriteFinal(io.Discard, run, Options{}), WriteJUnit(io.Discard, run), WriteMarkdown(io.Discard, run, Options{}, 0)); err != nil {
		t.Error(err)
	}
}

// A tool may print one line of megabytes: a JUnit file carries the beginning of it, and says how much is left out.
func TestJUnitIsBounded(t *testing.T) {
	events := []Event{{Time: at0, Type: EventRunStarted, Plan: []CellID{cellA}}, {Time: at0, Type: EventCellStarted, Cell: cellA, Total: 1},
		{Time: at0, Type: EventSpecFinished, Cell: cellA, Spec: "x", Verdict: VerdictFailed, Error: strings.Repeat("é", 4<<20)},
		{Time: at0, Type: EventCellFinished, Cell: cellA}, {Time: at0, Type: EventRunFinished}}
	var b bytes.Buffer
	if err := WriteJUnit(&b, Fold(events)); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 2*junitBytes || !strings.Contains(b.String(), "bytes more are in run.json") {
		t.Errorf("the file has %d bytes", b.Len())
	}
}
