package tool

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"mysqlmatrix/harness/archive"
	"mysqlmatrix/harness/matrix"
)

const (
	// releaseLimit is how many bytes an archive may have, and what it unpacks to.
	releaseLimit = 4 << 30
	// reachLimit is how long a site may take to be reached, and releaseStall how long it may then say nothing: that it is out of
	// reach is told within seconds.
	reachLimit   = 5 * time.Second
	releaseStall = 20 * time.Second
	// releaseRoot is the folder that an archive is unpacked to.
	releaseRoot = "root"
)

// fromRelease unpacks an archive that a tool's maintainers have published, and runs its program where it lies, with what the
// archive has beside it.
func (s *Store) fromRelease(ctx context.Context, ref matrix.ToolRef) (*Program, error) {
	var env []string
	if ref.Source.System != nil {
		var err error
		if env, err = s.systemLibraries(ctx, ref); err != nil {
			return nil, err
		}
	}
	published := release{tool: ref.Name, source: ref.Source.Release}
	return s.cached(ctx, ref, []any{published.source, env}, func(ctx context.Context, dir, final string) error {
		s.log("fetch %s %s from %s", ref.Name, ref.Version, published.source.URL)
		if err := published.unpack(ctx, dir); err != nil {
			return err
		}
		program, err := published.program(filepath.Join(dir, releaseRoot))
		if err != nil {
			return err
		}
		p := &Program{Name: ref.Name, Path: program, Env: env}
		if p.Version, err = p.versionOf(ctx, ref); err != nil {
			return fmt.Errorf("%s: %w", published.source.URL, err)
		}
		if strings.TrimPrefix(p.Version, "v") != strings.TrimPrefix(ref.Version, "v") {
			return fmt.Errorf("%s: its program says that it is version %s: correct version in matrix.yaml", published.source.URL, p.Version)
		}
		p.Path = final + strings.TrimPrefix(program, dir)
		p.Dir = filepath.Dir(p.Path)
		return p.save(dir)
	})
}

// release is a published archive of a tool. Its errors say what is wrong where, and what to do.
type release struct {
	tool   string
	source *matrix.ToolRelease
}

// byPath says how to run a program that somebody else has downloaded.
func (r release) byPath() string {
	return fmt.Sprintf("fetch it elsewhere, unpack it, and name the program: --tool %s=/path/to/%s", r.tool, r.tool)
}

// unpack fetches the archive into dir, verifies it, and leaves what it holds.
func (r release) unpack(ctx context.Context, dir string) error {
	name := archive.FileName(r.source.URL)
	download := &archive.Download{
		Client: releaseClient, Name: name, File: filepath.Join(dir, "archive"), Summed: true, Limit: releaseLimit, Stall: releaseStall,
	}
	if path, local := archive.LocalPath(r.source.URL); local {
		download = &archive.Download{Name: name, File: path, Local: true}
	} else if err := download.Fetch(ctx, r.source.URL); err != nil {
		return r.notFetched(err)
	}
	got, err := archive.SumFile(download.File)
	if err != nil {
		return fmt.Errorf("%s: %w: correct url in matrix.yaml", r.source.URL, err)
	}
	if err := got.Check(name, archive.Sums{SHA256: r.source.SHA256}, "matrix.yaml"); err != nil {
		return fmt.Errorf("download %s: %w: correct sha256 in matrix.yaml if that is what its maintainers say", r.source.URL, err)
	}
	root := filepath.Join(dir, releaseRoot)
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	err = archive.Unpack(ctx, download.File, name, root, archive.Rules{Limit: releaseLimit})
	switch {
	case errors.As(err, new(*fs.PathError)): // of the disk, not of the archive
		return fmt.Errorf("%s: %w", r.source.URL, err)
	case err != nil:
		return fmt.Errorf("%s: %w: name another archive in matrix.yaml", r.source.URL, err)
	}
	return download.Discard()
}

// notFetched says where nobody answers, or what came instead of the archive.
func (r release) notFetched(err error) error {
	if host, reason, ok := archive.Unreached(err); ok {
		return fmt.Errorf("%s: not reached: %s (%s): set HTTPS_PROXY, or %s", r.source.URL, host, reason, r.byPath())
	}
	return fmt.Errorf("%w: correct url in matrix.yaml if it is published elsewhere, or %s", err, r.byPath())
}

// program is the archive's program, made executable, when it is for this machine.
func (r release) program(root string) (string, error) {
	program := filepath.Join(root, filepath.FromSlash(r.source.Path))
	if info, err := os.Stat(program); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s has no file %s: correct path in matrix.yaml", r.source.URL, r.source.Path)
	}
	if arch := builtFor(program); arch != "" && arch != runtime.GOARCH {
		return "", fmt.Errorf("%s: its program is for %s, and this machine is %s: build one for it, and name it: --tool %s=/path/to/%s",
			r.source.URL, arch, runtime.GOARCH, r.tool, r.tool)
	}
	return program, os.Chmod(program, 0o755)
}

// machines are ELF's machines by the names that Go has for them. PowerPC is one of them in both of its byte orders.
var machines = map[elf.Machine]string{
	elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm",
	elf.EM_PPC64: "ppc64le", elf.EM_S390: "s390x", elf.EM_RISCV: "riscv64",
}

// builtFor is the kind of machine that a program is for, by Go's name where it has one; "" for a script, which is for all.
func builtFor(program string) string {
	file, err := elf.Open(program)
	if err != nil {
		return "" // whether it runs is found by running it
	}
	defer file.Close()
	if name, ok := machines[file.Machine]; ok {
		return name
	}
	return file.Machine.String()
}

// releaseClient is the default client, but for how long it tries to reach a site.
var releaseClient = &http.Client{Transport: releaseTransport()}

func releaseTransport() http.RoundTripper {
	usual, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	transport := usual.Clone()
	transport.DialContext = (&net.Dialer{Timeout: reachLimit}).DialContext
	return transport
}
