// Package cache keeps folders that are built once, under a lock, and appear whole or not at all.
//
// A folder is built beside its final place and renamed when it is complete, so that a builder that is
// killed half-way leaves nothing that the next one trusts. Builders of the same folder, in this process or
// in others, wait for one another on a lock file.
package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"

	"mysqlmatrix/harness/folder"
)

// lockPoll is how often a waiting builder looks at the lock again.
const lockPoll = 50 * time.Millisecond

// Cache is a folder of built folders: <root>/<kind>/<key>, with its locks under <root>/locks.
type Cache struct {
	// OnWait, when set, is told once what is waited for when another process holds a lock.
	OnWait func(what string)

	root     string
	readOnly bool // somebody else's: what is in it is used, and nothing is added
}

// DefaultDir is the folder that the user has named, or else one for this project in the user's folder of caches
// ($XDG_CACHE_HOME).
func DefaultDir(named string) (string, error) {
	if named != "" {
		return filepath.Abs(named)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	return filepath.Join(base, "mysql-matrix"), nil
}

// Open makes the cache's folder if need be, and checks that it can serve; one that is there and cannot be written is used
// as it is. The root must be absolute, since built folders may hold their own final path (an ELF interpreter, a socket).
// An error is a *folder.UnfitError.
func Open(root string) (*Cache, error) {
	if !filepath.IsAbs(root) {
		return nil, &folder.UnfitError{Use: folder.Cache, Dir: root, Err: errors.New("want an absolute path")}
	}
	if resolved, err := filepath.EvalSymlinks(root); err == nil {
		root = resolved
	}
	if err := unix.Access(root, unix.W_OK); errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) {
		return &Cache{root: root, readOnly: true}, folder.Check(root, folder.SharedCache)
	}
	if err := folder.Check(root, folder.Cache); err != nil {
		return nil, err
	}
	resolved, err := filepath.EvalSymlinks(root)
	if err == nil {
		err = os.MkdirAll(filepath.Join(resolved, "locks"), 0o755)
	}
	if err != nil {
		return nil, &folder.UnfitError{Use: folder.Cache, Dir: root, Err: err}
	}
	return &Cache{root: resolved}, nil
}

// ReadOnly says that nothing can be added to the cache.
func (c *Cache) ReadOnly() bool { return c.readOnly }

// errReadOnly is what whoever would add to a cache of somebody else's is told.
func (c *Cache) errReadOnly(what string) error {
	return fmt.Errorf("%s is not in the cache folder %s, which cannot be written: %s", what, c.root, folder.Cache.Remedy)
}

// Root is the cache's absolute folder.
func (c *Cache) Root() string { return c.root }

// Lookup finds a folder that was built before.
func (c *Cache) Lookup(kind, key string) (path string, ok bool) {
	path = filepath.Join(c.root, kind, key)
	info, err := os.Stat(path)
	return path, err == nil && info.IsDir()
}

