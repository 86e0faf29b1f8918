package tool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mysqlmatrix/harness/apt"
	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

// fromPackages unpacks a tool's packages and runs it where it lies, with the modules and libraries that
// its interpreter needs from the system's own suite.
func (s *Store) fromPackages(ctx context.Context, ref matrix.ToolRef) (*Program, error) {
	var env []string
	if ref.Source.System != nil {
		var err error
		if env, err = s.systemLibraries(ctx, ref); err != nil {
			return nil, err
		}
	}
	return s.cached(ctx, ref, []any{ref.Source.Apt, env}, func(ctx context.Context, dir, final string) error {
		s.log("fetch %s %s from packages of %s", ref.Name, ref.Version, suitesOf(ref.Source.Apt))
		root := filepath.Join(dir, "root")
		if err := s.unpack(ctx, ref.Source.Apt, dir, root); err != nil {
			return err
		}
		program := filepath.Join("usr", "bin", ref.Name)
		if _, err := os.Stat(filepath.Join(root, program)); err != nil {
			return fmt.Errorf("packages %s have no /%s", strings.Join(ref.Source.Apt.Packages, ", "), program)
		}
		p := &Program{Name: ref.Name, Path: filepath.Join(root, program), Env: mergePaths(env, environment(root, root))}
		version, err := p.askVersion(ctx)
		if err != nil {
			return err
		}
		// A moving suite such as sid has one version today and another one tomorrow.
		if version != ref.Version {
			return fmt.Errorf("%s has version %s now", suitesOf(ref.Source.Apt), version)
		}
		final = filepath.Join(final, "root")
		p = &Program{Name: ref.Name, Version: version, Path: filepath.Join(final, program), Dir: final,
			Env: mergePaths(env, environment(root, final))}
		return p.save(dir)
	})
}

// systemLibraries is the environment that adds a tool's System packages to the system's interpreter. They
// come from the system's own suite, because a compiled Perl module fits one release of perl only, and are
// shared by all versions of a tool.
func (s *Store) systemLibraries(ctx context.Context, ref matrix.ToolRef) ([]string, error) {
	release, err := os.ReadFile("/etc/os-release") // os-release(5): another release, another perl
	if err != nil {
		return nil, unavailable(ctx, ref, apt.ErrNoApt)
	}
	key, err := cacheKey("libraries", []any{ref.Source.System, string(release)})
	if err != nil {
		return nil, err
	}
	path, err := s.Cache.Build(ctx, kind, key, func(ctx context.Context, dir, _ string) error {
		s.log("fetch what %s needs: %s", ref.Name, strings.Join(ref.Source.System.Packages, ", "))
		root := filepath.Join(dir, "root")
		if err := s.unpack(ctx, ref.Source.System, dir, root); err != nil {
			return err
		}
		return loadDrivers(ctx, root)
	})
	if err != nil {
		return nil, unavailable(ctx, ref, err)
	}
	root := filepath.Join(path, "root")
	return environment(root, root), nil
}

// loadDrivers loads the compiled database drivers among the unpacked Perl modules: a tool that says its version does not
// need them yet, and a library that they miss is better named now.
func loadDrivers(ctx context.Context, root string) error {
	drivers, err := filepath.Glob(filepath.Join(root, "usr/lib/*/perl5/*/auto/DBD/*/*.so"))
	if err != nil {
		return err
	}
	for _, driver := range drivers {
		name := "DBD::" + strings.TrimSuffix(filepath.Base(driver), ".so")
		if _, err := proc.Run(ctx, proc.Cmd{Path: "perl", Args: []string{"-M" + name, "-e", "1"}, Env: environment(root, root)}); err != nil {
			return fmt.Errorf("load Perl module %s: %w", name, err)
		}
	}
	return nil
}

// runtimes are the Debian source packages of the interpreter and of what starts it: they are the system's
// own, and a second libc in the same process ends it.
var runtimes = []string{"perl", "glibc", "gcc-"}

// unpack downloads packages into dir, unpacks them to root and removes the downloads.
func (s *Store) unpack(ctx context.Context, source *matrix.Apt, dir, root string) error {
	debs := filepath.Join(dir, "debs")
	if err := os.MkdirAll(debs, 0o755); err != nil {
		return err
	}
	packages, err := apt.Download(ctx, s.Cache, apt.Source{Suites: source.Suites, Packages: source.Packages, Alone: source.Alone}, debs)
	if err != nil {
		return err
	}
	packages = slices.DeleteFunc(packages, func(p apt.Package) bool {
		return slices.ContainsFunc(runtimes, func(origin string) bool { return strings.HasPrefix(p.Origin, origin) })
	})
	if len(packages) == 0 {
		return errors.New("no packages were downloaded")
	}
	if err := apt.Unpack(ctx, packages, root); err != nil {
		return err
	}
	return cache.RemoveAll(debs)
}

// search are the environment variables by which Perl, the dynamic linker and MariaDB's client library
// (which DBD::mysql uses) find what lies under a root folder. Patterns are relative to it.
var search = []struct {
	variable string
	patterns []string
}{
	{"PERL5LIB", []string{"usr/lib/*/perl5/*", "usr/share/perl5"}},
	{"LD_LIBRARY_PATH", []string{"usr/lib/*-linux-gnu*"}},
	{"MARIADB_PLUGIN_DIR", []string{"usr/lib/*/libmariadb3/plugin"}},
}

// environment is the variables for what lies under root, spoken of as if it lay under final.
func environment(root, final string) []string {
	var env []string
	for _, s := range search {
		var paths []string
		for _, pattern := range s.patterns {
			// The only error is a malformed pattern, and these are constants.
			found, _ := filepath.Glob(filepath.Join(root, pattern))
			for _, path := range found {
				if info, err := os.Stat(path); err == nil && info.IsDir() {
					paths = append(paths, final+strings.TrimPrefix(path, root))
				}
			}
		}
		if len(paths) > 0 {
			env = append(env, s.variable+"="+strings.Join(paths, ":"))
		}
	}
	return env
}

// mergePaths joins two lists of path variables: of two values of one variable a program would see the last only.
func mergePaths(first, second []string) []string {
	merged := slices.Clone(first)
	for _, pair := range second {
		name, value, _ := strings.Cut(pair, "=")
		at := slices.IndexFunc(merged, func(have string) bool { return strings.HasPrefix(have, name+"=") })
		if at < 0 {
			merged = append(merged, pair)
			continue
		}
		merged[at] += ":" + value
	}
	return merged
}

func suitesOf(source *matrix.Apt) string {
	if len(source.Suites) == 0 {
		return "the system's own suites"
	}
	return "suite " + strings.Join(source.Suites, ", ")
}
