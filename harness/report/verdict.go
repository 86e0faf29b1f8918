package report

import "fmt"

// Verdict says how a spec or a cell ended. Only a suite says Failed; whatever goes wrong around it is Errored.
type Verdict uint8

const (
	VerdictUnknown      Verdict = iota // not ended, or not said; never written
	VerdictPassed                      // did what it should
	VerdictFailed                      // the subject under test did something wrong
	VerdictKnown                       // failed as declared
	VerdictFixed                       // declared to fail, but passed: counts as a failure, so that declarations stay true
	VerdictUnsupported                 // the server lacks a capability that the spec needs
	VerdictUnavailable                 // the entry's binaries could not be obtained; said by the runner of a cell, never of a spec
	VerdictErrored                     // the harness or the host failed, not the subject
	VerdictTimedOut                    // ran past its limit and was stopped
	VerdictVacuous                     // passed, and proved nothing: what it set out to do did not happen
	VerdictFlaky                       // of several attempts some passed and some did not; never counted as passed
	VerdictFixedByBuild                // passed with a build of the user's own, though its baseline is declared to fail: good news
)

// verdicts is the one place where a verdict's words, marks, severity and colour are written down.
// A higher severity hides a lower one when a cell is folded from its specs.
var verdicts = [...]struct {
	text     string
	mark     string
	ascii    string
	severity int
	style    style
}{
	VerdictUnknown:      {"", "·", ".", 0, styleDim},
	VerdictUnavailable:  {"unavailable", "○", "o", 1, styleDim},
	VerdictUnsupported:  {"unsupported", "–", "-", 2, styleDim},
	VerdictPassed:       {"passed", "✓", "+", 3, styleGreen},
	VerdictFixedByBuild: {"fixed-by-build", "▲", "^", 4, styleGreen},
	VerdictVacuous:      {"vacuous", "∅", "0", 5, styleYellow},
	VerdictKnown:        {"known", "~", "~", 6, styleYellow},
	VerdictFlaky:        {"flaky", "±", "*", 7, styleYellow},
	VerdictFixed:        {"fixed", "!", "!", 8, styleRed},
	VerdictFailed:       {"failed", "✗", "x", 9, styleRed},
	VerdictTimedOut:     {"timed-out", "T", "T", 10, styleRed},
	VerdictErrored:      {"errored", "E", "E", 11, styleRed},
}

// Verdicts lists every valid verdict, the most severe first.
func Verdicts() []Verdict {
	return []Verdict{VerdictErrored, VerdictTimedOut, VerdictFailed, VerdictFixed, VerdictFlaky, VerdictKnown,
		VerdictVacuous, VerdictFixedByBuild, VerdictPassed, VerdictUnsupported, VerdictUnavailable}
}

// String is the verdict's word in every view and file; VerdictUnknown's is "unknown".
func (v Verdict) String() string {
	if v == VerdictUnknown {
		return "unknown"
	}
	if int(v) >= len(verdicts) {
		return fmt.Sprintf("verdict(%d)", uint8(v))
	}
	return verdicts[v].text
}

// Valid reports whether v is one of Verdicts.
func (v Verdict) Valid() bool { return v != VerdictUnknown && int(v) < len(verdicts) }

// ParseVerdict reads what String writes.
func ParseVerdict(s string) (Verdict, error) {
	for v, row := range verdicts {
		if row.text == s && s != "" {
			return Verdict(v), nil
		}
	}
	return VerdictUnknown, fmt.Errorf("verdict %q: want one of %v", s, Verdicts())
}

// MarshalText is String; it refuses VerdictUnknown.
func (v Verdict) MarshalText() ([]byte, error) {
	if !v.Valid() {
		return nil, fmt.Errorf("verdict %d cannot be written", uint8(v))
	}
	return []byte(verdicts[v].text), nil
}

// UnmarshalText is ParseVerdict.
func (v *Verdict) UnmarshalText(text []byte) error {
	got, err := ParseVerdict(string(text))
	if err != nil {
		return err
	}
	*v = got
	return nil
}

// Mark is the one-column sign of the verdict in a table; with ascii, one that every terminal and font has.
// Every verdict's mark differs, so that nothing hangs on colour.
func (v Verdict) Mark(ascii bool) string {
	if int(v) >= len(verdicts) {
		return "?"
	}
	if ascii {
		return verdicts[v].ascii
	}
	return verdicts[v].mark
}

// Bad reports whether the verdict needs somebody's attention: failed, fixed, timed-out or errored.
func (v Verdict) Bad() bool { return v.severity() >= VerdictFixed.severity() }

func (v Verdict) severity() int {
	if int(v) >= len(verdicts) {
		return 0
	}
	return verdicts[v].severity
}

// Worst folds verdicts into one: the most severe of them, so that errored > timed-out > failed > fixed > flaky >
// known > vacuous > fixed-by-build > passed > unsupported > unavailable. A set is therefore unsupported only when nothing in it ran. Without verdicts
// it is VerdictUnknown.
func Worst(vs ...Verdict) Verdict {
	worst := VerdictUnknown
	for _, v := range vs {
		if v.severity() > worst.severity() {
			worst = v
		}
	}
	return worst
}
