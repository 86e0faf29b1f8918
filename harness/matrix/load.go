package matrix

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Load reads a matrix file. When it has mistakes the error is Problems: all of them at once, each with
// file and line, what is wrong and what would be right.
func Load(file string) (*Matrix, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, Problems{{File: file, What: err.Error(), Fix: "name a file with --matrix"}}
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, Problems{yamlProblem(file, err)}
	}
	if len(document.Content) == 0 {
		return nil, Problems{{File: file, Line: 1, What: "the file is empty", Fix: "it wants tools and entries"}}
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("matrix file: %w", err)
	}
	d := &decoder{file: file}
	m := &Matrix{Path: absolute}
	d.decode(document.Content[0], reflect.ValueOf(m).Elem(), "")
	m.validate(d)
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	return m, nil
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// yamlProblem finds the line in an error of the YAML parser, which has no field for it.
func yamlProblem(file string, err error) Problem {
	p := Problem{File: file, Line: 1, What: err.Error(), Fix: "mend the YAML first; the rest is checked after that"}
	if match := yamlLine.FindStringSubmatch(err.Error()); match != nil {
		_, scanErr := fmt.Sscan(match[1], &p.Line)
		if scanErr == nil {
			p.What = match[2]
		}
	}
	return p
}

func (m *Matrix) validate(d *decoder) {
	if len(m.Entries) == 0 {
		d.problem(1, "list at least one", "there are no entries")
	}
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
	for i := range m.Expectations {
		m.validateExpectation(d, &m.Expectations[i])
	}
}

func (d *decoder) unique(seen map[string]int, what, name string, at Position) {
	if name == "" {
		if _, given := at.keys["name"]; !given {
			d.problem(at.Line, "give it a name", "%s without a name", what)
		}
		return
	}
	if first, ok := seen[name]; ok {
		d.problem(at.Of("name"), fmt.Sprintf("the first stands in line %d", first), "%s %q is there twice", what, name)
		return
	}
	seen[name] = at.Of("name")
}

var seriesPattern = regexp.MustCompile(`^\d+\.\d+$`)

func (m *Matrix) validateEntry(d *decoder, e *Entry) {
	at := e.At
	what := fmt.Sprintf("entry %q", e.Name)
	if _, given := at.keys["vendor"]; !given {
		d.problem(at.Line, "add vendor: mysql, percona or mariadb", "%s has no vendor", what)
	}
	if _, given := at.keys["series"]; !given {
		d.problem(at.Line, `add the release line, such as series: "10.11"`, "%s has no series", what)
	} else if e.Series != "" && !seriesPattern.MatchString(e.Series) {
		d.problem(at.Of("series"), `want two numbers, such as "10.11"`, "%s: series %q", what, e.Series)
	}
	if want := e.Vendor.String() + "-" + e.Series; e.Vendor != 0 && e.Series != "" && e.Name != "" && e.Name != want {
		d.problem(at.Of("name"), fmt.Sprintf("call it %q", want), "%s is %s of %s", what, e.Series, e.Vendor)
	}
	d.tier(e.Tier, at, what)
	if len(e.Sources) == 0 {
		d.problem(at.Of("sources"), "add a tarball, apt, script or dir", "%s has no sources", what)
	}
	for i := range e.Sources {
		m.validateSource(d, &e.Sources[i], fmt.Sprintf("%s: sources[%d]", what, i))
	}
}

func (d *decoder) tier(t Tier, at Position, what string) {
	if _, given := at.keys["tier"]; !given {
		d.problem(at.Line, "add tier: pr or full", "%s has no tier", what)
	} else if _, err := ParseTier(string(t)); err != nil {
		d.problem(at.Of("tier"), "want pr or full", "%s: tier %q", what, t)
	}
}

func (m *Matrix) validateSource(d *decoder, s *Source, what string) {
	if len(s.At.keys) != 1 {
		d.problem(s.At.Line, "give exactly one of tarball, apt, script, dir; further sources are further items", "%s has %d kinds", what, len(s.At.keys))
	}
	if t := s.Tarball; t != nil {
		d.tarball(t, what)
	}
	if a := s.Apt; a != nil {
		d.packages(a, what, true)
	}
	if s.Script != nil {
		m.validateScript(d, s.Script, what)
	}
	if s.Dir != nil && !filepath.IsAbs(s.Dir.Path) {
		d.problem(s.Dir.At.Of("path"), "want an absolute path", "%s: path %q", what, s.Dir.Path)
	}
}

func (d *decoder) tarball(t *Tarball, what string) {
	if t.Version == "" && t.At.keys["version"] == 0 {
		d.problem(t.At.Line, `add version: "8.0.33"`, "%s has no version", what)
	}
	if len(t.URLs) == 0 {
		d.problem(t.At.Line, "list at least one", "%s has no urls", what)
	}
	for _, one := range t.URLs {
		u, err := url.Parse(one)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			d.problem(t.At.Of("urls"), "want https://…", "%s: URL %q", what, one)
		}
	}
	if !t.hasChecksum() && !t.VendorAPI {
		d.problem(t.At.Line, "add the md5, sha256 or sha512 that the vendor publishes, or vendor_api: true", "%s has no checksum", what)
	}
	for _, sum := range []struct {
		key, value string
		length     int
	}{{"md5", t.MD5, md5Length}, {"sha256", t.SHA256, sha256Length}, {"sha512", t.SHA512, sha512Length}} {
		if sum.value == "" {
			continue
		}
		if len(sum.value) != sum.length {
			d.problem(t.At.Of(sum.key), fmt.Sprintf("want %d", sum.length), "%s: %s has %d digits", what, sum.key, len(sum.value))
		} else if _, err := hex.DecodeString(sum.value); err != nil {
			d.problem(t.At.Of(sum.key), "want hexadecimal digits", "%s: %s is %q", what, sum.key, sum.value)
		}
	}
}

