package basedir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/apt"
	"mysqlmatrix/harness/archive"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

func init() {
	matrix.Register(matrix.Kind{Name: "maven", New: func() matrix.Declaration { return new(Maven) }})
}

// Maven is an artifact that carries a server. Maven fetches it, with the user's own settings and mirrors.
type Maven struct {
	Version      string          `yaml:"version" json:"version" jsonschema:"required,description=exact release; quote it"`
	Artifact     string          `yaml:"artifact" json:"artifact" jsonschema:"required,description=group:name:version[:type[:classifier]]"`
	SHA256       string          `yaml:"sha256" json:"sha256" jsonschema:"required,pattern=^[0-9a-fA-F]{64}$,description=of the artifact"`
	Size         int64           `yaml:"size" json:"size,omitempty" jsonschema:"description=bytes of the artifact; told before it is fetched"`
	Archive      string          `yaml:"archive" json:"archive,omitempty" jsonschema:"description=file in the artifact that holds the server"`
	Path         string          `yaml:"path" json:"path,omitempty" jsonschema:"description=folder in the artifact or in its archive that is the basedir"`
	UnpackedSize int64           `yaml:"unpacked_size" json:"unpacked_size,omitempty" jsonschema:"description=bytes beyond which unpacking is refused"`
	Libraries    *matrix.Apt     `yaml:"libraries" json:"libraries,omitempty" jsonschema:"description=packages of shared libraries that the server needs"`
	Client       *matrix.Apt     `yaml:"client" json:"client,omitempty" jsonschema:"description=packages to take client programs from"`
	At           matrix.Position `yaml:"-" json:"-"`
}

// Kind is "maven".
func (m *Maven) Kind() string { return "maven" }

// String names the artifact.
func (m *Maven) String() string { return "maven " + m.Artifact }

var artifactPattern = regexp.MustCompile(`^[\w.-]+:[\w.-]+:[\w.-]+(:[\w.-]+(:[\w.-]+)?)?$`)

// Check reports mistakes of the declaration.
func (m *Maven) Check(c matrix.Checker) {
	c.Release(m.At, m.Version)
	if c.Required(m.At, "artifact", m.Artifact, "add it as group:name:version") && !artifactPattern.MatchString(m.Artifact) {
		c.Problem(m.At.Of("artifact"), "want group:name:version[:type[:classifier]]", ": artifact %q", m.Artifact)
	}
	c.Required(m.At, "sha256", m.SHA256, "add the artifact's SHA-256")
	c.Checksum(m.At, "sha256", m.SHA256)
	if m.Archive != "" && !archive.IsTar(m.Archive) {
		c.Problem(m.At.Of("archive"), "want a file of "+strings.Join(archive.TarSuffixes, ", "), ": archive %q", m.Archive)
	}
	for key, packages := range map[string]*matrix.Apt{"libraries": m.Libraries, "client": m.Client} {
		if packages != nil {
			c.Packages(packages, key, false)
		}
	}
}

func (m *Maven) open(s *Store, e matrix.Entry, _ string) source {
	return &maven{store: s, source: m, vendor: e.Vendor}
}

// mavenLayout is part of every key: raise it when what is kept of an artifact changes.
const mavenLayout = "2"

// maven builds a basedir from a Maven artifact.
type maven struct {
	store  *Store
	source *Maven
	vendor flavor.Vendor
}

func (m *maven) key() (string, error) {
	s := m.source
	parts := []string{recipe, "maven", mavenLayout, s.Version, s.Artifact, strings.ToLower(s.SHA256), s.Archive, s.Path}
	for _, packages := range []*matrix.Apt{s.Libraries, s.Client} {
		if packages != nil {
			parts = append(parts, aptID(packages)...)
		}
	}
	return cacheKey(m.vendor.String()+"-"+s.Version, digest(parts...)), nil
}

// ask looks for mvn only: to ask a repository takes as long as to fetch from it.
func (m *maven) ask(context.Context) error {
	if _, err := exec.LookPath("mvn"); err != nil {
		return errors.New("it needs mvn (apt-get install maven)")
	}
	if arch := m.store.machine().Arch; arch != "amd64" {
		return fmt.Errorf("no %s archive: %s is for amd64", arch, m.source.Artifact)
	}
	return nil
}

