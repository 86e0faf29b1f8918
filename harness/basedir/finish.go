package basedir

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

// programNames are the names that MySQL and MariaDB give the same program. MariaDB's own names exist since
// 10.4; its newest packages leave out some of the old ones. true marks clients.
var programNames = []struct {
	mysql, mariadb string
	client         bool
}{
	{"mysqld", "mariadbd", false},
	{"mysqld_safe", "mariadbd-safe", false},
	{"mysql_install_db", "mariadb-install-db", false},
	{"mysql_upgrade", "mariadb-upgrade", false},
	{"mysql_tzinfo_to_sql", "mariadb-tzinfo-to-sql", false},
	{"mysql", "mariadb", true},
	{"mysqladmin", "mariadb-admin", true},
	{"mysqlbinlog", "mariadb-binlog", true},
	{"mysqlcheck", "mariadb-check", true},
	{"mysqldump", "mariadb-dump", true},
	{"mysqlimport", "mariadb-import", true},
	{"mysqlshow", "mariadb-show", true},
	{"mysqlslap", "mariadb-slap", true},
}

func isClient(name string) bool {
	for _, p := range programNames {
		if p.client && (name == p.mysql || name == p.mariadb) {
			return true
		}
	}
	return false
}

// clientLibraries are the files by which dbdeployer tells flavors apart (CheckTarballOperatingSystem in its
// common/checks.go); an empty one will do.
var clientLibraries = map[flavor.Vendor]string{
	flavor.MySQL:   "libmysqlclient",
	flavor.Percona: "libperconaserverclient",
	flavor.MariaDB: "libmariadbclient",
}

// finish makes a built folder complete and checks that it holds the server that the entry promises.
func (s *Store) finish(ctx context.Context, e matrix.Entry, b *Basedir, dir, final string) error {
	if err := addNames(dir); err != nil {
		return err
	}
	if !exists(filepath.Join(dir, "bin", "mysqld")) {
		return errors.New("no server: neither bin/mysqld nor bin/mariadbd is there")
	}
	at := staging{dir: dir, final: final}
	if err := s.bridge(ctx, at, systemLibrary); err != nil {
		return err
	}
	if err := at.preflight(ctx); err != nil {
		return err
	}
	var err error
	if b.Version, b.Comment, err = at.version(ctx); err != nil {
		return err
	}
	if b.Flavor, err = flavor.Parse(b.Version, b.Comment); err != nil {
		return fmt.Errorf("bin/mysqld --version: %w", err)
	}
	if b.Flavor.Vendor == flavor.MySQL && hasLibrary(dir, clientLibraries[flavor.Percona]) {
		b.Flavor.Vendor = flavor.Percona // a build of one's own may say "Source distribution" only
	}
	if err := match(e, b); err != nil {
		return err
	}
	return errors.Join(mark(dir, b.Flavor.Vendor), keyring(dir))
}

// keyring lets each server of MySQL 8.0.24 and later load the keyring that its own data directory names: components that
// have to be there when a server starts are named by a file beside the program, which may send it on ("Installing
// components", "The component_keyring_file component" in MySQL's manual). Servers whose data directory names none have none.
func keyring(dir string) error {
	plugins := filepath.Join(dir, "lib", "plugin")
	if !exists(filepath.Join(plugins, KeyringComponent+".so")) {
		return nil
	}
	return errors.Join(
		writeOwn(filepath.Join(dir, "bin", "mysqld.my"), `{"read_local_manifest": true}`+"\n"),
		writeOwn(filepath.Join(plugins, KeyringComponent+".cnf"), `{"read_local_config": true}`+"\n"),
	)
}

// KeyringComponent is MySQL's keyring in a file, which encrypted binary logs want.
const KeyringComponent = "component_keyring_file"

// addNames adds the old names of MariaDB's programs where only the new ones are there.
func addNames(dir string) error {
	for _, folder := range []string{"bin", "scripts"} {
		for _, p := range programNames {
			old, current := filepath.Join(dir, folder, p.mysql), filepath.Join(dir, folder, p.mariadb)
			if !exists(current) || exists(old) {
				continue
			}
			if err := linkNew(p.mariadb, old); err != nil {
				return err
			}
		}
	}
	return nil
}

