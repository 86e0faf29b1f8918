package matrix

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/report"
)

// Expectation is a declared failure: the servers, the tool's versions and the specs, and the error that must appear.
// Another error is a failure; success is the verdict fixed, and a failure as well.
type Expectation struct {
	Servers []string     `yaml:"servers" json:"servers" jsonschema:"required,minItems=1,description=vendors and ranges of their versions such as mysql >= 8.4 or mariadb 10.5 .. 10.11"`
	Build   flavor.Build `yaml:"build" json:"build,omitempty" jsonschema:"enum=vendor,enum=debian,enum=ubuntu,description=who built them; anybody when left out"`
	Suite   string       `yaml:"suite" json:"suite" jsonschema:"required,enum=migration,enum=failover,enum=pseudogtid,enum=upgrade"`
	Tool    string       `yaml:"tool" json:"tool" jsonschema:"required,description=its name and a range of its versions such as gh-ost <= v1.1.6; all versions when there is no range"`
	Specs   string       `yaml:"specs" json:"specs,omitempty" jsonschema:"description=regular expression on a spec's full text; all when left out"`
	Except  string       `yaml:"except" json:"except,omitempty" jsonschema:"description=regular expression on the full text of specs that it does not speak of"`
	Error   string       `yaml:"error" json:"error" jsonschema:"required,description=regular expression that the error must match"`
	Link    string       `yaml:"link" json:"link" jsonschema:"required,format=uri,description=where it is discussed"`
	Review  string       `yaml:"review" json:"review" jsonschema:"required,format=date,description=the day to look again: YYYY-MM-DD"`
	Note    string       `yaml:"note" json:"note,omitempty" jsonschema:"description=why it fails and which versions were seen to"`
	// Sometimes is a failure that a race decides on: a pass is a pass then, and not the verdict fixed.
	Sometimes bool `yaml:"sometimes" json:"sometimes,omitempty" jsonschema:"description=a race decides: passing is no surprise; the note says what races"`
	// Blocks "cell" says that the tool cannot work on these servers at all, so that a few specs show it, and the others need
	// not run.
	Blocks string   `yaml:"blocks" json:"blocks,omitempty" jsonschema:"enum=cell,description=cell: the tool cannot work there at all and a few specs show it"`
	At     Position `yaml:"-" json:"-"`

	file                 string
	servers              []serverRange
	tool                 string
	versions             flavor.Range
	specs, except, error *regexp.Regexp
}

// Where is the file and line of the declaration.
func (x *Expectation) Where() string { return fmt.Sprintf("%s:%d", x.file, x.At.Line) }

// Matches says whether an error is the declared one.
func (x *Expectation) Matches(message string) bool { return x.error.MatchString(message) }

// Declared is the declaration as a report has it.
func (x *Expectation) Declared() *report.Expectation {
	return &report.Expectation{Error: x.Error, Link: x.Link, Review: x.Review, Note: x.Note, Sometimes: x.Sometimes, Blocks: x.BlocksCell()}
}

// serverRange is a vendor and a range of its versions.
type serverRange struct {
	vendor flavor.Vendor
	flavor.Range
}

// parseServers reads "mysql >= 8.4". mysql is not percona, whose versions are its own builds of mysql's.
func parseServers(text string) (s serverRange, err error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	if s.vendor, err = flavor.ParseVendor(name); err != nil {
		return s, fmt.Errorf("there is no vendor %q; %s", name, choices(name, vendorNames))
	}
	s.Range, err = flavor.ParseRange(rest)
	return s, err
}

// reviewLayout is how dates are written.
const reviewLayout = time.DateOnly

// validateExpectation reads what a declaration consists of, and reports what is wrong with it.
func (m *Matrix) validateExpectation(d *decoder, x *Expectation) {
	if !x.At.Read() {
		return
	}
	x.file = d.file
	for _, field := range []struct{ key, value string }{
		{"suite", x.Suite}, {"tool", x.Tool}, {"error", x.Error}, {"link", x.Link}, {"review", x.Review},
	} {
		d.required(x.At, field.key, field.value, "expectation", "fill it in")
	}
	if x.Sometimes {
		d.required(x.At, "note", x.Note, "expectation", "say what races")
	}
	if x.Blocks != "" && x.Blocks != blocksCell {
		d.problem(x.At.Of("blocks"), "want cell, or leave it out", "expectation: blocks %q", x.Blocks)
	}
	m.validateServers(d, x)
	m.validateToolRange(d, x)
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
}

