package tool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
)

const (
	kind = "tools" // of the cache
	// format is part of every key: raise it when what a tool's folder holds changes.
	format = "1"
)

// Store obtains programs into a cache. Whoever wants a program that another process is obtaining waits.
type Store struct {
	Cache *cache.Cache
	Log   func(string) // told what is built or fetched; may be nil
}

// UnavailableError is a version of a tool that matrix.yaml declares and this machine cannot have: its suite is not on the
// mirror, its module or archive cannot be fetched, it does not build, it is for another kind of machine.
type UnavailableError struct {
	Tool, Version string
	Err           error
}

// Error names the tool and the reason; a failed build has the compiler's last lines.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("tool %s %s cannot be obtained: %v", e.Tool, e.Version, e.Err)
}

// Unwrap gives the reason.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Obtain returns a tool's program, ready to run. The second time nothing is fetched or built, but for a
// checkout of the user's own, whose source may have changed.
//
// A version that matrix.yaml declares and that cannot be obtained is an *UnavailableError. A path that cannot be
// run and a version that does not exist are mistakes of whoever asked, and plain errors.
func (s *Store) Obtain(ctx context.Context, ref matrix.ToolRef) (*Program, error) {
	p, err := s.obtain(ctx, ref)
	if err == nil {
		p.Command, p.Declared, p.Manager = commandFolder(ref.Source.Module), ref.Source.Declared, ref.Source.Manager
	}
	return p, err
}

func (s *Store) obtain(ctx context.Context, ref matrix.ToolRef) (*Program, error) {
	source := ref.Source
	switch {
	case ref.Path != "":
		return s.fromPath(ctx, ref, ref.Path)
	case source.Path != "":
		return s.fromPath(ctx, ref, source.Path)
	case source.Program != "":
		return s.fromPath(ctx, ref, source.Program)
	case source.Builtin:
		return &Program{Name: ref.Name, Version: ref.Version}, nil
	case source.Module != nil:
		what, err := identity(source.Module)
		if err != nil {
			return nil, fmt.Errorf("tool %s %s: %w", ref.Name, ref.Version, err)
		}
		return s.cached(ctx, ref, what, func(ctx context.Context, dir, final string) error {
			return s.buildModule(ctx, ref, dir, final)
		})
	case source.Apt != nil:
		return s.fromPackages(ctx, ref)
	case source.Release != nil:
		return s.fromRelease(ctx, ref)
	default:
		return nil, fmt.Errorf("tool %s %s: matrix.yaml does not say where it comes from", ref.Name, ref.Version)
	}
}

// cached builds a program's folder once. what is all that the build depends on beside name and version.
func (s *Store) cached(ctx context.Context, ref matrix.ToolRef, what any, build func(ctx context.Context, dir, final string) error) (*Program, error) {
	key, err := cacheKey(ref.Name+"-"+ref.Version, what)
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		path, err := s.Cache.Build(ctx, kind, key, build)
		if err != nil {
			return nil, unavailable(ctx, ref, err)
		}
		p, err := load(path)
		if err == nil {
			_, err = p.versionOf(ctx, ref)
		}
		var ended *exec.ExitError
		if err == nil || ctx.Err() != nil || errors.As(err, &ended) && ended.ExitCode() < 0 {
			return p, err
		}
		// That its folder is there says little: the cache may have been moved, or come from another machine.
		if attempt > 0 || s.Cache.ReadOnly() {
			return nil, unavailable(ctx, ref, fmt.Errorf("it does not run: %w", err))
		}
		s.log("the cached %s %s does not run and is obtained anew", ref.Name, ref.Version)
		if err := s.Cache.Remove(ctx, kind, key); err != nil {
			return nil, err
		}
	}
}

// unavailable makes a failure to obtain a tool an *UnavailableError, unless it is a mistake in what was
// asked for, or the end of the run.
func unavailable(ctx context.Context, ref matrix.ToolRef, err error) error {
	var mistake *versionError
	if ctx.Err() != nil || errors.As(err, &mistake) {
		return fmt.Errorf("tool %s %s: %w", ref.Name, ref.Version, err)
	}
	return &UnavailableError{Tool: ref.Name, Version: ref.Version, Err: err}
}

// cacheKey is a readable name followed by a digest of the rest, so that a changed matrix.yaml is noticed.
func cacheKey(name string, what any) (string, error) {
	text, err := json.Marshal([]any{format, what})
	if err != nil {
		return "", fmt.Errorf("cache key of %s: %w", name, err)
	}
	sum := sha256.Sum256(append(text, name...))
	return safeName(name) + "-" + hex.EncodeToString(sum[:6]), nil
}

func safeName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r == '.', r == '-':
			return r
		default:
			return '_'
		}
	}, strings.ToLower(s))
}

func (s *Store) log(text string, args ...any) {
	if s.Log != nil {
		s.Log(fmt.Sprintf(text, args...))
	}
}