func (d *decoder) packages(a *Apt, what string, wantSuite bool) {
	if len(a.Packages) == 0 {
		d.problem(a.At.Line, "list at least one", "%s has no packages", what)
	}
	if len(a.Suites) == 0 && wantSuite {
		d.problem(a.At.Line, "name the suite that carries them, such as bookworm", "%s has no suites", what)
	}
}

func (m *Matrix) validateScript(d *decoder, s *Script, what string) {
	if s.Command == "" {
		d.problem(s.At.Line, "give its path, relative to the file", "%s has no command", what)
		return
	}
	full := filepath.Join(filepath.Dir(m.Path), s.Command)
	if info, err := os.Stat(full); err != nil || info.Mode()&0o111 == 0 {
		d.problem(s.At.Of("command"), "want an executable file, relative to the matrix file", "%s: command %q is none", what, s.Command)
	}
	if s.Client != nil {
		d.packages(s.Client, what+": client", false)
	}
}

func (m *Matrix) validateTool(d *decoder, t *Tool) {
	what := fmt.Sprintf("tool %q", t.Name)
	if len(t.Suites) == 0 {
		d.problem(t.At.Line, "list at least one of "+strings.Join(Suites, ", "), "%s has no suites", what)
	}
	for _, suite := range t.Suites {
		d.suite(suite, t.At.Of("suites"), what)
	}
	if len(t.Versions) == 0 {
		d.problem(t.At.Line, "list at least one", "%s has no versions", what)
	}
	seen := map[string]int{}
	for i := range t.Versions {
		v := &t.Versions[i]
		if v.Version == "" && v.At.keys["version"] == 0 {
			d.problem(v.At.Line, "name it", "%s: versions[%d] has no version", what, i)
		} else if first, twice := seen[v.Version]; twice && v.Version != "" {
			d.problem(v.At.Of("version"), fmt.Sprintf("the first stands in line %d", first), "%s: version %q is there twice", what, v.Version)
		}
		seen[v.Version] = v.At.Of("version")
		d.tier(v.Tier, v.At, what+" "+v.Version)
		kinds := 0
		for _, is := range []bool{v.Module != nil, v.Apt != nil, v.Builtin} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			d.problem(v.At.Line, "give exactly one of module, apt, builtin", "%s %s has %d sources", what, v.Version, kinds)
		}
		if v.Apt != nil {
			d.packages(v.Apt, what+" "+v.Version, false)
		}
	}
}

func (d *decoder) suite(name string, line int, what string) {
	if !slices.Contains(Suites, name) {
		d.problem(line, suggest(name, Suites), "%s: there is no suite %q", what, name)
	}
}

func (m *Matrix) validateExpectation(d *decoder, x *Expectation) {
	before := len(d.problems)
	for _, key := range []string{"entries", "suite", "tool", "error", "link", "review"} {
		if x.At.keys[key] == 0 {
			d.problem(x.At.Line, "add it", "expectation without %s", key)
		}
	}
	if x.Suite != "" {
		d.suite(x.Suite, x.At.Of("suite"), "expectation")
	}
	x.specs = d.pattern(x.Specs, x.At.Of("specs"), "specs")
	x.error = d.pattern(x.Error, x.At.Of("error"), "error")
	if u, err := url.Parse(x.Link); x.Link != "" && (err != nil || u.Host == "") {
		d.problem(x.At.Of("link"), "want https://…", "expectation: link %q", x.Link)
	}
	if _, err := time.Parse(reviewLayout, x.Review); x.Review != "" && err != nil {
		d.problem(x.At.Of("review"), "want a date such as 2027-06-30", "expectation: review %q", x.Review)
	}
	for _, pattern := range x.Entries {
		if !slices.ContainsFunc(m.Entries, func(e Entry) bool { return e.matches(pattern) }) {
			d.problem(x.At.Of("entries"), suggest(pattern, m.entryNames()), "expectation: no entry matches %q", pattern)
		}
	}
	if len(d.problems) == before && !slices.ContainsFunc(m.cells(), func(c Cell) bool { return x.covers(c) }) {
		d.problem(x.At.Line, "see which suites and versions the tool has", "expectation matches no cell: %s %s of %v", x.Tool, strings.Join(x.Versions, ", "), x.Entries)
	}
}

func (d *decoder) pattern(text string, line int, key string) *regexp.Regexp {
	re, err := regexp.Compile(text)
	if err != nil {
		d.problem(line, "mend the regular expression", "expectation: %s: %v", key, err)
	}
	return re
}

func (m *Matrix) entryNames() []string {
	names := make([]string, len(m.Entries))
	for i, e := range m.Entries {
		names[i] = e.Name
	}
	return names
}

// matches says whether a name or pattern means the entry. An entry beyond the file is meant by the name of
// its release line as well, so that what is known of mysql-8.0 is known of mysql@8.0.21.
func (e Entry) matches(pattern string) bool {
	for _, name := range []string{e.Name, e.Vendor.String() + "-" + e.Series} {
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
// it mends what is known is what the user wants to see.
func (m *Matrix) Expect(c Cell, spec string) *Expectation {
	if c.Tool.Path != "" {
		return nil
	}
	for i := range m.Expectations {
		x := &m.Expectations[i]
		if x.covers(c) && (x.specs == nil || x.specs.MatchString(spec)) {
			return x
		}
	}
	return nil
}
