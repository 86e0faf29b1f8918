package basedir

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"mysqlmatrix/harness/archive"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
)

// defaultUnpackedSize is how many bytes an archive may unpack to when matrix.yaml does not say. The largest
// vendor tarballs, with debug symbols, take about 4 GiB.
const defaultUnpackedSize = 6 << 30

// NoChecksumError says that nobody vouches for an archive.
type NoChecksumError struct {
	File string
	Err  error // why the vendor's API did not help; nil when it was not asked
}

// Error says what can be done.
func (e *NoChecksumError) Error() string {
	text := e.File + ": no checksum in matrix.yaml, the lock file or from the vendor: give one with --checksum, or --trust-first-use"
	if e.Err != nil {
		text += " (" + e.Err.Error() + ")"
	}
	return text
}

func (e *NoChecksumError) Unwrap() error { return e.Err }

func init() {
	matrix.Register(matrix.Kind{Name: "tarball", New: func() matrix.Declaration { return new(Tarball) }, Refer: referTarball})
}

// Tarball is a vendor's archive.
type Tarball struct {
	Version       string          `yaml:"version" json:"version" jsonschema:"required,description=exact release; quote it"`
	URLs          []string        `yaml:"urls" json:"urls" jsonschema:"required,minItems=1,description=places of the same file; tried in order"`
	MD5           string          `yaml:"md5" json:"md5,omitempty" jsonschema:"pattern=^[0-9a-fA-F]{32}$"`
	SHA256        string          `yaml:"sha256" json:"sha256,omitempty" jsonschema:"pattern=^[0-9a-fA-F]{64}$"`
	SHA512        string          `yaml:"sha512" json:"sha512,omitempty" jsonschema:"pattern=^[0-9a-fA-F]{128}$"`
	UnpackedSize  int64           `yaml:"unpacked_size" json:"unpacked_size,omitempty" jsonschema:"description=bytes beyond which unpacking is refused"`
	VendorAPI     bool            `yaml:"vendor_api" json:"vendor_api,omitempty" jsonschema:"description=ask MariaDB's REST API for the SHA-256"`
	TrustFirstUse bool            `yaml:"-" json:"-"` // the user's word, for one command
	Own           bool            `yaml:"-" json:"-"` // the user's own archive, of any layout; see referTarball
	At            matrix.Position `yaml:"-" json:"-"`
}

// Kind is "tarball".
func (t *Tarball) Kind() string { return "tarball" }

// String names the archive.
func (t *Tarball) String() string {
	if len(t.URLs) == 0 {
		return "tarball"
	}
	return "tarball " + archive.FileName(t.URLs[0])
}

// Check reports mistakes of the declaration.
func (t *Tarball) Check(c matrix.Checker) {
	c.Release(t.At, t.Version)
	c.Some(t.At, "urls", len(t.URLs), "list at least one")
	for i, one := range t.URLs {
		u, err := url.Parse(one)
		_, local := archive.LocalPath(one)
		switch {
		case local && archive.IsTar(u.Path):
		case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "":
			c.Problem(t.At.Item("urls", i), "want https://… or file:///…", ": URL %q", one)
		case !archive.IsTar(u.Path):
			c.Problem(t.At.Item("urls", i), "want a "+strings.Join(archive.TarSuffixes, ", "), ": URL %q", one)
		}
	}
	t.checkChecksums(c)
}

func (t *Tarball) checkChecksums(c matrix.Checker) {
	vendor := c.Entry.Vendor
	asks := t.VendorAPI && vendor == flavor.MariaDB
	if t.VendorAPI && vendor != flavor.MariaDB && vendor != flavor.VendorUnknown {
		c.Problem(t.At.Of("vendor_api"), "give the checksum that the vendor publishes", ": only MariaDB has an API that says checksums")
	} else if !asks && t.At.Read() && !t.At.Has("md5") && !t.At.Has("sha256") && !t.At.Has("sha512") {
		fix := "add the md5, sha256 or sha512 that the vendor publishes"
		if vendor == flavor.MariaDB {
			fix += ", or vendor_api: true"
		}
		c.Problem(t.At.Line, fix, " has no checksum")
	}
	c.Checksum(t.At, "md5", t.MD5)
	c.Checksum(t.At, "sha256", t.SHA256)
	c.Checksum(t.At, "sha512", t.SHA512)
}