// mark puts in what dbdeployer wants to see.
func mark(dir string, vendor flavor.Vendor) error {
	if err := writeOwn(filepath.Join(dir, "FLAVOR"), vendor.String()+"\n"); err != nil {
		return err
	}
	if hasLibrary(dir, clientLibraries[vendor]) {
		return nil
	}
	return writeOwn(filepath.Join(dir, "lib", clientLibraries[vendor]+".so"), "")
}

func hasLibrary(dir, name string) bool {
	return exists(filepath.Join(dir, "lib", name+".so")) || exists(filepath.Join(dir, "lib", name+".a"))
}

// match checks that a server is the one that its entry says.
func match(e matrix.Entry, b *Basedir) error {
	f := b.Flavor
	if e.Vendor != flavor.VendorUnknown && f.Vendor != e.Vendor {
		return fmt.Errorf("the server is %s, not %s", f, e.Vendor)
	}
	if e.Series != "" && !f.Version.In(e.Series) {
		return fmt.Errorf("the server is %s, not of the series %s", f, e.Series)
	}
	if e.Release == "" {
		return nil
	}
	want, err := flavor.ParseVersion(e.Release)
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	// Percona's release has a build number after it, which the server says too.
	if f.Version != want || strings.Contains(e.Release, "-") && !strings.HasPrefix(b.Version, e.Release) {
		return fmt.Errorf("the server is %s %s, not %s", f.Vendor, b.Version, e.Release)
	}
	return nil
}

// staging is a basedir in the folder where it is built, and the folder where it will be.
type staging struct{ dir, final string }

// command runs a program of the basedir. One whose interpreter lies in the basedir's final place cannot be
// started before it is there, so that its interpreter is called by hand.
func (p staging) command(program string, args ...string) (proc.Cmd, error) {
	path := filepath.Join(p.dir, "bin", program)
	libraries := filepath.Join(p.dir, "lib")
	cmd := proc.Cmd{Path: path, Args: args, Dir: p.dir, Env: []string{
		"LC_ALL=C", "LD_LIBRARY_PATH=" + libraries,
	}}
	linker, err := p.linker(path)
	if err != nil {
		return proc.Cmd{}, err
	}
	if linker != "" && strings.HasPrefix(linker, p.dir+"/") {
		cmd.Path, cmd.Args = linker, append([]string{path}, args...)
	}
	return cmd, nil
}

// linker is the dynamic linker of a program, where it is now; "" for a script or a static program.
func (p staging) linker(path string) (string, error) {
	b, err := readBinary(path)
	if errors.Is(err, errNotELF) || err == nil && b.interpreter == "" {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if rest, ok := strings.CutPrefix(b.interpreter, p.final+"/"); ok {
		return filepath.Join(p.dir, rest), nil
	}
	return b.interpreter, nil
}

// versionLine is what mysqld --version prints: "mysqld  Ver 8.0.36-28 for Linux on x86_64 (Percona Server
// (GPL), Release 28)"; MariaDB's newer packages put "from Debian" behind the version.
var versionLine = regexp.MustCompile(`Ver (\S+)(?: from .+?)? for \S+ on \S+(?: \((.*)\))?`)

// version asks the server program for its version and version comment.
func (p staging) version(ctx context.Context) (version, comment string, err error) {
	cmd, err := p.command("mysqld", "--no-defaults", "--version")
	if err != nil {
		return "", "", err
	}
	out, err := proc.Run(ctx, cmd)
	if err != nil {
		return "", "", fmt.Errorf("ask the server for its version: %w", err)
	}
	lines := strings.Split(out, "\n")
	i := slices.IndexFunc(lines, versionLine.MatchString)
	if i < 0 {
		return "", "", fmt.Errorf("bin/mysqld is no server: to --version it answers %q", proc.Tail(out, 3))
	}
	m := versionLine.FindStringSubmatch(lines[i])
	return m[1], m[2], nil
}
