// Package rundir gives every run a folder of its own, short enough for Unix sockets, that is known to be
// abandoned when its owner is dead, and is then cleared with every process that works in it.
package rundir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"mysqlmatrix/harness/folder"
	"mysqlmatrix/harness/proc"
)

const (
	ownerFile = "owner.lock" // held by the process that the folder belongs to
	keptFile  = "kept"       // there when the folder is to outlive its owner; holds a word on why
	lockFile  = ".lock"
	grace     = 2 * time.Second
)

// Root is the folder of all run folders of one user.
type Root struct {
	dir  string // by which everything below it is named
	real string // the same without links; another one where dir is an alias
}

// DefaultDir is the root of this user's run folders unless another one is named.
func DefaultDir() string {
	return filepath.Join(os.TempDir(), "mysql-matrix-"+strconv.Itoa(os.Getuid()))
}

// Open makes the root folder if need be and checks that servers can run in it. Only its user may look into it. An error is
// a *folder.UnfitError.
func Open(dir string) (*Root, error) {
	unfit := func(err error) (*Root, error) {
		var known *folder.UnfitError
		if errors.As(err, &known) {
			known.Dir = dir
			return nil, known
		}
		return nil, &folder.UnfitError{Use: folder.Run, Dir: dir, Err: err}
	}
	if err := folder.Make(dir, 0o700); err != nil {
		return unfit(fmt.Errorf("it cannot be made: %w", err))
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return unfit(err)
	}
	r := &Root{dir: resolved, real: resolved}
	if err := r.check(); err != nil {
		return unfit(err)
	}
	spread(resolved)
	return r, nil
}

// check says whether servers can run in the root, by another name where its own is odd.
func (r *Root) check() (err error) {
	if folder.PathFault(r.real) != "" {
		unlock, err := r.lock(context.Background()) // against vanish
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, unlock()) }()
		if r.dir, err = alias(r.real); err != nil {
			return err
		}
	}
	if err := folder.Check(r.dir, folder.Run); err != nil {
		return errors.Join(err, r.vanishLocked())
	}
	return nil
}

// Path is the root folder.
func (r *Root) Path() string { return r.dir }

// Dir is one run's folder.
type Dir struct {
	Path  string
	owner *flock.Flock
	root  *Root
}

// Create makes a folder that belongs to this process until it ends, releases or keeps it.
func (r *Root) Create(ctx context.Context, prefix string) (_ *Dir, err error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := r.appear(); err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(r.dir, prefix+"-")
	if err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	owner := flock.New(filepath.Join(path, ownerFile))
	if held, err := owner.TryLock(); err != nil || !held {
		return nil, errors.Join(fmt.Errorf("run folder %s: cannot be locked", path), err)
	}
	return &Dir{Path: path, owner: owner, root: r}, nil
}

// Keep lets the folder and its processes outlive this process; why is told to whoever lists it.
func (d *Dir) Keep(why string) error {
	return errors.Join(MarkKept(d.Path, why), d.owner.Unlock())
}

// MarkKept marks a folder of a run as one to outlive its owner.
func MarkKept(path, why string) error {
	return os.WriteFile(filepath.Join(path, keptFile), []byte(why+"\n"), 0o644)
}

// Kept says whether somebody has marked the folder to outlive its owner.
func (d *Dir) Kept() bool {
	_, err := os.Stat(filepath.Join(d.Path, keptFile))
	return err == nil
}

// Release gives up ownership and leaves the folder as it is.
func (d *Dir) Release() error { return d.owner.Unlock() }

// Remove ends every process of the folder and deletes it.
func (d *Dir) Remove(ctx context.Context) error {
	err := clear(ctx, d.Path)
	return errors.Join(err, d.owner.Unlock(), d.root.vanish(ctx))
}

// Kept is a folder that outlives its owner.
type Kept struct{ Path, Why string }

// Kept lists the folders that were kept.
func (r *Root) Kept() ([]Kept, error) {
	paths, err := r.list()
	if err != nil {
		return nil, err
	}
	var kept []Kept
	for _, path := range paths {
		if why, err := os.ReadFile(filepath.Join(path, keptFile)); err == nil {
			kept = append(kept, Kept{path, strings.TrimSpace(string(why))})
		}
	}
	return kept, nil
}

// RemoveKept ends every process of a kept folder and deletes it.
func (r *Root) RemoveKept(ctx context.Context, path string) error {
	if filepath.Dir(path) != r.dir {
		return fmt.Errorf("%s is not a folder of %s", path, r.dir)
	}
	return errors.Join(clear(ctx, path), r.vanish(ctx))
}

// ClearAbandoned removes the folders whose owners are dead and that were not kept, with their processes, and ends the processes
// of folders that somebody has deleted under them. It returns the folders that it removed.
func (r *Root) ClearAbandoned(ctx context.Context) (removed []string, err error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	paths, err := r.list()
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join(path, keptFile)); err == nil {
			continue
		}
		owner := flock.New(filepath.Join(path, ownerFile))
		held, err := owner.TryLock()
		if errors.Is(err, fs.ErrNotExist) {
			continue // its owner has removed it since it was listed
		}
		if err != nil {
			return removed, fmt.Errorf("run folder %s: %w", path, err)
		}
		if !held {
			continue // its owner lives
		}
		if err := errors.Join(clear(ctx, path), owner.Unlock()); err != nil {
			return removed, err
		}
		removed = append(removed, path)
	}
	return removed, errors.Join(r.endHomeless(ctx), r.vanishLocked())
}

// endHomeless ends the processes whose folder below the root was deleted by hand: no list shows them, and nobody would end them.
func (r *Root) endHomeless(ctx context.Context) error {
	found, err := proc.Find(r.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, one := range found {
		below, err := filepath.Rel(r.dir, one.Scope)
		top, _, _ := strings.Cut(below, "/")
		if err != nil || top == "." {
			continue // it works in the root itself
		}
		path := filepath.Join(r.dir, top)
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			_, err := proc.Sweep(ctx, path, grace)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (r *Root) list() ([]string, error) {
	entries, err := os.ReadDir(r.real)
	if err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	var paths []string
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			paths = append(paths, filepath.Join(r.dir, entry.Name()))
		}
	}
	return paths, nil
}

func (r *Root) lock(ctx context.Context) (unlock func() error, err error) {
	lock := flock.New(filepath.Join(r.real, lockFile))
	if _, err := lock.TryLockContext(ctx, 10*time.Millisecond); err != nil {
		return nil, fmt.Errorf("run folder %s: wait for its lock: %w", r.dir, err)
	}
	return lock.Unlock, nil
}

func clear(ctx context.Context, path string) error {
	if _, err := proc.Sweep(ctx, path, grace); err != nil {
		return fmt.Errorf("clear %s: %w", path, err)
	}
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("clear %s: %w", path, err)
	}
	return nil
}
