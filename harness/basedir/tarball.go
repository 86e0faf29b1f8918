package basedir

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"

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

// tarball builds a basedir from a vendor's archive.
type tarball struct {
	store  *Store
	source *matrix.Tarball
	vendor flavor.Vendor
}

func (t *tarball) key() (string, error) {
	s := t.source
	sum := digest(append([]string{recipe, "tarball", s.MD5, s.SHA256, s.SHA512, s.Version}, s.URLs...)...)
	return cacheKey(t.vendor.String()+"-"+s.Version, sum), nil
}

// build downloads, verifies and unpacks. The archive is removed afterwards, unless what it holds cannot run
// yet for want of a shared library: then it is kept, verified, for the next try.
func (t *tarball) build(ctx context.Context, dir, _ string) (content, error) {
	if len(t.source.URLs) == 0 {
		return content{}, errors.New("no URL")
	}
	file := fileName(t.source.URLs[0])
	want, by, err := t.wanted(ctx, file)
	if err != nil {
		return content{}, err
	}
	d, got, err := t.archive(ctx, file, want, by)
	if err != nil {
		return content{}, err
	}
	if err := extract(ctx, d.file, file, dir, t.unpackedSize()); err != nil {
		return content{}, errors.Join(err, d.discard())
	}
	done := content{id: got.sha256, accept: func(ctx context.Context) error {
		return errors.Join(t.store.record(ctx, file, got.sha256), d.discard())
	}}
	done.reject = func(err error) error {
		if errors.As(err, new(*MissingLibrariesError)) {
			return nil
		}
		return d.discard()
	}
	return done, nil
}

// wanted collects what the archive's checksums must be, and by whose word.
func (t *tarball) wanted(ctx context.Context, file string) (sums, string, error) {
	want := sums{md5: t.source.MD5, sha256: t.source.SHA256, sha512: t.source.SHA512}
	if want.known() {
		return want, "matrix.yaml", nil
	}
	seen, err := t.store.seen(file)
	if err != nil {
		return sums{}, "", err
	}
	if seen != "" {
		return sums{sha256: seen}, "the lock file", nil
	}
	var apiErr error
	if t.source.VendorAPI {
		want, apiErr = t.store.vendorSums(ctx, t.source.Version, file)
		if apiErr == nil {
			return want, "MariaDB", nil
		}
	}
	if !t.source.TrustFirstUse {
		return sums{}, "", &NoChecksumError{File: file, Err: apiErr}
	}
	return sums{}, "", nil
}

// archive brings the verified archive from the first URL that has it.
func (t *tarball) archive(ctx context.Context, file string, want sums, by string) (*download, sums, error) {
	key, err := t.key()
	if err != nil {
		return nil, sums{}, err
	}
	at, err := t.store.downloadPath(key)
	if err != nil {
		return nil, sums{}, err
	}
	d := &download{
		client: t.store.client(), name: file, file: at, limit: t.unpackedSize(),
		stall: t.store.stall(), progress: t.store.Progress,
	}
	if got, err := t.verify(d, file, want, by); err == nil && want.known() {
		return d, got, nil // kept by an earlier call
	}
	var attempts []error
	for _, u := range t.source.URLs {
		err := d.fetch(ctx, u)
		if err == nil {
			var got sums
			if got, err = t.verify(d, file, want, by); err == nil {
				return d, got, nil
			}
			err = errors.Join(fmt.Errorf("download %s: %w", u, err), d.discard())
		}
		attempts = append(attempts, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, sums{}, errors.Join(attempts...)
}

// verify compares an archive with what is wanted, and with the lock file in any case.
func (t *tarball) verify(d *download, file string, want sums, by string) (sums, error) {
	got, err := sumFile(d.file)
	if err != nil {
		return sums{}, err
	}
	if err := got.check(file, want, by); err != nil {
		return sums{}, err
	}
	seen, err := t.store.seen(file)
	if err != nil {
		return sums{}, err
	}
	return got, got.check(file, sums{sha256: seen}, "the lock file")
}

func (t *tarball) unpackedSize() int64 {
	if size := int64(t.source.UnpackedSize); size > 0 {
		return size
	}
	return defaultUnpackedSize
}

// fileName is the last part of a URL's path.
func fileName(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return path.Base(raw)
	}
	return path.Base(u.Path)
}
