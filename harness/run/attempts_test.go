package run

import (
	"fmt"
	"strings"
	"testing"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/report"
)

func TestNextAttempts(t *testing.T) {
	const P, F, K, U, X, E, V = report.VerdictPassed, report.VerdictFailed, report.VerdictKnown, report.VerdictUnsupported, report.VerdictFixed, report.VerdictErrored, report.VerdictVacuous
	all := []cell.Spec{{Text: "a"}, {Text: "b"}, {Text: "c"}}
	for _, c := range []struct {
		attempts Attempts
		n        int
		specs    string // of the round before
		verdicts []report.Verdict
		failed   bool
		want     string
	}{
		{Attempts{}, 2, "abc", []report.Verdict{F, P, P}, true, ""},
		{Attempts{Retries: 1}, 2, "abc", []report.Verdict{F, P, E}, true, "ac"},
		{Attempts{Retries: 1}, 3, "ac", []report.Verdict{F, E}, true, ""},
		{Attempts{Retries: 2}, 3, "ac", []report.Verdict{F, E}, true, "ac"}, // one of the cell had passed
		{Attempts{Retries: 2}, 3, "ac", []report.Verdict{P, E}, true, "c"},
		{Attempts{Retries: 5}, 2, "abc", []report.Verdict{F, F, F}, true, ""}, // the whole cell is broken
		{Attempts{Retries: 5}, 2, "abc", []report.Verdict{F, F, U}, true, ""}, // and here, since nothing passed
		{Attempts{Retries: 5}, 2, "ab", []report.Verdict{F, K}, true, ""},
		{Attempts{Retries: 5}, 2, "ab", []report.Verdict{E, V}, true, ""},
		{Attempts{Retries: 5}, 2, "abc", []report.Verdict{F, K, P}, true, "a"},
		{Attempts{Retries: 5}, 2, "ab", []report.Verdict{F, X}, true, "a"},
		{Attempts{Retries: 5}, 2, "a", []report.Verdict{F}, true, "a"},        // one spec is no cell
		{Attempts{Retries: 5}, 2, "abc", []report.Verdict{K, U, X}, true, ""}, // as declared, or nothing that another attempt could change
		{Attempts{Repeat: 3}, 2, "abc", []report.Verdict{F, F, F}, true, "abc"},
		{Attempts{Repeat: 3}, 3, "abc", []report.Verdict{P, P, P}, false, "abc"},
		{Attempts{Repeat: 3}, 4, "abc", []report.Verdict{P, F, P}, true, ""},
		{Attempts{UntilFailure: true}, 99, "abc", []report.Verdict{P, P, P}, false, "abc"},
		{Attempts{UntilFailure: true}, 2, "abc", []report.Verdict{P, U, K}, false, "ac"},
		{Attempts{UntilFailure: true}, 2, "abc", []report.Verdict{U, U, U}, false, ""}, // or it would never end
		{Attempts{UntilFailure: true}, 2, "abc", []report.Verdict{P, P, P}, true, ""},  // in another cell
	} {
		var before []cell.Spec
		for _, text := range strings.Split(c.specs, "") {
			before = append(before, cell.Spec{Text: text})
		}
		got := ""
		for _, s := range c.attempts.next(c.n, all, before, c.verdicts, c.failed) {
			got += s.Text
		}
		if got != c.want {
			t.Errorf("%+v, round %d after %v of %s: %q, want %q", c.attempts, c.n, c.verdicts, c.specs, got, c.want)
		}
	}
}

func TestAttemptsValidate(t *testing.T) {
	for a, ok := range map[Attempts]bool{{}: true, {Repeat: 3}: true, {Repeat: 1, Retries: 2}: true, {Repeat: 2, Retries: 1}: false,
		{Retries: 1, UntilFailure: true}: false, {Retries: -1}: false} {
		if err := a.Validate(); (err == nil) != ok {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// Two specs whose names begin alike have evidence of their own, and so has every attempt.
func TestEvidenceFolders(t *testing.T) {
	long := strings.Repeat("a long name of a spec, ", 8)
	seen := map[string]bool{}
	for _, spec := range []string{long + "one", long + "two", "a/b", "a_b", "a:b"} {
		for _, attempt := range []int{1, 2, 3} {
			dir := specFolder(spec, attempt)
			if seen[dir] || len(dir) > 120 || strings.ContainsAny(dir, `/\:*?"<>| `) {
				t.Errorf("%s, attempt %d: %s", spec, attempt, dir)
			}
			seen[dir] = true
		}
	}
	if fmt.Sprint(specFolder("plain", 1)) != "plain" {
		t.Errorf("a plain name becomes %s", specFolder("plain", 1))
	}
}
