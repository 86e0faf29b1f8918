package basedir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mysqlmatrix/harness/apt"
	"mysqlmatrix/harness/archive"
	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/release"
)

const (
	// cacheKind is the cache's folder for basedirs.
	cacheKind = "basedirs"
	// recipe is part of every key: raise it when the layout of a built basedir changes.
	recipe = "2"
)

// Store obtains basedirs and keeps them in a cache. It may be used by several goroutines and processes at
// once: those that want the same basedir wait for one another.
type Store struct {
	Cache      *cache.Cache
	HTTP       *http.Client                         // nil means http.DefaultClient
	Log        func(string)                         // what is being done, for humans; may be nil
	Progress   func(name string, done, total int64) // bytes of a download; total is -1 when unknown; may be nil
	LockFile   string                               // checksums of archives as first seen; "" keeps none
	MariaDBAPI string                               // base URL of MariaDB's downloads API; "" means the vendor's own
	Machine    release.Machine                      // that archives have to fit; the zero value is this one
	Stall      time.Duration                        // how long a server may say nothing; 0 means a minute

	ran sync.Map // paths of basedirs whose servers have run
}

// content is what a source has put into a folder.
type content struct {
	id       string // digest of what it was made from
	packages []apt.Package
	accept   func(context.Context) error // the basedir is good; may be nil
	reject   func(error) error           // it is not; may be nil
}

// kind is a declaration that this package can make a basedir of. One file implements a kind: what it declares, how that is
// checked, and how it fills a folder; it registers itself with matrix.Register.
type kind interface {
	matrix.Declaration
	// open gives the source for an entry. Relative paths are relative to the project's folder.
	open(s *Store, e matrix.Entry, project string) source
}

// source is one way to fill a basedir.
type source interface {
	// key names the basedir in the cache; it differs whenever the content would.
	key() (string, error)
	// ask says whether the source could be obtained here, at the cost of headers and indexes only.
	ask(ctx context.Context) error
	// build fills dir, which becomes final afterwards.
	build(ctx context.Context, dir, final string) (content, error)
}

// Obtain gives an entry's basedir: from the cache when any of its sources was built before, else from the
// first source that works. projectDir is what relative paths in the entry are relative to. When no source
// works the error is an *UnavailableError with the reason for each.
func (s *Store) Obtain(ctx context.Context, e matrix.Entry, projectDir string) (*Basedir, error) {
	if b, err := s.usable(ctx, e, projectDir); b != nil || err != nil {
		return b, err
	}
	unavailable := &UnavailableError{Entry: e.Name}
	for i, declared := range e.Sources {
		b, err := s.obtain(ctx, e, declared, projectDir)
		if err == nil {
			return b, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("obtain %s: %w", e.Name, err)
		}
		if i+1 < len(e.Sources) { // the last one's reason is in the error
			first, _, _ := strings.Cut(err.Error(), "\n")
			s.log("%s: on to its next source: %s", e.Name, first)
		}
		unavailable.Attempts = append(unavailable.Attempts, err)
	}
	return nil, unavailable
}

// Cached gives an entry's basedir when it is there already and its server runs, whichever of its sources it came from. It
// fetches and changes nothing. Relative paths in the entry are relative to the lock file's folder, which is the project's.
func (s *Store) Cached(e matrix.Entry) (*Basedir, bool) {
	for _, b := range s.cached(e, filepath.Dir(s.LockFile)) {
		if s.sound(context.Background(), b) == nil {
			return b, true
		}
	}
	return nil, false
}

