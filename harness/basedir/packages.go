package basedir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mysqlmatrix/harness/apt"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
)

// workDir is where a basedir that is being built keeps what it is made from; it is gone in the end.
const workDir = ".work"

func init() {
	matrix.Register(matrix.Kind{Name: "apt", New: func() matrix.Declaration { return new(Apt) }})
}

// Apt is Debian packages that hold a server.
type Apt matrix.Apt

// Kind is "apt".
func (a *Apt) Kind() string { return "apt" }

// String names the suites.
func (a *Apt) String() string { return strings.TrimSpace("apt " + strings.Join(a.Suites, ", ")) }

// Check reports mistakes of the declaration.
func (a *Apt) Check(c matrix.Checker) {
	c.Packages((*matrix.Apt)(a), "", true)
	if a.Alone {
		c.Problem(a.At.Of("alone"), "remove it: it is for tools", ": a server is not unpacked without what it depends on")
	}
}

func (a *Apt) open(s *Store, e matrix.Entry, _ string) source {
	return &packages{store: s, source: (*matrix.Apt)(a), vendor: e.Vendor}
}

// packages builds a basedir from Debian packages.
type packages struct {
	store  *Store
	source *matrix.Apt
	vendor flavor.Vendor
}

func (p *packages) key() (string, error) {
	version := p.source.Version
	if version == "" {
		version = strings.Join(p.source.Suites, "-")
	}
	return cacheKey(p.vendor.String()+"-"+version, digest(append([]string{recipe}, aptID(p.source)...)...)), nil
}

// ask looks into the package indexes.
func (p *packages) ask(ctx context.Context) error {
	return apt.Check(ctx, p.store.Cache, apt.Source{Suites: p.source.Suites, Packages: p.source.Packages})
}

// aptID is what tells one apt source from another.
func aptID(a *matrix.Apt) []string {
	return []string{"apt", a.Version, strings.Join(a.Suites, " "), strings.Join(a.Packages, " ")}
}

func (p *packages) build(ctx context.Context, dir, final string) (content, error) {
	l := &layout{store: p.store, dir: dir, final: final, private: "lib/private"}
	debs, err := l.unpack(ctx, p.source)
	if err != nil {
		return content{}, err
	}
	if !l.has("mysqld") && !l.has("mariadbd") {
		return content{}, fmt.Errorf("packages %s: none has a server program", strings.Join(p.source.Packages, " "))
	}
	steps := []func(context.Context) error{l.programs, l.plugins, l.share, l.libraries, l.legacy}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return content{}, err
		}
	}
	return content{id: packagesID(debs), packages: debs}, os.RemoveAll(filepath.Join(dir, workDir))
}

func packagesID(debs []apt.Package) string {
	parts := []string{}
	for _, deb := range debs {
		parts = append(parts, deb.Name, deb.SHA256)
	}
	return digest(parts...)
}

// layout lays unpacked packages out as a vendor's tarball would.
type layout struct {
	store   *Store
	dir     string // where the basedir is built
	final   string // where it will be
	private string // folder of the packages' shared libraries, relative to the basedir
	names   []string
	tree    *tree
	linker  string // the packages' own dynamic linker, relative to the basedir
}

func (l *layout) root() string { return filepath.Join(l.dir, workDir, "root") }

func (l *layout) has(program string) bool { return slices.Contains(l.names, program) }

