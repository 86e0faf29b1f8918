// Package folder says what a folder must be able to do before anything works in it, and whether it can: one list for
// doctor and for every command.
package folder

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

// Use is what a folder is for.
type Use struct {
	Name   string // "run folder"
	Remedy string // "choose another with --run-dir"
	needs  []ability
	room   uint64      // free bytes
	plain  bool        // its path stands in shell scripts, option files and search paths
	mode   os.FileMode // of one that is made; 0 is 0755
}

// ability is one thing that a folder must be able to do. probe is a folder inside of it that is removed afterwards.
type ability struct {
	name string
	has  func(u Use, dir, probe string) error
}

// All that a folder may have to do.
var (
	writes = ability{"it can be written", func(_ Use, _, probe string) error {
		return os.WriteFile(filepath.Join(probe, "file"), []byte("x"), 0o600)
	}}
	runs = ability{"programs run in it", func(_ Use, dir, _ string) error {
		var stat unix.Statfs_t
		if err := unix.Statfs(dir, &stat); err != nil {
			return err
		}
		if stat.Flags&unix.ST_NOEXEC != 0 {
			return errors.New("its file system is mounted noexec")
		}
		return nil
	}}
	locks = ability{"files in it can be locked", func(_ Use, _, probe string) error {
		lock := flock.New(filepath.Join(probe, "lock"))
		if _, err := lock.TryLock(); err != nil {
			return err
		}
		return lock.Unlock()
	}}
	links = ability{"it holds symbolic links", func(_ Use, _, probe string) error {
		return os.Symlink("file", filepath.Join(probe, "link"))
	}}
	sockets = ability{"it holds Unix sockets", func(_ Use, _, probe string) error {
		path := filepath.Join(probe, "socket")
		if len(path) > SocketLimit {
			return fmt.Errorf("the path of a socket in it is longer than %d bytes", SocketLimit)
		}
		listener, err := net.Listen("unix", path)
		if err != nil {
			return err
		}
		return listener.Close()
	}}
	deep = ability{"the paths of servers' sockets fit", func(_ Use, dir, _ string) error {
		if length := socketLength(dir); length > SocketLimit {
			return fmt.Errorf("sockets below it would have paths of %d bytes, the limit is %d: a shorter path is needed", length, SocketLimit)
		}
		return nil
	}}
	room = ability{"it has room", func(u Use, dir, _ string) error {
		var stat unix.Statfs_t
		if err := unix.Statfs(dir, &stat); err != nil {
			return err
		}
		if free := stat.Bavail * uint64(stat.Bsize); free < u.room {
			return fmt.Errorf("it has %d MiB free, and at least %d are needed", free>>20, u.room>>20)
		}
		if stat.Files > 0 && stat.Ffree < inodes {
			return fmt.Errorf("its file system has room for %d files more, and at least %d are needed", stat.Ffree, inodes)
		}
		return nil
	}}
)

const (
	// SocketLimit is the longest path of a Unix socket, without its final NUL (unix(7), sun_path).
	SocketLimit = 107
	// deepestSocket is the longest path of a socket below a run folder.
	deepestSocket = "up-percona-server-8.0-1234567890/t/intermediate1/data/mysql_sandbox20000.sock"
	inodes        = 2000 // a few servers' files
)

// What the harness's folders must be able to do.
var (
	Run = Use{Name: "run folder", Remedy: "choose another with --run-dir, or with TMPDIR", room: 24 << 20, mode: 0o700,
		needs: []ability{deep, writes, runs, locks, links, sockets, room}}
	Cache = Use{Name: "cache folder", Remedy: "choose another with --cache, or with MATRIX_CACHE", room: 50 << 20, plain: true,
		needs: []ability{writes, runs, locks, links, room}}
	// SharedCache is one that others have filled, and that cannot be written here.
	SharedCache = Use{Name: "cache folder", Remedy: Cache.Remedy, plain: true, needs: []ability{runs}}
	Temporary   = Use{Name: "TMPDIR", Remedy: "set TMPDIR to another folder", room: 24 << 20, plain: true,
		needs: []ability{writes, runs, room}}
	Results = Use{Name: "--out", Remedy: "choose another folder", needs: []ability{writes}}
)

// UnfitError is a folder that cannot serve.
type UnfitError struct {
	Use Use
	Dir string
	Err error
}

// Error is one line with cause and remedy.
func (e *UnfitError) Error() string {
	return fmt.Sprintf("%s %s: %s: %s", e.Use.Name, shown(e.Dir), strings.ReplaceAll(e.Err.Error(), "\n", "; "), e.Use.Remedy)
}

// Unwrap gives the cause.
func (e *UnfitError) Unwrap() error { return e.Err }