// Build returns the folder <root>/<kind>/<key>, calling build to fill it when it is not there yet.
// build fills dir, which is renamed to final afterwards; what it writes must speak of final where it
// needs a path. When build fails, dir is removed and nothing is left.
func (c *Cache) Build(ctx context.Context, kind, key string, build func(ctx context.Context, dir, final string) error) (path string, err error) {
	if err := checkKey(kind, key); err != nil {
		return "", err
	}
	if path, ok := c.Lookup(kind, key); ok {
		return path, nil
	}
	if c.readOnly {
		return "", c.errReadOnly(kind + "/" + key)
	}
	unlock, err := c.Lock(ctx, kind+"-"+key)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	path, ok := c.Lookup(kind, key)
	if ok {
		return path, nil
	}
	dir := filepath.Join(c.root, kind, buildingPrefix+key)
	// Whoever built here before is dead: it would hold the lock.
	if err := RemoveAll(dir); err != nil {
		return "", fmt.Errorf("clear a killed build: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("build %s %s: %w", kind, key, err)
	}
	if err := build(ctx, dir, path); err != nil {
		return "", errors.Join(err, RemoveAll(dir))
	}
	if err := os.Rename(dir, path); err != nil {
		return "", errors.Join(fmt.Errorf("build %s %s: %w", kind, key, err), RemoveAll(dir))
	}
	return path, nil
}

// Remove deletes a built folder; it is no error when there is none.
func (c *Cache) Remove(ctx context.Context, kind, key string) (err error) {
	if err := checkKey(kind, key); err != nil {
		return err
	}
	unlock, err := c.Lock(ctx, kind+"-"+key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return RemoveAll(filepath.Join(c.root, kind, key))
}

// Lock takes the lock of a name, waiting for whoever holds it until ctx ends. The operating system lets
// go of it when the holder dies.
func (c *Cache) Lock(ctx context.Context, name string) (unlock func() error, err error) {
	lock, held, err := c.tryLock(name)
	if err != nil {
		return nil, err
	}
	if !held {
		if c.OnWait != nil {
			c.OnWait(name)
		}
		if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
			return nil, fmt.Errorf("wait for another process that builds %s: %w", name, err)
		}
	}
	return lock.Unlock, nil
}

// TryLock takes the lock of a name, or says that somebody holds it, or that there can be none.
func (c *Cache) TryLock(name string) (unlock func() error, held bool) {
	lock, held, err := c.tryLock(name)
	if err != nil || !held {
		return nil, false
	}
	return lock.Unlock, true
}

func (c *Cache) tryLock(name string) (*flock.Flock, bool, error) {
	if c.readOnly {
		return nil, false, c.errReadOnly(name)
	}
	if err := os.MkdirAll(filepath.Join(c.root, "locks"), 0o755); err != nil {
		return nil, false, fmt.Errorf("lock %s: %w", name, err)
	}
	lock := flock.New(filepath.Join(c.root, "locks", name+".lock"))
	held, err := lock.TryLock()
	if err != nil {
		return nil, false, fmt.Errorf("lock %s: %w", name, err)
	}
	return lock, held, nil
}

// RemoveAll deletes a tree even where its folders are read-only, as archives may have made them.
func RemoveAll(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		return nil
	}
	walkErr := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return nil
	})
	return errors.Join(walkErr, os.RemoveAll(dir))
}

// Empty removes what is in a folder that is being built.
func Empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		errs = append(errs, RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return errors.Join(errs...)
}

func checkKey(kind, key string) error {
	for _, name := range []string{kind, key} {
		if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\x00") {
			return fmt.Errorf("cache key %q/%q: want plain names", kind, key)
		}
	}
	return nil
}

// buildingPrefix marks folders that are being built.
const buildingPrefix = ".building-"

// ClearAbandoned removes the folders of builders that were killed: those whose lock nobody holds. before
// is called on each first, to end whatever still works in it.
func (c *Cache) ClearAbandoned(before func(dir string) error) error {
	if c.readOnly {
		return nil
	}
	dirs, err := filepath.Glob(filepath.Join(c.root, "*", buildingPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		kind, key := filepath.Base(filepath.Dir(dir)), strings.TrimPrefix(filepath.Base(dir), buildingPrefix)
		lock := flock.New(filepath.Join(c.root, "locks", kind+"-"+key+".lock"))
		held, err := lock.TryLock()
		if err != nil {
			return fmt.Errorf("lock of %s: %w", dir, err)
		}
		if !held {
			continue // its builder lives
		}
		if err := errors.Join(before(dir), RemoveAll(dir), lock.Unlock()); err != nil {
			return fmt.Errorf("clear what a killed process left: %w", err)
		}
	}
	return nil
}

// Size is the number of bytes that the cache's files occupy, without the holes of sparse ones.
func (c *Cache) Size() (int64, error) {
	var total int64
	err := filepath.WalkDir(c.root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			total += stat.Blocks * 512 // st_blocks counts units of 512 bytes, whatever the file system's own (stat(2))
		}
		return nil
	})
	return total, err
}

// Clear empties the cache. Builders at work keep their locks and fail when they rename.
func (c *Cache) Clear() error {
	entries, err := os.ReadDir(c.root)
	if err != nil {
		return fmt.Errorf("empty the cache: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		errs = append(errs, RemoveAll(filepath.Join(c.root, entry.Name())))
	}
	return errors.Join(errs...)
}