// Pin is the archive with the user's word on it.
func (t *Tarball) Pin(algorithm, checksum string, trustFirstUse bool) matrix.Declaration {
	if t.hasChecksum() {
		return t
	}
	pinned := *t
	pinned.TrustFirstUse = trustFirstUse
	switch algorithm {
	case "md5":
		pinned.MD5 = checksum
	case "sha256":
		pinned.SHA256 = checksum
	case "sha512":
		pinned.SHA512 = checksum
	}
	return &pinned
}

func (t *Tarball) hasChecksum() bool { return t.MD5+t.SHA256+t.SHA512 != "" }

func (t *Tarball) open(s *Store, e matrix.Entry, _ string) source {
	return &tarball{store: s, source: t, vendor: e.Vendor}
}

// tarball builds a basedir from a vendor's archive.
type tarball struct {
	store  *Store
	source *Tarball
	vendor flavor.Vendor
}

// fits says that an archive is for another kind of machine, as far as its name tells.
func (t *tarball) fits() error {
	for _, name := range []string{"x86_64", "x64", "amd64"} {
		if arch := t.store.machine().Arch; len(t.source.URLs) > 0 && arch != "amd64" && strings.Contains(archive.FileName(t.source.URLs[0]), name) {
			return fmt.Errorf("no %s archive: %s is for amd64", arch, archive.FileName(t.source.URLs[0]))
		}
	}
	return nil
}