// build fetches the artifact, verifies it, and unpacks what is used. The artifact is kept until the basedir is complete.
func (m *maven) build(ctx context.Context, dir, final string) (content, error) {
	if err := m.ask(ctx); err != nil {
		return content{}, err
	}
	key, err := m.key()
	if err != nil {
		return content{}, err
	}
	folder, err := m.store.downloadPath(key)
	if err != nil {
		return content{}, err
	}
	discard := func() error { return os.RemoveAll(folder) }
	file, got, err := m.artifact(ctx, folder)
	if err != nil {
		return content{}, errors.Join(err, discard())
	}
	if err := m.unpack(ctx, file, dir); err != nil {
		return content{}, errors.Join(err, discard())
	}
	packages, err := m.complete(ctx, dir, final)
	if err != nil {
		return content{}, errors.Join(err, discard())
	}
	return content{id: digest(got.SHA256, packagesID(packages)), packages: packages,
		accept: func(context.Context) error { return discard() },
		reject: func(error) error { return discard() },
	}, nil
}

// artifact fetches the artifact into a folder and compares its checksum.
func (m *maven) artifact(ctx context.Context, folder string) (string, archive.Sums, error) {
	// What a killed process left may be half of it.
	if err := os.RemoveAll(folder); err != nil {
		return "", archive.Sums{}, fmt.Errorf("fetch %s: %w", m.source.Artifact, err)
	}
	progress := newMavenProgress(m.source, m.store)
	_, err := proc.Run(ctx, proc.Cmd{Path: "mvn", Args: []string{
		"dependency:copy", "-Dartifact=" + m.source.Artifact, "-DoutputDirectory=" + folder, "-Dmdep.useBaseVersion=true", "-Dstyle.color=never",
	}, Dir: os.TempDir(), Inherit: true, Stdout: progress, Stderr: progress})
	if err != nil {
		return "", archive.Sums{}, fmt.Errorf("fetch %s: %w\n%s", m.source.Artifact, err, progress.errors())
	}
	names, err := listNames(folder)
	if err == nil && len(names) != 1 {
		err = fmt.Errorf("mvn left %d files: %s", len(names), strings.Join(names, ", "))
	}
	if err != nil {
		return "", archive.Sums{}, fmt.Errorf("fetch %s: %w", m.source.Artifact, err)
	}
	file := filepath.Join(folder, names[0])
	got, err := archive.SumFile(file)
	if err == nil {
		err = got.Check(names[0], archive.Sums{SHA256: m.source.SHA256}, "matrix.yaml")
	}
	return file, got, err
}

// unpack takes from the artifact what a server here uses.
func (m *maven) unpack(ctx context.Context, file, dir string) error {
	limit := m.source.UnpackedSize
	if limit == 0 {
		limit = defaultUnpackedSize
	}
	top := strings.Trim(path.Clean(m.source.Path), "/")
	under := func(name string) (string, error) {
		rest := name
		if top != "." && top != "" {
			var below bool
			if rest, below = strings.CutPrefix(name, top+"/"); !below {
				return ".", nil
			}
		}
		return used(rest), nil
	}
	rules := archive.Rules{Limit: limit, Under: under, WholeLinks: true}
	if err := archive.UnpackZip(ctx, file, filepath.Base(file), dir, m.source.Archive, rules); err != nil {
		return err
	}
	return runnable(dir)
}

// runnable gives programs and libraries their run bits, which files in a jar lose.
func runnable(dir string) error {
	for _, folder := range []string{"bin", "scripts", "lib"} {
		err := filepath.WalkDir(filepath.Join(dir, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			return os.Chmod(path, 0o755)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("lay out a basedir: %w", err)
		}
	}
	return nil
}

// complete adds the libraries and programs that the artifact lacks.
func (m *maven) complete(ctx context.Context, dir, final string) ([]apt.Package, error) {
	var all []apt.Package
	if m.source.Libraries != nil {
		packages, err := m.store.privateLibraries(ctx, m.source.Libraries, dir)
		if err != nil {
			return nil, err
		}
		all = append(all, packages...)
	}
	if err := errors.Join(addNames(dir), standInForSafe(dir)); err != nil {
		return nil, err
	}
	if err := m.store.searchPrivate(ctx, dir); err != nil {
		return nil, err
	}
	if m.source.Client != nil {
		packages, err := m.store.clients(ctx, m.source.Client, dir, final)
		if err != nil {
			return nil, err
		}
		all = append(all, packages...)
	}
	slices.SortStableFunc(all, func(a, b apt.Package) int { return strings.Compare(a.Name, b.Name) })
	return all, linkNew("bin", filepath.Join(dir, "sbin"))
}

// standInForSafe writes a bin/mysqld_safe where there is none. It does not start the server again when it dies.
func standInForSafe(dir string) error {
	program := filepath.Join(dir, "bin", "mysqld_safe")
	if exists(program) {
		return nil
	}
	if err := writeOwn(program, "#!/bin/sh\nexec \"$(dirname \"$0\")/mysqld\" \"$@\"\n"); err != nil {
		return err
	}
	return os.Chmod(program, 0o755)
}