// unpack downloads and unpacks the packages and all that they depend on. The programs of a basedir are
// those of the named packages and of their siblings, which are built from the same source package.
func (l *layout) unpack(ctx context.Context, a *matrix.Apt) ([]apt.Package, error) {
	debDir := filepath.Join(l.dir, workDir, "debs")
	debs, err := apt.Download(ctx, l.store.Cache, apt.Source{Suites: a.Suites, Packages: a.Packages}, debDir)
	if err != nil {
		return nil, err
	}
	origins := map[string]bool{}
	for _, deb := range debs {
		if slices.Contains(a.Packages, deb.Name) {
			origins[deb.Origin] = true
		}
	}
	isOther := func(p apt.Package) bool { return !origins[p.Origin] }
	own := slices.DeleteFunc(slices.Clone(debs), isOther)
	if err := apt.Unpack(ctx, own, l.root()); err != nil {
		return nil, err
	}
	for _, bin := range []string{"usr/bin", "usr/sbin"} {
		names, err := listNames(filepath.Join(l.root(), bin))
		if err != nil {
			return nil, err
		}
		l.names = append(l.names, names...)
	}
	others := slices.DeleteFunc(slices.Clone(debs), func(p apt.Package) bool { return !isOther(p) })
	if err := apt.Unpack(ctx, others, l.root()); err != nil {
		return nil, err
	}
	l.tree, err = openTree(l.root())
	return debs, err
}

