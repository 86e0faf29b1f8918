package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Cause is an error that several findings of a run have in common.
type Cause struct {
	Text    string
	Verdict Verdict
	Specs   int
	Cells   []CellID
	found   []finding
}

// othersShown is how many findings of a cause are named beside the first, which is shown whole.
const othersShown = 10

// Causes are the errors that two or more of what needs a look have in common, in the order of each one's first.
func Causes(run *Run) []Cause {
	return slices.DeleteFunc(causes(findings(run, Verdict.Bad)), func(c Cause) bool { return len(c.found) < 2 })
}

// causes gathers findings by their verdict and error; one that shares its error with no other is a cause of its own, and so
// is one that is flaky, whose attempts say how.
func causes(found []finding) []Cause {
	type key struct {
		verdict Verdict
		error   string
	}
	at := map[key]int{}
	var all []Cause
	for _, f := range found {
		text := causeOf(f.why())
		k := key{f.Verdict, alike(text)}
		i, ok := at[k]
		if !ok || k.error == "" || f.Verdict == VerdictFlaky {
			i = len(all)
			at[k] = i
			all = append(all, Cause{Text: Gist(text), Verdict: f.Verdict})
		}
		c := &all[i]
		if f.spec != "" {
			c.Specs++
		}
		if !slices.Contains(c.Cells, f.cell.ID) {
			c.Cells = append(c.Cells, f.cell.ID)
		}
		c.found = append(c.found, f)
	}
	return all
}

// Size is "82 specs in 3 cells", or the cells alone where no spec ran.
func (c Cause) Size() string { return size{c.Specs, c.Cells}.String() }

// Names lists the cells on one line.
func (c Cause) Names() string { return group{cells: c.Cells}.names() }

// others are those beside the first that are named, and what to say of those that are not.
func (c Cause) others() (named []finding, rest string) {
	named = c.found[1:]
	if more := len(named) - othersShown; more > 0 {
		return named[:othersShown], fmt.Sprintf("and %d more: run.json has them", more)
	}
	return named, ""
}

var (
	// serverError is how clients, drivers and tools write what a server said: "Error 1193 (HY000): Unknown …".
	serverError = regexp.MustCompile(`(?i)\berror:? \d{4}(?: \([0-9A-Z]{5}\))?(?: at line \d+)?: (.+)`)
	// driverError is Perl's DBI: "DBD::mysql::db do failed: Unknown … [for Statement …] at …".
	driverError = regexp.MustCompile(`DBD::\S+ \S+ failed: (.+?)(?: \[for Statement.*)?$`)
	stamp       = regexp.MustCompile(`^\[?\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d\S*\s*`)
)

// causeOf is the part of an error that is the same wherever it strikes: the last thing that a server said, else the line
// in which a program complains, else all of it.
func causeOf(text string) string {
	text = Neutral(text)
	said, complained := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		for _, pattern := range []*regexp.Regexp{serverError, driverError} {
			if m := pattern.FindStringSubmatch(line); m != nil {
				said = m[1]
			}
		}
		if complains(line) {
			complained = line
		}
	}
	return OneLine(cmp.Or(said, stamp.ReplaceAllString(complained, ""), text))
}

var varying = regexp.MustCompile(`(?:/[^\s:'"` + "`" + `]+)+|0x[0-9a-fA-F]+|\d+(?:\.\d+)?`)

// alike is an error without what differs from run to run: paths, numbers, addresses.
func alike(text string) string { return varying.ReplaceAllString(text, "#") }
