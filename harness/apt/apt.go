// Package apt obtains Debian packages of any suite: without root, without touching the system's own apt
// state, from the mirror that the system uses, with signatures verified by apt itself.
package apt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/proc"
)

// Source names packages of a set of suites.
type Source struct {
	Suites   []string // Debian suites such as "bullseye", "bullseye-security"; empty means the system's own
	Packages []string
	Alone    bool // only the named packages, without what they depend on
}

// Package is one downloaded .deb file.
type Package struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"`
	Origin       string `json:"origin"` // the Debian source package that it is built from
	File         string `json:"-"`      // absolute path
	SHA256       string `json:"sha256"` // in hexadecimal
}

// NoSuiteError says that the system's package mirror does not carry a suite.
type NoSuiteError struct {
	Suite  string
	Reason string
}

// Error names the suite and the reason, but no mirror.
func (e *NoSuiteError) Error() string {
	return fmt.Sprintf("suite %s cannot be obtained: %s", e.Suite, e.Reason)
}

// ErrNoApt says that this is no Debian or Ubuntu system, or one without its package tools.
var ErrNoApt = errors.New("apt-get and dpkg-deb are not both on PATH: apt sources need Debian or Ubuntu")

// Download puts the .deb files of a source into dir, which must be absolute, and lists them by name.
// Package indexes are kept in the cache and fetched anew when they are older than a day, or when they name
// files that the mirror no longer has. A suite that the mirror does not carry is a *NoSuiteError.
func Download(ctx context.Context, c *cache.Cache, s Source, dir string) (packages []Package, err error) {
	err = withArea(ctx, c, s, func(a *area) error {
		if err := a.fetch(ctx, s, dir); err != nil {
			return err
		}
		packages, err = describe(ctx, dir)
		return err
	})
	return packages, err
}

// Check says whether a source's packages could be downloaded, and fetches package indexes only. The error
// is what Download's would be. It waits for nobody: while another process downloads, it goes by the indexes that are there.
func Check(ctx context.Context, c *cache.Cache, s Source) (err error) {
	a, err := openArea(ctx, c, s)
	if err != nil {
		return err
	}
	unlock, held := c.TryLock("apt-" + a.key)
	if !held {
		return a.simulate(ctx, s)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := a.prepare(); err != nil {
		return err
	}
	if _, err := a.refresh(ctx); err != nil {
		return err
	}
	return a.simulate(ctx, s)
}

// withArea calls do with the private apt folders of a source, which no other process uses meanwhile.
func withArea(ctx context.Context, c *cache.Cache, s Source, do func(*area) error) (err error) {
	a, err := openArea(ctx, c, s)
	if err != nil {
		return err
	}
	unlock, err := c.Lock(ctx, "apt-"+a.key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := a.prepare(); err != nil {
		return err
	}
	return do(a)
}

// openArea finds the private apt folders of a source, which need not be there yet.
func openArea(ctx context.Context, c *cache.Cache, s Source) (*area, error) {
	if len(s.Packages) == 0 {
		return nil, errors.New("apt source: no packages named")
	}
	for _, program := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, ErrNoApt
		}
	}
	targets, err := systemTargets(ctx)
	if err != nil {
		return nil, err
	}
	lines, err := sourceLines(targets, s.Suites)
	if err != nil {
		return nil, err
	}
	return newArea(c.Root(), lines), nil
}

// Unpack unpacks packages into one folder, as they would lie under /. Nothing is configured or run, and
// set-user-ID bits are dropped.
func Unpack(ctx context.Context, packages []Package, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("unpack packages: %w", err)
	}
	for _, p := range packages {
		if _, err := proc.Run(ctx, proc.Cmd{Path: "dpkg-deb", Args: []string{"-x", p.File, dir}}); err != nil {
			return fmt.Errorf("unpack package %s: %w", p.Name, err)
		}
	}
	return dropSetID(dir)
}

func dropSetID(dir string) error {
	const special = fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Mode()&special == 0 {
			return err
		}
		return os.Chmod(path, info.Mode()&^special)
	})
	if err != nil {
		return fmt.Errorf("drop set-user-ID bits: %w", err)
	}
	return nil
}

// describe reads what the .deb files of a folder say of themselves.
func describe(ctx context.Context, dir string) ([]Package, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	packages := make([]Package, 0, len(files))
	for _, file := range files {
		const format = "${Package}\t${Version}\t${Architecture}\t${source:Package}"
		out, err := proc.Run(ctx, proc.Cmd{Path: "dpkg-deb", Args: []string{"--show", "--showformat=" + format, file}})
		if err != nil {
			return nil, fmt.Errorf("read package %s: %w", filepath.Base(file), err)
		}
		fields := strings.Split(out, "\t")
		if len(fields) != 4 {
			return nil, fmt.Errorf("read package %s: dpkg-deb said %q", filepath.Base(file), out)
		}
		sum, err := sha256File(file)
		if err != nil {
			return nil, err
		}
		packages = append(packages, Package{
			Name: fields[0], Version: fields[1], Architecture: fields[2], Origin: fields[3], File: file, SHA256: sum,
		})
	}
	return packages, nil
}

func sha256File(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("checksum of a package: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("checksum of %s: %w", filepath.Base(path), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
