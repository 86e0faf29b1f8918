package basedir

import (
	"context"

	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/proc"
)

// MissingLibrary is a shared library that a basedir's programs need and the system lacks.
type MissingLibrary struct {
	Soname  string
	Package string // the Debian or Ubuntu package that has it; "" when this release has none
}

// MissingLibrariesError says what to install.
type MissingLibrariesError struct {
	Libraries []MissingLibrary
	Versions  []string // versions of a library that is there but too old, such as "GLIBC_2.38"
}

// Error names libraries and packages, and the command that installs them.
func (e *MissingLibrariesError) Error() string {
	var parts, install []string
	for _, l := range e.Libraries {
		if l.Package == "" {
			parts = append(parts, l.Soname+" (no package of this release has it)")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s (package %s)", l.Soname, l.Package))
		if !slices.Contains(install, l.Package) {
			install = append(install, l.Package)
		}
	}
	for _, v := range e.Versions {
		parts = append(parts, v+" (the system's library is too old: take a source built for an older system)")
	}
	text := "missing shared libraries: " + strings.Join(parts, ", ")
	if len(install) > 0 {
		text += "; apt-get install " + strings.Join(install, " ")
	}
	return text
}

// Preflight checks that a basedir's server and client programs find all their shared libraries. The error
// is a *MissingLibrariesError.
func Preflight(b *Basedir) error {
	return staging{dir: b.Path, final: b.Path}.preflight(context.Background())
}

func (p staging) preflight(ctx context.Context) error {
	id, release := systemRelease()
	missing := &MissingLibrariesError{}
	for _, program := range []string{"mysqld", "mysql", "mysqladmin", "mysqlbinlog"} {
		if !exists(filepath.Join(p.dir, "bin", program)) {
			continue
		}
		out, err := p.list(ctx, program)
		if err != nil {
			return err
		}
		sonames, versions := parseList(out)
		for _, soname := range sonames {
			lib := MissingLibrary{Soname: soname, Package: libraryPackage(soname, id, release)}
			if !slices.Contains(missing.Libraries, lib) {
				missing.Libraries = append(missing.Libraries, lib)
			}
		}
		for _, v := range versions {
			if !slices.Contains(missing.Versions, v) {
				missing.Versions = append(missing.Versions, v)
			}
		}
	}
	if len(missing.Libraries)+len(missing.Versions) > 0 {
		return missing
	}
	return nil
}

// list asks a program's own dynamic linker what it would load, as ldd(1) does. It is "" for a script.
func (p staging) list(ctx context.Context, program string) (string, error) {
	path, err := filepath.EvalSymlinks(filepath.Join(p.dir, "bin", program))
	if err != nil {
		return "", fmt.Errorf("preflight: %w", err)
	}
	linker, err := p.linker(path)
	if err != nil || linker == "" {
		return "", err
	}
	if _, err := os.Stat(linker); err != nil {
		return "", fmt.Errorf("preflight: %s is built for another kind of system: its dynamic linker %s is not there", program, linker)
	}
	cmd, err := p.command(program)
	if err != nil {
		return "", err
	}
	// --list stops at the first library that is missing; this, which is what ldd(1) does, goes on.
	cmd.Env = append(cmd.Env, "LD_TRACE_LOADED_OBJECTS=1")
	cmd.Path, cmd.Args = linker, []string{path}
	out, err := proc.Run(ctx, cmd)
	if err != nil && ctx.Err() == nil && !missingText.MatchString(out) {
		return "", fmt.Errorf("preflight: %w", err)
	}
	return out, ctx.Err()
}

var (
	missingText = regexp.MustCompile(`not found`)
	notFound    = regexp.MustCompile(`(?m)^\s*(\S+) => not found`)
	tooOld      = regexp.MustCompile("version `([^']+)' not found")
)

// parseList reads the dynamic linker's list.
func parseList(out string) (sonames, versions []string) {
	for _, m := range notFound.FindAllStringSubmatch(out, -1) {
		sonames = append(sonames, m[1])
	}
	for _, m := range tooOld.FindAllStringSubmatch(out, -1) {
		versions = append(versions, m[1])
	}
	return sonames, versions
}

// bridge makes the server of a tarball find libraries that are there under another name: Debian 13 and
// Ubuntu 24.04 renamed libaio.so.1 to libaio.so.1t64, where on 64-bit systems nothing but the name changed.
// find looks a library up in the system.
func (s *Store) bridge(ctx context.Context, p staging, find func(context.Context, string) (string, error)) error {
	path := filepath.Join(p.dir, "bin", "mysqld")
	if !isRegular(path) || !isELF(path) {
		return nil
	}
	out, err := p.list(ctx, "mysqld")
	if err != nil {
		return err
	}
	sonames, _ := parseList(out)
	for _, soname := range sonames {
		found, err := find(ctx, soname+"t64")
		if err != nil {
			return err
		}
		if found == "" {
			continue
		}
		if err := linkNew(found, filepath.Join(p.dir, "lib", "private", soname)); err != nil {
			return err
		}
		b, err := readBinary(path)
		if err != nil {
			return err
		}
		if err := s.addSearch(ctx, path, b); err != nil {
			return err
		}
	}
	return nil
}

// systemLibrary finds a library in the dynamic linker's cache; "" when it is not there.
func systemLibrary(ctx context.Context, soname string) (string, error) {
	program, err := exec.LookPath("ldconfig")
	if err != nil {
		program = "/sbin/ldconfig" // not on an ordinary user's PATH
	}
	out, err := proc.Run(ctx, proc.Cmd{Path: program, Args: []string{"-p"}, Env: []string{"LC_ALL=C"}})
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", soname, err)
	}
	for line := range strings.Lines(out) {
		name, path, ok := strings.Cut(strings.TrimSpace(line), " => ")
		if ok && strings.HasPrefix(name, soname+" ") {
			return path, nil
		}
	}
	return "", nil
}