// programs puts the server's and the clients' programs into bin.
func (l *layout) programs(context.Context) error {
	for _, from := range []string{"usr/bin", "usr/sbin"} {
		names, err := listNames(filepath.Join(l.root(), from))
		if err != nil {
			return err
		}
		for _, name := range names {
			if !l.has(name) {
				continue
			}
			if err := moveNew(filepath.Join(l.root(), from, name), filepath.Join(l.dir, "bin", name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// plugins gathers server and client plug-ins in lib/plugin. Debian's servers look in lib/mysql/plugin.
func (l *layout) plugins(context.Context) error {
	for _, pattern := range []string{"usr/lib/mysql/plugin", "usr/lib/*/mysql/plugin", "usr/lib/*/mariadb*/plugin", "usr/lib/*/libmariadb3/plugin"} {
		if err := l.merge(pattern, filepath.Join(l.dir, "lib", "plugin")); err != nil {
			return err
		}
	}
	return linkNew(".", filepath.Join(l.dir, "lib", "mysql"))
}

// share gathers messages, character sets and SQL scripts in share, where Debian's servers look for them in
// share/mysql or share/mariadb.
func (l *layout) share(context.Context) error {
	for _, name := range []string{"mysql", "mariadb"} {
		if err := l.merge("usr/share/"+name, filepath.Join(l.dir, "share")); err != nil {
			return err
		}
	}
	for _, name := range []string{"mysql", "mariadb"} {
		if err := linkNew(".", filepath.Join(l.dir, "share", name)); err != nil {
			return err
		}
	}
	return nil
}

// merge moves what lies in the folders of a pattern into one, where what is there already stays.
func (l *layout) merge(pattern, into string) error {
	dirs, err := filepath.Glob(filepath.Join(l.root(), pattern))
	if err != nil {
		return fmt.Errorf("lay out packages: %w", err)
	}
	for _, dir := range dirs {
		names, err := listNames(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := moveNew(filepath.Join(dir, name), filepath.Join(into, name)); err != nil {
				return err
			}
		}
	}
	return os.MkdirAll(into, 0o755)
}

// libraries takes the shared libraries that the programs and plug-ins need, with the C library and its
// dynamic linker, so that a server built for another release runs unchanged.
func (l *layout) libraries(ctx context.Context) error {
	var programs []string
	for _, name := range l.names {
		if path := filepath.Join(l.dir, "bin", name); isRegular(path) && isELF(path) {
			programs = append(programs, path)
		}
	}
	plugins, err := elfFiles(filepath.Join(l.dir, "lib", "plugin"))
	if err != nil {
		return fmt.Errorf("lay out packages: %w", err)
	}
	found, err := l.tree.closure(slices.Concat(programs, plugins))
	if err != nil {
		return err
	}
	for soname, file := range found {
		if err := linkOrCopy(file, filepath.Join(l.dir, l.private, soname)); err != nil {
			return err
		}
	}
	if err := l.takeLinker(programs); err != nil {
		return err
	}
	return l.patch(ctx, programs, plugins)
}

// takeLinker takes the dynamic linker that the programs name.
func (l *layout) takeLinker(programs []string) error {
	for _, program := range programs {
		b, err := readBinary(program)
		if err != nil {
			return err
		}
		if b.interpreter == "" {
			continue
		}
		// The folder of the linker's link may belong to a package for merged /usr that is not in the set.
		file, ok := l.tree.libraries[filepath.Base(b.interpreter)]
		if !ok {
			return fmt.Errorf("the packages lack the dynamic linker %s", b.interpreter)
		}
		l.linker = filepath.Join(l.private, filepath.Base(b.interpreter))
		return linkOrCopy(file, filepath.Join(l.dir, l.linker))
	}
	return errors.New("none of the packages' programs is an ELF file")
}

// patch points everything to the libraries taken.
func (l *layout) patch(ctx context.Context, programs, plugins []string) error {
	p, err := l.store.patchelf(ctx)
	if err != nil {
		return err
	}
	if err := p.setInterpreter(ctx, filepath.Join(l.final, l.linker), programs...); err != nil {
		return err
	}
	if err := p.search(ctx, "$ORIGIN/../"+l.private, programs...); err != nil {
		return err
	}
	// A program's DT_RPATH also holds for the libraries, unless they have a search path of their own.
	private, err := elfFiles(filepath.Join(l.dir, l.private))
	if err != nil {
		return fmt.Errorf("lay out packages: %w", err)
	}
	for rpath, files := range map[string][]string{"$ORIGIN": private, "$ORIGIN/../" + filepath.Base(l.private): plugins} {
		var own []string
		for _, file := range files {
			if b, err := readBinary(file); err != nil {
				return err
			} else if len(b.searched) > 0 {
				own = append(own, file)
			}
		}
		if err := p.search(ctx, rpath, own...); err != nil {
			return err
		}
	}
	return nil
}

// legacy adds the places where MariaDB's own scripts and dbdeployer look.
func (l *layout) legacy(context.Context) error {
	if err := linkNew("bin", filepath.Join(l.dir, "sbin")); err != nil {
		return err
	}
	for _, name := range []string{"mysql_install_db", "mariadb-install-db"} {
		if !exists(filepath.Join(l.dir, "bin", name)) {
			continue
		}
		if err := linkNew("../bin/"+name, filepath.Join(l.dir, "scripts", name)); err != nil {
			return err
		}
	}
	return nil
}

// privateLibraries puts the shared libraries of packages, without what these depend on, into lib/private.
func (s *Store) privateLibraries(ctx context.Context, a *matrix.Apt, dir string) ([]apt.Package, error) {
	work := filepath.Join(dir, workDir)
	root := filepath.Join(work, "root")
	packages, err := apt.Download(ctx, s.Cache, apt.Source{Suites: a.Suites, Packages: a.Packages, Alone: true}, filepath.Join(work, "debs"))
	if err == nil {
		err = apt.Unpack(ctx, packages, root)
	}
	var t *tree
	if err == nil {
		t, err = openTree(root)
	}
	if err != nil {
		return nil, fmt.Errorf("libraries: %w", err)
	}
	for soname, file := range t.libraries {
		if err := linkOrCopy(file, filepath.Join(dir, "lib", "private", soname)); err != nil {
			return nil, err
		}
	}
	return packages, os.RemoveAll(work)
}

// clients adds client programs from packages to a basedir that has none of its own.
func (s *Store) clients(ctx context.Context, a *matrix.Apt, dir, final string) ([]apt.Package, error) {
	l := &layout{store: s, dir: dir, final: final, private: "lib/client"}
	debs, err := l.unpack(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("client programs: %w", err)
	}
	l.names = slices.DeleteFunc(l.names, func(name string) bool {
		return !isClient(name) || exists(filepath.Join(dir, "bin", name))
	})
	if err := errors.Join(l.programs(ctx), l.libraries(ctx)); err != nil {
		return nil, fmt.Errorf("client programs: %w", err)
	}
	return debs, os.RemoveAll(filepath.Join(dir, workDir))
}

func listNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lay out a basedir: %w", err)
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, nil
}
