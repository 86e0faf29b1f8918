package localtests

import (
	"regexp"
	"strconv"
	"strings"

	"mysqlmatrix/harness/proc"
)

// Verdict is what upstream's script says of a folder.
type Verdict uint8

// The verdicts. The zero value is a folder that the script began and did not judge.
const (
	Unknown Verdict = iota
	Passed
	Failed
	// Skipped is a folder that the script left out. It counts it as passed itself.
	Skipped
)

// String is the verdict as a word.
func (v Verdict) String() string {
	switch v {
	case Passed:
		return "passed"
	case Failed:
		return "failed"
	case Skipped:
		return "skipped"
	default:
		return "not judged"
	}
}

func (v Verdict) judged() bool { return v != Unknown }

// Outcome is the script's verdict on one folder.
type Outcome struct {
	Name    string
	Verdict Verdict
}

var (
	// scriptBegins is the line on which the script names a folder; dots follow as it gets on, and what the
	// client and gh-ost print on standard error.
	scriptBegins = regexp.MustCompile(`^(Testing|Skipping): ([^.\s]+)`)
	scriptJudges = regexp.MustCompile(`^\+ (pass|FAIL)\b`)
	// scriptSkips is what the script prints on the line of the sysbench folder when it finds no sysbench.
	scriptSkips   = regexp.MustCompile(`^Testing: sysbench\.*skipping`)
	scriptTimeout = regexp.MustCompile(`(?m)^test_timeout=(\d+)$`)
)

// parseOutcomes reads the script's output.
func parseOutcomes(output string) []Outcome {
	var list []Outcome
	skipped := false
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		if m := scriptBegins.FindStringSubmatch(line); m != nil {
			list = append(list, Outcome{Name: m[2]})
			skipped = m[1] == "Skipping" || scriptSkips.MatchString(line)
		}
		m := scriptJudges.FindStringSubmatch(line)
		if m == nil || len(list) == 0 {
			continue
		}
		last := &list[len(list)-1]
		switch {
		case m[1] == "FAIL":
			last.Verdict = Failed
		case skipped:
			last.Verdict = Skipped
		default:
			last.Verdict = Passed
		}
	}
	return list
}

// Verdict is the script's on a folder.
func (r *Result) Verdict(folder string) Verdict {
	for _, o := range r.Outcomes {
		if o.Name == folder {
			return o.Verdict
		}
	}
	return Unknown
}

// appliedInOne is what gh-ost logs with --debug, which upstream's script always passes, for every transaction
// in which it has applied events (ApplyDMLEventQueries in its go/logic/applier.go). Its status lines say less:
// the last of them may come before the last events.
var appliedInOne = regexp.MustCompile(`applied (\d+) events in one transaction`)

// countApplied is how many DML events gh-ost has applied, over all its runs in a log.
func countApplied(log string) (n int64) {
	for _, m := range appliedInOne.FindAllStringSubmatch(log, -1) {
		n += parseCount(m[1])
	}
	return n
}

const (
	outputTail  = 30 // lines
	reasonLines = 20
	logTail     = 10
)

// troubled are the lines that tell why something failed: the script's, the client's, gh-ost's, and the
// differing rows of diff(1).
var troubled = regexp.MustCompile(`(?m)^(?:.*\b(?:ERROR|FATAL)\b|[<>] ).*$`)

var debugging = regexp.MustCompile(`(?m)^.* DEBUG .*\n?`)

// Complaint is why the script fails a folder: the lines that tell of trouble, in what the script printed and
// in gh-ost's log, and where that log ends.
func (r *Result) Complaint() string {
	var lines []string
	seen := map[string]bool{}
	for _, text := range []string{r.Output, r.Log} {
		found := troubled.FindAllString(text, -1)
		for _, line := range found[:min(len(found), reasonLines)] {
			if !seen[line] {
				lines, seen[line] = append(lines, line), true
			}
		}
	}
	text := "upstream's script fails it"
	if r.Stopped != nil {
		text = r.Stopped.Error()
	}
	if len(lines) > 0 {
		text += ":\n" + strings.Join(lines, "\n")
	} else {
		text += ":\n" + proc.Tail(r.Output, logTail)
	}
	// The script has gh-ost log what it does many times a second, which would hide what it waits for.
	if log := debugging.ReplaceAllString(r.Log, ""); strings.TrimSpace(log) != "" {
		text += "\ngh-ost's log ends:\n" + proc.Tail(log, logTail)
	}
	return text
}

// parseCount reads digits; -1 for a number too large to be true.
func parseCount(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
