package matrix

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/flavor"
)

func (m *Matrix) validate(d *decoder) {
	d.some(m.At, "entries", len(m.Entries), "the file", "list at least one")
	d.some(m.At, "tools", len(m.Tools), "the file", "list at least one")
	seen := map[string]int{}
	for i := range m.Tools {
		t := &m.Tools[i]
		d.unique(seen, "tool", t.Name, t.At)
		m.validateTool(d, t)
	}
	seen = map[string]int{}
	for i := range m.Entries {
		e := &m.Entries[i]
		d.unique(seen, "entry", e.Name, e.At)
		m.validateEntry(d, e)
	}
}

func (d *decoder) unique(seen map[string]int, what, name string, at Position) {
	if !d.required(at, "name", name, what, "give it a name") {
		return
	}
	if first, ok := seen[name]; ok {
		d.problem(at.Of("name"), fmt.Sprintf("the first stands in line %d", first), "%s %q is there twice", what, name)
		return
	}
	seen[name] = at.Of("name")
}

// required reports a key that is missing or empty. What could not be read has been reported before.
func (d *decoder) required(at Position, key, value, what, fix string) bool {
	if value != "" {
		return true
	}
	if !at.Has(key) {
		if at.Read() {
			d.problem(at.Line, fix, "%s has no %s", what, key)
		}
	} else if !at.failed[key] {
		d.problem(at.Of(key), fix, "%s has an empty %s", what, key)
	}
	return false
}

// some reports a list that is missing or empty.
func (d *decoder) some(at Position, key string, length int, what, fix string) {
	if length == 0 && !at.failed[key] && at.Read() {
		d.problem(at.Of(key), fix, "%s has no %s", what, key)
	}
}

var seriesPattern = regexp.MustCompile(`^(\d+\.\d+|[2-9]\d)$`) // MySQL's numbering by year has lines of one number

func (m *Matrix) validateEntry(d *decoder, e *Entry) {
	at := e.At
	what := fmt.Sprintf("entry %q", e.Name)
	if e.Vendor == flavor.VendorUnknown {
		d.required(at, "vendor", "", what, "add vendor: mysql, percona or mariadb")
	}
	if d.required(at, "series", e.Series, what, `add the release line, such as series: "10.11"`) && !seriesPattern.MatchString(e.Series) {
		d.problem(at.Of("series"), `want two numbers, such as "10.11"`, "%s: series %q", what, e.Series)
	}
	if want := e.lineName(); e.Vendor != 0 && e.Series != "" && e.Name != "" && e.Name != want && !strings.HasPrefix(e.Name, want+"-") {
		d.problem(at.Of("name"), fmt.Sprintf("call it %q, or %q and a word", want, want+"-"), "%s is %s of %s", what, e.Series, e.Vendor)
	}
	d.tier(e.Tier, at, what)
	for i, suite := range e.Suites {
		d.suite(suite, at.Item("suites", i), what)
	}
	d.some(at, "sources", len(e.Sources), what, "add one of "+strings.Join(kindNames(), ", "))
	for i := range e.Sources {
		m.validateSource(d, e, &e.Sources[i], fmt.Sprintf("%s: sources[%d]", what, i))
	}
}

func (d *decoder) tier(t Tier, at Position, what string) {
	if !d.required(at, "tier", string(t), what, "add tier: pr or full") {
		return
	}
	if _, err := ParseTier(string(t)); err != nil {
		d.problem(at.Of("tier"), "want pr or full", "%s: there is no tier %q", what, t)
	}
}

func (d *decoder) packages(a *Apt, what string, wantSuite bool) {
	d.some(a.At, "packages", len(a.Packages), what, "list at least one")
	if wantSuite {
		d.some(a.At, "suites", len(a.Suites), what, "name the suite that carries them, such as bookworm")
	}
}

func (d *decoder) suite(name string, line int, what string) bool {
	if !slices.Contains(Suites, name) {
		d.problem(line, suggest(name, Suites), "%s: there is no suite %q", what, name)
		return false
	}
	return true
}