// usable is the entry's basedir when it is there and its server runs, or can be made to run.
func (s *Store) usable(ctx context.Context, e matrix.Entry, projectDir string) (*Basedir, error) {
	for key, b := range s.cached(e, projectDir) {
		err := s.sound(ctx, b)
		if errors.As(err, new(*UnsoundError)) {
			var ok bool
			if ok, err = s.repair(ctx, e, key, b, err); err == nil && !ok {
				continue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("obtain %s: %w", e.Name, err)
		}
		return b, nil
	}
	return nil, nil
}

// cached are the basedirs of an entry that were built before, by their keys, the best source's first.
func (s *Store) cached(e matrix.Entry, projectDir string) iter.Seq2[string, *Basedir] {
	return func(yield func(string, *Basedir) bool) {
		for _, declared := range e.Sources {
			src, err := s.open(e, declared, projectDir)
			if err != nil {
				continue
			}
			key, err := src.key()
			if err != nil {
				continue
			}
			path, ok := s.Cache.Lookup(cacheKind, key)
			if !ok {
				continue
			}
			if b, err := load(path, e.Name); err == nil && match(e, b) == nil && !yield(key, b) {
				return
			}
		}
	}
}

func (s *Store) obtain(ctx context.Context, e matrix.Entry, declared matrix.Source, projectDir string) (*Basedir, error) {
	src, err := s.open(e, declared, projectDir)
	if err != nil {
		return nil, err
	}
	what := declared.Declared.String()
	fail := func(err error) (*Basedir, error) { return nil, fmt.Errorf("%s: %w", what, err) }
	key, err := src.key()
	if err != nil {
		return fail(err)
	}
	path, err := s.Cache.Build(ctx, cacheKind, key, func(ctx context.Context, dir, final string) error {
		s.log("%s: obtaining it from %s", e.Name, what)
		c, err := src.build(ctx, dir, final)
		if err != nil {
			return err
		}
		b := &Basedir{Digest: digest(recipe, c.id), Entry: e.Name, Source: what, Packages: c.packages}
		return s.complete(ctx, e, b, c, dir, final)
	})
	if err != nil {
		return fail(err)
	}
	b, err := load(path, e.Name)
	if err == nil {
		err = match(e, b)
	}
	if err != nil {
		return fail(err)
	}
	return b, nil
}

// complete finishes, verifies and describes what a source has built.
func (s *Store) complete(ctx context.Context, e matrix.Entry, b *Basedir, c content, dir, final string) error {
	err := s.finish(ctx, e, b, dir, final)
	if err == nil {
		err = b.save(dir)
	}
	if err == nil && c.accept != nil {
		err = c.accept(ctx)
	}
	if err != nil && c.reject != nil {
		err = errors.Join(err, c.reject(err))
	}
	return err
}

// open makes a source of what an entry declares.
func (s *Store) open(e matrix.Entry, declared matrix.Source, projectDir string) (source, error) {
	k, ok := declared.Declared.(kind)
	if !ok {
		return nil, fmt.Errorf("entry %s: a source of the kind %q, which cannot be obtained", e.Name, declared.Kind())
	}
	return k.open(s, e, projectDir), nil
}

// cacheKey is a readable name with the part of a digest that makes it unique.
func cacheKey(name, digest string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, strings.ReplaceAll(name, " ", "-"))
	return strings.TrimLeft(plain, ".") + "-" + digest[:12]
}

// digest is the SHA-256 over a list of texts.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s\n", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s *Store) client() *http.Client {
	if s.HTTP != nil {
		return s.HTTP
	}
	return http.DefaultClient
}

func (s *Store) stall() time.Duration {
	if s.Stall > 0 {
		return s.Stall
	}
	return archive.DefaultStall
}

// downloadPath is where an archive lies while it is fetched and unpacked.
func (s *Store) downloadPath(key string) (string, error) {
	dir := filepath.Join(s.Cache.Root(), "downloads")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("downloads folder: %w", err)
	}
	return filepath.Join(dir, key), nil
}

func (s *Store) log(format string, args ...any) {
	if s.Log != nil {
		s.Log(fmt.Sprintf(format, args...))
	}
}

// Remove deletes a basedir from the cache.
func (s *Store) Remove(ctx context.Context, b *Basedir) error {
	rel, ok := strings.CutPrefix(b.Path, s.Cache.Root()+string(os.PathSeparator)+cacheKind+string(os.PathSeparator))
	if !ok {
		return fmt.Errorf("remove basedir %s: it is not in the cache", b.Path)
	}
	return s.Cache.Remove(ctx, cacheKind, rel)
}