// ask looks whether one of the archive's places has it.
func (t *tarball) ask(ctx context.Context) error {
	if err := t.fits(); err != nil {
		return err
	}
	var errs []error
	for _, one := range t.source.URLs {
		path, local := archive.LocalPath(one)
		var err error
		if local {
			_, err = os.Stat(path)
		} else {
			err = t.store.head(ctx, one)
		}
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (t *tarball) key() (string, error) {
	s := t.source
	if s.Own {
		id, err := s.id()
		return cacheKey("tarball-"+archive.FileName(s.URLs[0]), digest(recipe, "tarball", id)), err
	}
	sum := digest(append([]string{recipe, "tarball", s.MD5, s.SHA256, s.SHA512, s.Version}, s.URLs...)...)
	return cacheKey(t.vendor.String()+"-"+s.Version, sum), nil
}

// build downloads, verifies and unpacks. The archive is removed afterwards, unless what it holds cannot run
// yet for want of a shared library: then it is kept, verified, for the next try.
func (t *tarball) build(ctx context.Context, dir, _ string) (content, error) {
	if len(t.source.URLs) == 0 {
		return content{}, errors.New("no URL")
	}
	if err := t.fits(); err != nil {
		return content{}, err
	}
	file := archive.FileName(t.source.URLs[0])
	want, by, err := t.wanted(ctx, file)
	if err != nil {
		return content{}, err
	}
	d, got, err := t.archive(ctx, file, want, by)
	if err != nil {
		return content{}, err
	}
	unpack := unpackServer
	if t.source.Own {
		unpack = unpackAny
	}
	if err := unpack(ctx, d.File, file, dir, t.unpackedSize()); err != nil {
		return content{}, errors.Join(err, d.Discard())
	}
	if t.source.Own {
		return content{id: got.SHA256}, nil
	}
	done := content{id: got.SHA256, accept: func(ctx context.Context) error {
		return errors.Join(t.store.record(ctx, file, got.SHA256), d.Discard())
	}}
	done.reject = func(err error) error {
		if errors.As(err, new(*MissingLibrariesError)) {
			return nil
		}
		return d.Discard()
	}
	return done, nil
}

// unpackServer unpacks a vendor's archive, whose one top folder is the basedir.
func unpackServer(ctx context.Context, file, name, dir string, limit int64) error {
	return archive.UnpackTar(ctx, file, name, dir, archive.Rules{Limit: limit, Under: archive.WithoutTop()})
}

// wanted collects what the archive's checksums must be, and by whose word.
func (t *tarball) wanted(ctx context.Context, file string) (archive.Sums, string, error) {
	want := archive.Sums{MD5: t.source.MD5, SHA256: t.source.SHA256, SHA512: t.source.SHA512}
	if want.Known() || t.source.Own {
		return want, "matrix.yaml", nil
	}
	seen, err := t.store.seen(file)
	if err != nil {
		return archive.Sums{}, "", err
	}
	if seen != "" {
		return archive.Sums{SHA256: seen}, "the lock file", nil
	}
	var apiErr error
	if t.source.VendorAPI {
		want, apiErr = t.store.vendorSums(ctx, t.source.Version, file)
		if apiErr == nil {
			return want, "MariaDB", nil
		}
	}
	if !t.source.TrustFirstUse {
		return archive.Sums{}, "", &NoChecksumError{File: file, Err: apiErr}
	}
	return archive.Sums{}, "", nil
}

// archive brings the verified archive from the first URL that has it.
func (t *tarball) archive(ctx context.Context, file string, want archive.Sums, by string) (*archive.Download, archive.Sums, error) {
	key, err := t.key()
	if err != nil {
		return nil, archive.Sums{}, err
	}
	at, err := t.store.downloadPath(key)
	if err != nil {
		return nil, archive.Sums{}, err
	}
	d := &archive.Download{
		Client: t.store.client(), Name: file, File: at, Limit: t.unpackedSize(),
		Stall: t.store.stall(), Progress: t.store.Progress, Summed: want.Known(),
	}
	if got, err := t.verify(d, file, want, by); err == nil && want.Known() {
		return d, got, nil // kept by an earlier call
	}
	var attempts []error
	for _, u := range t.source.URLs {
		if path, local := archive.LocalPath(u); local {
			here := &archive.Download{File: path, Local: true}
			got, err := t.verify(here, file, want, by)
			if err == nil {
				return here, got, nil
			}
			attempts = append(attempts, err)
			continue
		}
		resumed := d.Resumable(u) > 0
		got, err := t.fetch(ctx, d, u, file, want, by)
		if resumed && errors.As(err, new(*archive.ChecksumError)) { // what was there was of another file
			got, err = t.fetch(ctx, d, u, file, want, by)
		}
		if err == nil {
			return d, got, nil
		}
		attempts = append(attempts, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, archive.Sums{}, unreached(attempts)
}

// fetch brings an archive from one place and verifies it.
func (t *tarball) fetch(ctx context.Context, d *archive.Download, url, file string, want archive.Sums, by string) (archive.Sums, error) {
	if err := d.Fetch(ctx, url); err != nil {
		return archive.Sums{}, err
	}
	got, err := t.verify(d, file, want, by)
	if err != nil {
		return archive.Sums{}, errors.Join(fmt.Errorf("download %s: %w", url, err), d.Discard())
	}
	return got, nil
}

// verify compares an archive with what is wanted, and with the lock file in any case.
func (t *tarball) verify(d *archive.Download, file string, want archive.Sums, by string) (archive.Sums, error) {
	got, err := archive.SumFile(d.File)
	if err != nil {
		return archive.Sums{}, err
	}
	if err := got.Check(file, want, by); err != nil || t.source.Own {
		return got, err
	}
	seen, err := t.store.seen(file)
	if err != nil {
		return archive.Sums{}, err
	}
	return got, got.Check(file, archive.Sums{SHA256: seen}, "the lock file")
}

func (t *tarball) unpackedSize() int64 {
	if size := t.source.UnpackedSize; size > 0 {
		return size
	}
	return defaultUnpackedSize
}
