package basedir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

// An UnsoundError is a cached server that cannot run where it lies: its cache was moved, or copied from another machine.
type UnsoundError struct {
	Path string
	Err  error
}

// Error says what is wrong.
func (e *UnsoundError) Error() string {
	return fmt.Sprintf("the cached server in %s does not run: %s: it was unpacked elsewhere; delete that folder, so that it is obtained anew", e.Path, firstLine(e.Err))
}

// Unwrap gives the reason.
func (e *UnsoundError) Unwrap() error { return e.Err }

// sound runs a cached server, once for each basedir: that a folder is there says little. The error is an *UnsoundError
// when the server cannot run, and another one when it cannot be told.
func (s *Store) sound(ctx context.Context, b *Basedir) error {
	if _, known := s.ran.Load(b.Path); known {
		return nil
	}
	if err := strayLinker(b.Path); err != nil {
		return &UnsoundError{b.Path, err}
	}
	_, _, err := staging{dir: b.Path, final: b.Path}.version(ctx)
	if cannotRun(err) {
		return &UnsoundError{b.Path, err}
	}
	if err == nil {
		s.ran.Store(b.Path, true)
	}
	return err
}

// notLoaded is the exit code of a dynamic linker that lacks a library, and of a shell for a program that is not there.
const notLoaded = 127

// cannotRun tells a program that cannot be started from one that was stopped.
func cannotRun(err error) bool {
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode() == notLoaded
	}
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) || errors.As(err, new(*exec.Error))
}

// privateFolders are where a basedir has dynamic linkers of its own.
var privateFolders = []string{"lib/private", "lib/client"}

// strayLinker finds a program whose dynamic linker is one of this basedir, by an older path.
func strayLinker(path string) error {
	stray, err := strayPrograms(path)
	if err != nil {
		return err
	}
	for program, linker := range stray {
		return fmt.Errorf("the dynamic linker of bin/%s is %s", filepath.Base(program), linker)
	}
	return nil
}

// strayPrograms are the programs whose linkers should be the basedir's own, with what they are.
func strayPrograms(path string) (map[string]string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	programs, err := elfFiles(filepath.Join(real, "bin"))
	if err != nil {
		return nil, err
	}
	stray := map[string]string{}
	for _, program := range programs {
		b, err := readBinary(program)
		if err != nil {
			return nil, err
		}
		if own := ownLinker(real, b.interpreter); own != "" && own != b.interpreter {
			stray[program] = b.interpreter
		}
	}
	return stray, nil
}

// ownLinker is where the basedir has the linker that a program names; "" when it has none of that name in that folder.
func ownLinker(real, linker string) string {
	for _, folder := range privateFolders {
		if strings.HasSuffix(filepath.Dir(linker), "/"+folder) {
			if own := filepath.Join(real, folder, filepath.Base(linker)); exists(own) {
				return own
			}
		}
	}
	return ""
}

// repair makes a cached server run again where it lies, or removes it, so that it is obtained anew. It says which.
func (s *Store) repair(ctx context.Context, e matrix.Entry, key string, b *Basedir, why error) (ok bool, err error) {
	if info, statErr := os.Lstat(b.Path); s.Cache.ReadOnly() || statErr != nil || !info.IsDir() {
		return false, why // somebody else's
	}
	unlock, err := s.Cache.Lock(ctx, cacheKind+"-"+key)
	if err != nil {
		return false, err
	}
	err = s.sound(ctx, b) // another process may have done it meanwhile
	if errors.As(err, new(*UnsoundError)) {
		if err = s.relink(ctx, b.Path); err == nil {
			err = s.sound(ctx, b)
		}
		if err == nil {
			s.log("%s: the cached server was unpacked elsewhere: its programs have this folder's dynamic linker now", e.Name)
		}
	}
	if err := errors.Join(err, unlock()); err == nil || ctx.Err() != nil {
		return err == nil, err
	}
	s.log("%s: the cached server does not run and is obtained anew: %s", e.Name, firstLine(err))
	return false, s.Cache.Remove(ctx, cacheKind, key)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// relink gives programs the dynamic linker of the basedir that they lie in. They are replaced, not changed: one that runs
// keeps its own file.
func (s *Store) relink(ctx context.Context, path string) error {
	stray, err := strayPrograms(path)
	if err != nil || len(stray) == 0 {
		return err
	}
	p, err := s.patchelf(ctx)
	if err != nil {
		return err
	}
	for program, linker := range stray {
		next := program + ".relinked"
		if _, err := proc.Run(ctx, proc.Cmd{Path: p.program, Args: []string{"--set-interpreter", ownLinker(path, linker), "--output", next, program}}); err != nil {
			return errors.Join(fmt.Errorf("patch ELF files: %w", err), os.Remove(next))
		}
		if err := errors.Join(os.Chmod(next, 0o755), os.Rename(next, program)); err != nil {
			return err
		}
	}
	return nil
}
