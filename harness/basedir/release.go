package basedir

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"mysqlmatrix/harness/archive"
	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/release"
)

func init() {
	matrix.Register(matrix.Kind{
		Name: "release", New: func() matrix.Declaration { return new(Release) },
		Release: func(_ flavor.Vendor, _ flavor.Version, name string) []matrix.Declaration {
			return []matrix.Declaration{&Release{Version: name}}
		},
	})
}

// newest stands for the newest release of an entry's line.
const newest = "newest"

// Release is a release of the list of published archives, or, where the list does not have it, what its vendor would call
// its archives.
type Release struct {
	Version string          `yaml:"version" json:"version" jsonschema:"required,description=newest or an exact release of the list of published archives"`
	At      matrix.Position `yaml:"-" json:"-"`

	pinned Tarball // the user's word on a release that is not listed
}

// Kind is "release".
func (r *Release) Kind() string { return "release" }

// String names the release.
func (r *Release) String() string { return "release " + r.Version }

// Check reports mistakes of the declaration.
func (r *Release) Check(c matrix.Checker) {
	if !c.Required(r.At, "version", r.Version, "add version: newest, or a release") || c.Entry.Vendor == flavor.VendorUnknown {
		return
	}
	list, err := release.Published()
	if err != nil {
		c.Problem(r.At.Line, "correct the list", ": %v", err)
		return
	}
	line := list.Line(c.Entry.Vendor, c.Entry.Series)
	switch {
	case r.Version != newest && len(line.Of(c.Entry.Vendor, r.Version)) == 0:
		c.Problem(r.At.Of("version"), listed(line), ": no archive of %s %s is listed", c.Entry.Vendor, r.Version)
	case len(line) == 0:
		c.Problem(r.At.Of("version"), "name another kind of source", ": no release of %s %s is listed", c.Entry.Vendor, c.Entry.Series)
	}
}

// listed says which releases of a line there are.
func listed(line release.List) string {
	names := line.Releases()
	if len(names) == 0 {
		return "none of its line is listed"
	}
	return "listed are " + strings.Join(names, ", ")
}

// Pin is a release that is not listed with the user's word on it.
func (r *Release) Pin(algorithm, checksum string, trustFirstUse bool) matrix.Declaration {
	pinned := *r
	if t, ok := pinned.pinned.Pin(algorithm, checksum, trustFirstUse).(*Tarball); ok {
		pinned.pinned = *t
	}
	return &pinned
}

// Pinned is the user's word on a release that is not listed.
func (r *Release) Pinned() (checksum string, trustFirstUse bool) {
	return r.pinned.MD5 + r.pinned.SHA256 + r.pinned.SHA512, r.pinned.TrustFirstUse
}

func (r *Release) open(s *Store, e matrix.Entry, _ string) source {
	return &published{store: s, source: r, entry: e}
}

// published builds a basedir from the first of a release's archives that can be obtained.
type published struct {
	store  *Store
	source *Release
	entry  matrix.Entry
}

// archives are the release's archives for this machine, best first. isListed says that their checksums are known.
func (p *published) archives() (list []*Tarball, isListed bool, err error) {
	all, err := release.Published()
	if err != nil {
		return nil, false, err
	}
	line := all.Line(p.entry.Vendor, p.entry.Series)
	machine := p.store.machine()
	if p.source.Version != newest {
		line = line.Of(p.entry.Vendor, p.source.Version)
	}
	fit := line.Newest(machine)
	for _, a := range fit {
		t := &Tarball{Version: a.Release, URLs: a.URLs()}
		pinned, _ := t.Pin(a.Algorithm, a.Checksum, false).(*Tarball)
		list = append(list, pinned)
	}
	switch {
	case len(fit) > 0:
		return list, true, nil
	case len(line) > 0 || p.source.Version == newest:
		return nil, true, fmt.Errorf("no %s archive for glibc %s of %s %s is listed", machine.Arch, machine.Glibc, p.entry.Vendor, p.source.Version)
	case machine.Arch != "amd64":
		return nil, true, fmt.Errorf("no %s archive", machine.Arch)
	}
	version, err := flavor.ParseVersion(p.source.Version)
	if err != nil {
		return nil, false, err
	}
	for _, urls := range archives(p.entry.Vendor, version, p.source.Version) {
		t := p.source.pinned
		t.Version, t.URLs, t.VendorAPI = p.source.Version, urls, p.entry.Vendor == flavor.MariaDB
		list = append(list, &t)
	}
	return list, false, nil
}

// key names the release and its archives, and not the user's word on them: what was obtained once is there without it.
func (p *published) key() (string, error) {
	list, _, err := p.archives()
	if err != nil {
		return "", err
	}
	parts := []string{recipe, "release"}
	for _, t := range list {
		parts = append(parts, t.URLs...)
	}
	return cacheKey(p.entry.Vendor.String()+"-"+list[0].Version, digest(parts...)), nil
}

// ask looks for the first archive that can be obtained.
func (p *published) ask(ctx context.Context) error {
	list, isListed, err := p.archives()
	if err != nil {
		return err
	}
	if !isListed && !p.vouched(list) {
		return p.unlisted(nil)
	}
	return p.first(list, func(t *tarball) error { return t.ask(ctx) })
}

func (p *published) build(ctx context.Context, dir, final string) (done content, err error) {
	list, isListed, err := p.archives()
	if err != nil {
		return content{}, err
	}
	err = p.first(list, func(t *tarball) error {
		done, err = t.build(ctx, dir, final)
		if err != nil { // another archive begins with an empty folder
			err = errors.Join(err, cache.Empty(dir))
		}
		return err
	})
	var nobody *NoChecksumError
	if !isListed && errors.As(err, &nobody) {
		return content{}, p.unlisted(nobody.Err)
	}
	return done, err
}

// first is the first success.
func (p *published) first(list []*Tarball, try func(*tarball) error) error {
	var errs []error
	for _, t := range list {
		err := try(&tarball{store: p.store, source: t, vendor: p.entry.Vendor})
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return unreached(errs)
}

// vouched says whether somebody's word on an archive that is not listed is there, or can be asked for.
func (p *published) vouched(list []*Tarball) bool {
	for _, t := range list {
		seen, err := p.store.seen(archive.FileName(t.URLs[0]))
		if t.hasChecksum() || t.TrustFirstUse || t.VendorAPI || err == nil && seen != "" {
			return true
		}
	}
	return false
}

// unlisted is one line for a release that nobody vouches for; asked is why its vendor's API did not help.
func (p *published) unlisted(asked error) error {
	text := fmt.Sprintf("%s %s is not in the list of releases: give its checksum with --checksum, or --trust-first-use", p.entry.Vendor, p.source.Version)
	if asked != nil {
		text += "; MariaDB's own list: " + strings.ReplaceAll(asked.Error(), "\n", "; ")
	}
	list, err := release.Published()
	if err != nil {
		return err
	}
	return errors.New(text + "; " + listed(list.Line(p.entry.Vendor, p.entry.Series)))
}

// machine is what archives have to fit.
func (s *Store) machine() release.Machine {
	if s.Machine != (release.Machine{}) {
		return s.Machine
	}
	return release.Machine{Arch: runtime.GOARCH, Glibc: systemGlibc()}
}

// systemGlibc is the version of the system's C library; "" where it does not say one.
var systemGlibc = sync.OnceValue(func() string {
	out, err := proc.Run(context.Background(), proc.Cmd{Path: "getconf", Args: []string{"GNU_LIBC_VERSION"}})
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(out), "glibc"))
})