// shown is a path as a message has it: one with signs that a terminal acts upon is quoted.
func shown(path string) string {
	if strings.ContainsFunc(path, unicode.IsControl) {
		return fmt.Sprintf("%q", path)
	}
	return path
}

// Check makes a folder if need be and says what it lacks for a use, the first thing that is missing. The error is an
// *UnfitError.
func Check(dir string, use Use) error {
	if err := check(dir, use); err != nil {
		return &UnfitError{Use: use, Dir: dir, Err: err}
	}
	return nil
}

func check(dir string, use Use) (err error) {
	if odd := Odd(dir); use.plain && odd != "" {
		return fmt.Errorf("its path has %s, which shell scripts, option files and search paths of servers do not take", odd)
	}
	if !utf8.ValidString(dir) || strings.ContainsFunc(dir, unicode.IsControl) {
		return errors.New("its path is no text that a report can hold")
	}
	if err := Make(dir, cmp.Or(use.mode, 0o755)); err != nil {
		return cannot(writes, err)
	}
	probe := ""
	if use.writable() {
		if probe, err = newProbe(dir); err != nil {
			return cannot(writes, err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(probe)) }()
	}
	for _, one := range use.needs {
		if err := one.has(use, dir, probe); err != nil {
			return cannot(one, err)
		}
	}
	return nil
}

// temporary is an error when a folder is to lie in TMPDIR, and TMPDIR does not exist or is a relative path. Nobody would look for
// a folder that is made there.
func temporary(dir string) error {
	temp := os.TempDir()
	whole, err := filepath.Abs(temp)
	if err != nil {
		return err
	}
	if below, err := filepath.Rel(whole, dir); err != nil || below == ".." || strings.HasPrefix(below, "../") {
		return nil
	}
	if !filepath.IsAbs(temp) {
		return fmt.Errorf("TMPDIR is %s, which is a relative path", shown(temp))
	}
	if info, err := os.Stat(temp); err != nil || !info.IsDir() {
		return fmt.Errorf("TMPDIR is %s, which is no folder", shown(temp))
	}
	return nil
}

// Make makes a folder and those above it. Where a link to nothing is in its way the error says so; the system's says that a file
// exists.
func Make(dir string, mode os.FileMode) error {
	if err := errors.Join(temporary(dir), Dangling(dir)); err != nil {
		return err
	}
	return os.MkdirAll(dir, mode)
}

// Dangling is an error when a folder, or one above it, is a link to nothing.
func Dangling(dir string) error {
	for at := filepath.Clean(dir); at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil {
			return nil
		}
		if target, err := os.Readlink(at); err == nil {
			return fmt.Errorf("%s is a link to %s, which is not there", shown(at), shown(target))
		}
	}
	return nil
}

// abandoned is the age from which a probe is one that a killed process has left.
const abandoned = time.Minute

// newProbe makes a folder to try things in, and removes those that were left.
func newProbe(dir string) (string, error) {
	const prefix = ".probe-"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), prefix) && time.Since(info.ModTime()) > abandoned {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return "", err
			}
		}
	}
	return os.MkdirTemp(dir, prefix)
}

func (u Use) writable() bool {
	for _, one := range u.needs {
		if one.name == writes.name {
			return true
		}
	}
	return false
}

// cannot says which ability is missing, and why.
func cannot(a ability, err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("want that %s: %w", a.name, err)
}

// Can is what a folder that serves is able to do, in words.
func (u Use) Can() string {
	var words []string
	for _, one := range u.needs {
		words = append(words, one.name)
	}
	return strings.Join(words, ", ")
}

// Free is how many bytes this user may still write to a folder's file system.
func Free(dir string) (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	blocks := stat.Bavail
	if os.Geteuid() == 0 {
		blocks = stat.Bfree // what is reserved is root's
	}
	return blocks * uint64(stat.Bsize), nil
}

// PathFault says why servers cannot run below a folder under this path, though they may under another one, a link to it: it has
// odd signs, or is too long for their sockets. "" when they can.
func PathFault(path string) string {
	if odd := Odd(path); odd != "" {
		return "has " + odd
	}
	if length := socketLength(path); length > SocketLimit {
		return fmt.Sprintf("would give sockets paths of %d bytes, and the limit is %d", length, SocketLimit)
	}
	return ""
}

// socketLength is how long the path of a server's socket may become below a run folder.
func socketLength(dir string) int { return len(filepath.Join(dir, deepestSocket)) }

// Odd names what a path has that shell scripts, option files or search paths give a meaning; "" for nothing. Names beyond
// ASCII are odd as well, since servers and tools have their own ideas of them.
func Odd(path string) string {
	for _, r := range path {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("/._+@,=~%-", r):
		case r == ' ':
			return "a blank"
		case unicode.IsControl(r):
			return fmt.Sprintf("the control character %q", r)
		default:
			return fmt.Sprintf("the character %c", r)
		}
	}
	return ""
}
