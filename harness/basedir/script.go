package basedir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mysqlmatrix/harness/apt"
	"mysqlmatrix/harness/archive"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

func init() {
	matrix.Register(matrix.Kind{Name: "script", New: func() matrix.Declaration { return new(Script) }})
}

// Script is a program that fills a folder, whose path is its one argument.
type Script struct {
	Version string          `yaml:"version" json:"version" jsonschema:"required"`
	Command string          `yaml:"command" json:"command" jsonschema:"required,description=path relative to matrix.yaml"`
	Needs   []string        `yaml:"needs" json:"needs,omitempty" jsonschema:"description=programs that must be on PATH"`
	Size    int64           `yaml:"size" json:"size,omitempty" jsonschema:"description=about how many bytes it fetches; told before it runs"`
	Client  *matrix.Apt     `yaml:"client" json:"client,omitempty" jsonschema:"description=packages to take client programs from"`
	At      matrix.Position `yaml:"-" json:"-"`
}

// Kind is "script".
func (s *Script) Kind() string { return "script" }

// String names the program.
func (s *Script) String() string { return "script " + s.Command }

// Check reports mistakes of the declaration.
func (s *Script) Check(c matrix.Checker) {
	c.Release(s.At, s.Version)
	if c.Required(s.At, "command", s.Command, "give its path, relative to the file") {
		full := filepath.Join(c.Dir, s.Command)
		if info, err := os.Stat(full); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			c.Problem(s.At.Of("command"), "give the path of a program, relative to the matrix file", ": command %q is not an executable file", s.Command)
		}
	}
	if s.Client != nil {
		c.Packages(s.Client, "client", false)
	}
}

func (s *Script) open(store *Store, e matrix.Entry, project string) source {
	return &script{store: store, source: s, vendor: e.Vendor, project: project}
}

// script builds a basedir by a program that fills a folder, given as its only argument. Libraries that it
// puts into lib/private are found by its programs. Its working directory is a folder of its own that is
// removed afterwards.
type script struct {
	store   *Store
	source  *Script
	vendor  flavor.Vendor
	project string // the folder that the command's path is relative to
}

func (s *script) command() string {
	if filepath.IsAbs(s.source.Command) {
		return s.source.Command
	}
	return filepath.Join(s.project, s.source.Command)
}

func (s *script) key() (string, error) {
	sum, err := archive.SumFile(s.command())
	if err != nil {
		return "", fmt.Errorf("script %s: %w", s.source.Command, err)
	}
	parts := []string{recipe, "script", s.source.Version, sum.SHA256}
	if s.source.Client != nil {
		parts = append(parts, aptID(s.source.Client)...)
	}
	return cacheKey(s.vendor.String()+"-"+s.source.Version, digest(parts...)), nil
}

// ask looks for the programs that it needs.
func (s *script) ask(context.Context) error { return wantPrograms(s.source.Needs...) }

func (s *script) build(ctx context.Context, dir, final string) (content, error) {
	if err := s.ask(ctx); err != nil {
		return content{}, err
	}
	work := filepath.Join(dir, workDir)
	if err := os.MkdirAll(work, 0o755); err != nil {
		return content{}, fmt.Errorf("script %s: %w", s.source.Command, err)
	}
	if _, err := proc.Run(ctx, proc.Cmd{Path: s.command(), Args: []string{dir}, Dir: work, Inherit: true}); err != nil {
		return content{}, fmt.Errorf("script %s: %w", s.source.Command, err)
	}
	if err := os.RemoveAll(work); err != nil {
		return content{}, fmt.Errorf("script %s: %w", s.source.Command, err)
	}
	sum, err := archive.SumFile(filepath.Join(dir, "bin", "mysqld"))
	if err != nil {
		return content{}, fmt.Errorf("script %s left no server program: %w", s.source.Command, err)
	}
	if err := s.store.searchPrivate(ctx, dir); err != nil {
		return content{}, err
	}
	var debs []apt.Package
	if s.source.Client != nil {
		if debs, err = s.store.clients(ctx, s.source.Client, dir, final); err != nil {
			return content{}, err
		}
	}
	return content{id: digest(sum.SHA256, packagesID(debs)), packages: debs}, nil
}

// searchPrivate makes the programs in bin find the libraries in lib/private that they need.
func (s *Store) searchPrivate(ctx context.Context, dir string) error {
	libraries, err := listNames(filepath.Join(dir, "lib", "private"))
	if err != nil || len(libraries) == 0 {
		return err
	}
	programs, err := elfFiles(filepath.Join(dir, "bin"))
	if err != nil {
		return fmt.Errorf("lay out a basedir: %w", err)
	}
	for _, program := range programs {
		b, err := readBinary(program)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(b.needed, func(soname string) bool { return slices.Contains(libraries, soname) }) {
			continue
		}
		if err := s.addSearch(ctx, program, b); err != nil {
			return err
		}
	}
	return nil
}

// privateSearch is lib/private, seen from a program in bin.
const privateSearch = "$ORIGIN/../lib/private"

// addSearch appends lib/private to where a program looks for its libraries.
func (s *Store) addSearch(ctx context.Context, program string, b binary) error {
	if slices.Contains(b.searched, privateSearch) {
		return nil
	}
	p, err := s.patchelf(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("let %s find its libraries", filepath.Base(program)), err)
	}
	return p.search(ctx, strings.Join(append(b.searched, privateSearch), ":"), program)
}