func (m *Matrix) validateServers(d *decoder, x *Expectation) {
	d.some(x.At, "servers", len(x.Servers), "expectation", "name the servers that it speaks of, such as mysql >= 8.4")
	for i, text := range x.Servers {
		if text == "" {
			continue // reported when it was read
		}
		s, err := parseServers(text)
		if err != nil {
			d.problem(x.At.Item("servers", i), "want a vendor and a range, such as mysql >= 8.4 or mariadb 10.5 .. 10.11", "expectation: servers %q: %v", text, err)
			continue
		}
		for _, other := range x.servers {
			if s.vendor == other.vendor && s.Overlaps(other.Range) {
				d.problem(x.At.Item("servers", i), "make them one range", "expectation: servers %q and %q have releases in common", strings.TrimSpace(other.vendor.String()+" "+other.String()), text)
			}
		}
		x.servers = append(x.servers, s)
	}
	if x.Build != "" && !slices.Contains(flavor.Builds(), x.Build) {
		d.problem(x.At.Of("build"), "want vendor, debian or ubuntu", "expectation: there is no build %q", x.Build)
	}
}

// validateToolRange reads "gh-ost <= v1.1.6", and checks that the tool is there and is tested in the suite.
func (m *Matrix) validateToolRange(d *decoder, x *Expectation) {
	if x.Suite != "" && !d.suite(x.Suite, x.At.Of("suite"), "expectation") || x.Tool == "" {
		return
	}
	line := x.At.Of("tool")
	name, rest, _ := strings.Cut(x.Tool, " ")
	t, ok := m.tool(name)
	if !ok {
		d.problem(line, suggest(name, m.toolNames()), "expectation: there is no tool %q", name)
		return
	}
	x.tool = name
	var err error
	if x.versions, err = flavor.ParseRange(rest); err != nil {
		d.problem(line, "want a name and a range, such as gh-ost <= v1.1.6", "expectation: tool %q: %v", x.Tool, err)
		return
	}
	if !slices.ContainsFunc(t.Versions, func(v ToolVersion) bool { return x.ofVersion(v.Version) }) {
		d.problem(line, suggest(rest, t.versionNames()), "expectation: %s has no version that is %s", name, rest)
	}
	if x.Suite != "" && !slices.Contains(t.Suites, x.Suite) {
		d.problem(x.At.Of("suite"), suggest(x.Suite, t.Suites), "expectation: %s is not tested in %s", name, x.Suite)
	}
}

func (d *decoder) pattern(text string, line int, key string) *regexp.Regexp {
	re, err := regexp.Compile(text)
	if err != nil {
		d.problem(line, "correct the regular expression", "expectation: %s: %v", key, err)
	}
	return re
}

// ofVersion says whether the expectation speaks of a version of its tool. One without a number is in the range of all.
func (x *Expectation) ofVersion(version string) bool {
	numbers, err := flavor.Numbers(version)
	if err != nil {
		return x.versions.String() == ""
	}
	return x.versions.Contains(numbers)
}

// ofServer says whether the expectation speaks of a server, by what it says of itself.
func (x *Expectation) ofServer(s report.Server) bool {
	numbers, err := flavor.Numbers(s.Version)
	if err != nil || x.Build != "" && x.Build != flavor.BuildOf(s.Version, s.Build) {
		return false
	}
	return slices.ContainsFunc(x.servers, func(r serverRange) bool { return r.vendor == s.Vendor && r.Contains(numbers) })
}

// ofTool says whether the expectation speaks of a cell's tool. A build of the user's own is judged as its baseline is; one
// without a baseline has no expectations.
func (x *Expectation) ofTool(c Cell) bool {
	version := c.Tool.Version
	if c.Tool.Path != "" {
		version = c.Tool.Baseline
	}
	return version != "" && x.Suite == c.Suite && x.tool == c.Tool.Name && x.ofVersion(version)
}

// ofSpec says whether the expectation is about a spec.
func (x *Expectation) ofSpec(spec string) bool {
	return (x.specs == nil || x.specs.MatchString(spec)) && (x.except == nil || !x.except.MatchString(spec))
}

// Expect is the expectation of a spec on the server that was obtained for its cell, nil when it is to pass. What blocks the
// cell comes before what is known of single specs. Several others of one spec are an error, which names them.
func (m *Matrix) Expect(c Cell, s report.Server, spec string) (*Expectation, error) {
	var found *Expectation
	for i := range m.Known {
		x := &m.Known[i]
		if !x.ofTool(c) || !x.ofServer(s) || !x.ofSpec(spec) {
			continue
		}
		switch {
		case found == nil || x.BlocksCell() && !found.BlocksCell():
			found = x
		case x.BlocksCell() == found.BlocksCell():
			return nil, fmt.Errorf("%s and line %d both speak of %q on %s: narrow servers, tool or specs of one", found.Where(), x.At.Line, spec, s)
		}
	}
	return found, nil
}

const blocksCell = "cell"

// BlocksCell says that the tool cannot work on these servers at all.
func (x *Expectation) BlocksCell() bool { return x.Blocks == blocksCell }
