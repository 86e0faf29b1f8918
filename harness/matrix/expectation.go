package matrix

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

func (m *Matrix) validateExpectation(d *decoder, x *Expectation) {
	if !x.At.Read() {
		return
	}
	before := len(d.problems)
	for _, field := range []struct{ key, value string }{
		{"suite", x.Suite}, {"tool", x.Tool}, {"error", x.Error}, {"link", x.Link}, {"review", x.Review},
	} {
		d.required(x.At, field.key, field.value, "expectation", "fill it in")
	}
	if x.Sometimes {
		d.required(x.At, "note", x.Note, "expectation", "say what races")
	}
	d.some(x.At, "entries", len(x.Entries), "expectation", "name the entries that it speaks of")
	if x.Suite != "" {
		d.suite(x.Suite, x.At.Of("suite"), "expectation")
	}
	x.specs = d.pattern(x.Specs, x.At.Of("specs"), "specs")
	if x.Except != "" {
		x.except = d.pattern(x.Except, x.At.Of("except"), "except")
	}
	x.error = d.pattern(x.Error, x.At.Of("error"), "error")
	if u, err := url.Parse(x.Link); x.Link != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		d.problem(x.At.Of("link"), "want https://…", "expectation: link %q", x.Link)
	}
	if _, err := time.Parse(reviewLayout, x.Review); x.Review != "" && err != nil {
		d.problem(x.At.Of("review"), "want a date such as 2027-06-30", "expectation: review %q", x.Review)
	}
	m.validateReach(d, x)
	if len(d.problems) == before && !slices.ContainsFunc(m.cells(), x.covers) {
		d.problem(x.At.Line, "see which suites test the tool", "expectation matches no cell: %s in %s on %s", x.Tool, x.Suite, strings.Join(x.Entries, ", "))
	}
}

// validateReach checks that the entries, the tool and its versions exist.
func (m *Matrix) validateReach(d *decoder, x *Expectation) {
	for i, pattern := range x.Entries {
		if !slices.ContainsFunc(m.Entries, func(e Entry) bool { return e.matches(pattern) }) {
			d.problem(x.At.Item("entries", i), suggest(pattern, m.entryNames()), "expectation: no entry matches %q", pattern)
		}
	}
	if x.Tool == "" {
		return
	}
	t, ok := m.tool(x.Tool)
	if !ok {
		d.problem(x.At.Of("tool"), suggest(x.Tool, m.toolNames()), "expectation: there is no tool %q", x.Tool)
		return
	}
	for i, version := range x.Versions {
		if known := t.versionNames(); version != "" && !slices.Contains(known, version) {
			d.problem(x.At.Item("versions", i), suggest(version, known), "expectation: %s has no version %q", x.Tool, version)
		}
	}
}

func (d *decoder) pattern(text string, line int, key string) *regexp.Regexp {
	re, err := regexp.Compile(text)
	if err != nil {
		d.problem(line, "correct the regular expression", "expectation: %s: %v", key, err)
	}
	return re
}

// lineName is the name of an entry's release line, "mysql-8.0".
func (e Entry) lineName() string { return e.Vendor.String() + "-" + e.Series }

// matches says whether a name or pattern means the entry. An entry beyond the file is meant by the name of
// its release line as well, so that what is known of mysql-8.0 is known of mysql@8.0.21.
func (e Entry) matches(pattern string) bool {
	for _, name := range []string{e.Name, e.lineName()} {
		if ok, err := path.Match(pattern, name); err == nil && ok {
			return true
		}
	}
	return false
}

// covers says whether the expectation speaks of a cell.
func (x *Expectation) covers(c Cell) bool {
	return x.Suite == c.Suite && x.Tool == c.Tool.Name &&
		(len(x.Versions) == 0 || slices.Contains(x.Versions, c.Tool.Version)) &&
		slices.ContainsFunc(x.Entries, c.Entry.matches)
}

// Expect is the expectation of a spec, nil when it is to pass. A build of the user's own has none: whether
// it fixes what is known is what the user wants to see.
func (m *Matrix) Expect(c Cell, spec string) *Expectation {
	if c.Tool.Path != "" {
		return nil
	}
	for i := range m.Expectations {
		x := &m.Expectations[i]
		if x.covers(c) && x.speaksOf(spec) {
			return x
		}
	}
	return nil
}

// speaksOf says whether the expectation is about a spec.
func (x *Expectation) speaksOf(spec string) bool {
	return (x.specs == nil || x.specs.MatchString(spec)) && (x.except == nil || !x.except.MatchString(spec))
}
