package matrix

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
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
	for i := range m.Expectations {
		m.validateExpectation(d, &m.Expectations[i])
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
	if !at.has(key) {
		if at.read() {
			d.problem(at.Line, fix, "%s has no %s", what, key)
		}
	} else if !at.failed[key] {
		d.problem(at.Of(key), fix, "%s has an empty %s", what, key)
	}
	return false
}

// some reports a list that is missing or empty.
func (d *decoder) some(at Position, key string, length int, what, fix string) {
	if length == 0 && !at.failed[key] && at.read() {
		d.problem(at.Of(key), fix, "%s has no %s", what, key)
	}
}

var seriesPattern = regexp.MustCompile(`^\d+\.\d+$`)

func (m *Matrix) validateEntry(d *decoder, e *Entry) {
	at := e.At
	what := fmt.Sprintf("entry %q", e.Name)
	if e.Vendor == flavor.VendorUnknown {
		d.required(at, "vendor", "", what, "add vendor: mysql, percona or mariadb")
	}
	if d.required(at, "series", e.Series, what, `add the release line, such as series: "10.11"`) && !seriesPattern.MatchString(e.Series) {
		d.problem(at.Of("series"), `want two numbers, such as "10.11"`, "%s: series %q", what, e.Series)
	}
	if want := e.lineName(); e.Vendor != 0 && e.Series != "" && e.Name != "" && e.Name != want {
		d.problem(at.Of("name"), fmt.Sprintf("call it %q", want), "%s is %s of %s", what, e.Series, e.Vendor)
	}
	d.tier(e.Tier, at, what)
	d.some(at, "sources", len(e.Sources), what, "add a tarball, apt, script or dir")
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

func (m *Matrix) validateSource(d *decoder, e *Entry, s *Source, what string) {
	if n := len(s.At.keys); n > 1 || n == 0 && s.At.unknown == 0 && s.At.read() {
		d.problem(s.At.Line, "give exactly one of tarball, apt, script, dir; further sources are further items", "%s has %d kinds", what, n)
	}
	if t := s.Tarball; t != nil {
		d.tarball(t, e, what)
	}
	if a := s.Apt; a != nil {
		d.packages(a, what, true)
	}
	if s.Script != nil {
		m.validateScript(d, s.Script, e, what)
	}
	if s.Dir != nil && d.required(s.Dir.At, "path", s.Dir.Path, what, "add the folder's path") && !filepath.IsAbs(s.Dir.Path) {
		d.problem(s.Dir.At.Of("path"), "want an absolute path", "%s: path %q", what, s.Dir.Path)
	}
}

// release checks that a source's version is one of the entry's release line.
func (d *decoder) release(at Position, version string, e *Entry, what string) {
	given := d.required(at, "version", version, what, `add its release, such as version: "8.0.33"`)
	if given && e.Series != "" && !strings.HasPrefix(version, e.Series+".") {
		d.problem(at.Of("version"), fmt.Sprintf("want a release of %s", e.Series), "%s: version %q", what, version)
	}
}

func (d *decoder) tarball(t *Tarball, e *Entry, what string) {
	d.release(t.At, t.Version, e, what)
	d.some(t.At, "urls", len(t.URLs), what, "list at least one")
	for i, one := range t.URLs {
		u, err := url.Parse(one)
		switch {
		case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "":
			d.problem(t.At.Item("urls", i), "want https://…", "%s: URL %q", what, one)
		case !strings.HasSuffix(u.Path, ".tar.gz") && !strings.HasSuffix(u.Path, ".tar.xz"):
			d.problem(t.At.Item("urls", i), "want a .tar.gz or .tar.xz", "%s: URL %q", what, one)
		}
	}
	d.checksums(t, e, what)
}

func (d *decoder) checksums(t *Tarball, e *Entry, what string) {
	asks := t.VendorAPI && e.Vendor == flavor.MariaDB
	if t.VendorAPI && e.Vendor != flavor.MariaDB && e.Vendor != flavor.VendorUnknown {
		d.problem(t.At.Of("vendor_api"), "give the checksum that the vendor publishes", "%s: only MariaDB has an API that says checksums", what)
	} else if !asks && t.At.read() && !t.At.has("md5") && !t.At.has("sha256") && !t.At.has("sha512") {
		fix := "add the md5, sha256 or sha512 that the vendor publishes"
		if e.Vendor == flavor.MariaDB {
			fix += ", or vendor_api: true"
		}
		d.problem(t.At.Line, fix, "%s has no checksum", what)
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
	d.some(a.At, "packages", len(a.Packages), what, "list at least one")
	if wantSuite {
		d.some(a.At, "suites", len(a.Suites), what, "name the suite that carries them, such as bookworm")
	}
}

func (m *Matrix) validateScript(d *decoder, s *Script, e *Entry, what string) {
	d.release(s.At, s.Version, e, what)
	if d.required(s.At, "command", s.Command, what, "give its path, relative to the file") {
		full := filepath.Join(filepath.Dir(m.Path), s.Command)
		if info, err := os.Stat(full); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			d.problem(s.At.Of("command"), "want an executable file, relative to the matrix file", "%s: command %q is none", what, s.Command)
		}
	}
	if s.Client != nil {
		d.packages(s.Client, what+": client", false)
	}
}

func (d *decoder) suite(name string, line int, what string) bool {
	if !slices.Contains(Suites, name) {
		d.problem(line, suggest(name, Suites), "%s: there is no suite %q", what, name)
		return false
	}
	return true
}
