package tool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/apt"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

// System obtains a program that a tool or its tests need, from the packages of the system's suite or of the suites that are
// named, with the libraries that it wants, and without installing anything. When this machine cannot have it, the error is an
// *UnavailableError.
func (s *Store) System(ctx context.Context, name string, suites ...string) (*Program, error) {
	ref := matrix.ToolRef{Name: name, Version: "of the system's suite"}
	if len(suites) > 0 {
		ref.Version = "of " + strings.Join(suites, ", ")
	}
	release, err := os.ReadFile("/etc/os-release") // os-release(5): another release, another version
	if err != nil {
		return nil, unavailable(ctx, ref, apt.ErrNoApt)
	}
	source := &matrix.Apt{Packages: []string{name}, Suites: suites}
	key, err := cacheKey("system-"+name, []any{source, string(release), scripts(name, "")})
	if err != nil {
		return nil, err
	}
	path, err := s.Cache.Build(ctx, kind, key, func(ctx context.Context, dir, final string) error {
		s.log("fetch %s from packages of %s", name, suitesOf(source))
		root := filepath.Join(dir, "root")
		if err := s.unpack(ctx, source, dir, root); err != nil {
			return err
		}
		program := filepath.Join("usr", "bin", name)
		p := &Program{Name: name, Path: filepath.Join(root, program), Env: append(environment(root, root), scripts(name, root)...)}
		if p.Version, err = p.askVersion(ctx); err != nil {
			return err
		}
		final = filepath.Join(final, "root")
		p.Path, p.Dir, p.Env = filepath.Join(final, program), final, append(environment(root, final), scripts(name, final)...)
		return p.save(dir)
	})
	if err != nil {
		return nil, unavailable(ctx, ref, err)
	}
	p, err := load(path)
	if err != nil {
		return nil, err
	}
	// The C library is the system's own, which an upgrade may change under what was cached.
	if _, err := proc.Run(ctx, proc.Cmd{Path: p.Path, Args: []string{"--version"}, Env: p.Env}); err != nil {
		return nil, unavailable(ctx, ref, fmt.Errorf("it does not run: %w", err))
	}
	return p, nil
}

// scripts leads a program that is written in Lua, as sysbench's benchmarks are, to its scripts; the two
// semicolons stand for the interpreter's own path.
func scripts(name, root string) []string {
	return []string{"LUA_PATH=" + filepath.Join(root, "usr", "share", name, "?.lua") + ";;"}
}
