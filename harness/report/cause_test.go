package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestCauseOf(t *testing.T) {
	for text, want := range map[string]string{
		"gh-ost --conf=x: exit status 1\n2026-11-25 02:27:54 INFO starting\n2026-11-25 02:27:54 FATAL Error 1193 (HY000): Unknown system variable 'transaction_isolation'\nat x_test.go:143": "Unknown system variable 'transaction_isolation'",
		"ERROR 1064 (42000) at line 3: You have an error in your SQL syntax":                                      "You have an error in your SQL syntax",
		"DBD::mysql::db do failed: Table 'shop.t' doesn't exist [for Statement \"ALTER\"] at /usr/bin/pt line 9.": "Table 'shop.t' doesn't exist",
		"error 2061: RSA Encryption not supported":                                                                "RSA Encryption not supported",
		"2026-11-25 02:27:54 ERROR no binary logs":                                                                "ERROR no binary logs",
		"Expected\n    1\nto equal\n    2":                                                                        "Expected 1 to equal 2",
		"it was removed\nExpected success, but got an error:\n    <*pool.LeftoverError | 0xc000123>: \n    node primary: file left.txt is left": "it was removed Expected success, but got an error: <*pool.LeftoverError | 0xc000123>: node primary: file left.txt is left",
		"": "",
	} {
		if got := causeOf(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Errors that differ in paths and numbers have one cause; verdicts, words, and errors that nobody has said do not.
func TestCauses(t *testing.T) {
	events := []Event{{Time: at0, Type: EventRunStarted, Plan: []CellID{cellA, cellB}}}
	add := func(cell CellID, verdict Verdict, errors ...string) {
		events = append(events, Event{Time: at0, Type: EventCellStarted, Cell: cell, Total: len(errors)})
		for i, text := range errors {
			events = append(events, Event{Time: at0, Type: EventSpecFinished, Cell: cell, Spec: fmt.Sprintf("%s %d", verdict, i), Verdict: verdict, Error: text})
		}
		events = append(events, Event{Time: at0, Type: EventCellFinished, Cell: cell})
	}
	add(cellA, VerdictFailed, "tool on port 3306: exit status 1", "tool on port 4711: exit status 1", "no row", "/tmp/a/b: exit status 2", "/x/y: exit status 3", "", "")
	add(cellB, VerdictErrored, "tool on port 1: exit status 1", "no row", "no row")
	run := Fold(append(events, Event{Time: at0, Type: EventRunFinished}))
	var got []string
	for _, c := range Causes(run) {
		got = append(got, c.Verdict.String()+" "+c.Size()+": "+c.Text)
	}
	want := "failed 2 specs in 1 cell: tool on port 3306: exit status 1\nfailed 2 specs in 1 cell: /tmp/a/b: exit status 2\nerrored 2 specs in 1 cell: no row"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
}

// A plain log of many failures of one cause says it once.
func TestManyFailuresOfOneCause(t *testing.T) {
	run := big(82, 0)
	for i := range run.Cells[0].Specs {
		run.Cells[0].Specs[i].Error = fmt.Sprintf("2026-11-25 02:27:%02d FATAL Error 1193 (HY000): Unknown system variable 'transaction_isolation'", i%60)
	}
	var final, md bytes.Buffer
	if err := WriteFinal(&final, run, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := WriteMarkdown(&md, run, Options{}, 0); err != nil {
		t.Fatal(err)
	}
	if text := final.String(); strings.Count(text, "transaction_isolation") != 2 || !strings.Contains(text, "82 specs in 1 cell: Unknown system variable 'transaction_isolation'") ||
		strings.Count(text, "likewise") != othersShown || !strings.Contains(text, "and 71 more: run.json has them") {
		t.Errorf("%s", text)
	}
	if text := md.String(); strings.Count(text, "transaction_isolation") != 2 || strings.Count(text, "likewise") != 81 {
		t.Errorf("%s", text)
	}
}
