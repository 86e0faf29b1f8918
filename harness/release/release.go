// Package release is the list of published server archives: which there are of a release or a line, and which of them run
// on a machine.
package release

import (
	_ "embed"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mysqlmatrix/harness/flavor"
)

//go:embed releases.tsv
var published string

// Archive is one published archive.
type Archive struct {
	Vendor    flavor.Vendor
	Release   string // as the vendor writes it: 8.0.36, Percona's 8.0.36-28
	Version   flavor.Version
	Arch      string // amd64 or arm64, as Go writes them
	Kind      Kind
	System    string // that a build is made on: ubuntu-22.04
	URL       string
	Algorithm string // md5, sha256 or sha512
	Checksum  string // in hexadecimal
}

// Kind says who made an archive. A smaller kind is preferred.
type Kind uint8

// The kinds. The zero value is invalid.
const (
	KindUnknown Kind = iota
	Minimal          // the vendor's, without debug symbols and tests: a tenth of the size
	Vendor
	Repacked // files of the vendor's archive
	Build    // built by others from the vendor's sources
)

// List is a list of archives.
type List []Archive

// Published is the list that this program comes with.
func Published() (List, error) { return Parse(published) }

// Parse reads a list: one archive a line, six fields between tabs, # for comments.
func Parse(text string) (List, error) {
	var list List
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		a, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("releases.tsv:%d: %w", number, err)
		}
		list = append(list, a)
	}
	return list, nil
}

func parseLine(line string) (a Archive, err error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 6 {
		return a, fmt.Errorf("it has %d fields, want 6", len(fields))
	}
	a = Archive{Release: fields[1], Arch: fields[2], URL: fields[4]}
	if a.Vendor, err = flavor.ParseVendor(fields[0]); err != nil {
		return a, err
	}
	if a.Version, err = flavor.ParseVersion(a.Release); err != nil {
		return a, err
	}
	kind, system, _ := strings.Cut(fields[3], " ")
	switch {
	case fields[3] == "vendor minimal":
		a.Kind = Minimal
	case fields[3] == "vendor":
		a.Kind = Vendor
	case fields[3] == "repacked":
		a.Kind = Repacked
	case kind == "build" && glibcOf[system] != glibc{}:
		a.Kind, a.System = Build, system
	default:
		return a, fmt.Errorf("kind %q: want vendor, vendor minimal, repacked or build SYSTEM", fields[3])
	}
	var ok bool
	if a.Algorithm, a.Checksum, ok = strings.Cut(fields[5], ":"); !ok || len(a.Checksum) != digits[a.Algorithm] {
		return a, fmt.Errorf("checksum %q: want md5:, sha256: or sha512: and its digits", fields[5])
	}
	return a, nil
}

// digits are the lengths of checksums in hexadecimal.
var digits = map[string]int{"md5": 32, "sha256": 64, "sha512": 128}

// URLs are the places of the archive: where it was listed, and where MySQL's older releases move to.
func (a Archive) URLs() []string {
	if u, err := url.Parse(a.URL); err == nil && u.Host == "dev.mysql.com" {
		return []string{a.URL, "https://downloads.mysql.com/archives/get/p/23/file/" + path.Base(u.Path)}
	}
	return []string{a.URL}
}

// Machine is what archives have to fit.
type Machine struct {
	Arch  string // as Go writes it
	Glibc string // such as 2.36; "" is not known, and everything fits
}

type glibc struct{ major, minor int }

// glibcOf are the C libraries of the systems that archives are built on.
var glibcOf = map[string]glibc{"ubuntu-22.04": {2, 35}, "ubuntu-24.04": {2, 39}, "ubuntu-26.04": {2, 43}}

var glibcPattern = regexp.MustCompile(`(?:glibc|^)(\d+)\.(\d+)`)

func parseGlibc(text string) glibc {
	m := glibcPattern.FindStringSubmatch(text)
	if m == nil {
		return glibc{}
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	return glibc{major, minor}
}

// wants is the C library that an archive needs; the zero value is not known.
func (a Archive) wants() glibc {
	if a.System != "" {
		return glibcOf[a.System]
	}
	return parseGlibc(path.Base(a.URL))
}

func (g glibc) compare(o glibc) int {
	if g.major != o.major {
		return g.major - o.major
	}
	return g.minor - o.minor
}

// Fits says whether an archive is for the machine.
func (a Archive) Fits(m Machine) bool {
	return a.Arch == m.Arch && (m.Glibc == "" || a.wants().compare(parseGlibc(m.Glibc)) <= 0)
}

// Of are the archives of one release, whatever machine they are for.
func (l List) Of(vendor flavor.Vendor, release string) List {
	return l.filter(func(a Archive) bool { return a.Vendor == vendor && a.Release == release })
}

// Line are the archives of a line, such as 8.0.
func (l List) Line(vendor flavor.Vendor, series string) List {
	return l.filter(func(a Archive) bool { return a.Vendor == vendor && a.Version.In(series) })
}

// For are the archives that fit a machine, best first: the newest release, vendors' own before builds of others, builds for
// the newest system that fits.
func (l List) For(m Machine) List {
	fit := l.filter(func(a Archive) bool { return a.Fits(m) })
	slices.SortStableFunc(fit, func(a, b Archive) int {
		if d := b.compare(a); d != 0 {
			return d
		}
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return b.wants().compare(a.wants())
	})
	return fit
}

// compare orders by release, with the build number that Percona adds.
func (a Archive) compare(b Archive) int {
	if d := a.Version.Compare(b.Version); d != 0 {
		return d
	}
	return build(a.Release) - build(b.Release)
}

func build(release string) int {
	_, number, _ := strings.Cut(release, "-")
	n, _ := strconv.Atoi(number)
	return n
}

// Newest are the archives of the newest release in the list, and after them those of the newest one that a vendor has made
// itself, where that is an older one.
func (l List) Newest(m Machine) List {
	fit := l.For(m)
	if len(fit) == 0 {
		return nil
	}
	newest := fit.filter(func(a Archive) bool { return a.Release == fit[0].Release })
	if newest[0].Kind != Build {
		return newest
	}
	own := fit.filter(func(a Archive) bool { return a.Kind != Build })
	if len(own) == 0 {
		return newest
	}
	return append(newest, own.filter(func(a Archive) bool { return a.Release == own[0].Release })...)
}

// Releases are the releases in the list, oldest first.
func (l List) Releases() []string {
	sorted := slices.Clone(l)
	slices.SortStableFunc(sorted, Archive.compare)
	var names []string
	for _, a := range sorted {
		if !slices.Contains(names, a.Release) {
			names = append(names, a.Release)
		}
	}
	return names
}

func (l List) filter(keep func(Archive) bool) List {
	return slices.DeleteFunc(slices.Clone(l), func(a Archive) bool { return !keep(a) })
}
