package basedir

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
)

func TestVersionLine(t *testing.T) {
	tests := map[string][2]string{
		mysqlVersion:   {"8.0.36", "MySQL Community Server - GPL"},
		perconaVersion: {"8.0.36-28", "Percona Server (GPL), Release 28, Revision 47601f19"},
		"/x/bin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))":                                               {"9.7.4-2", "(Debian)"},
		"/x/bin/mysqld  Ver 11.8.9-MariaDB-0+deb13u1 from Debian for debian-linux-gnu on x86_64 (-- Please help)": {"11.8.9-MariaDB-0+deb13u1", "-- Please help"},
		"/x/bin/mysqld  Ver 5.6.24 for linux-glibc2.5 on x86_64 (MySQL Community Server (GPL))":                   {"5.6.24", "MySQL Community Server (GPL)"},
		"/x/bin/mysqld  Ver 5.5.62 for linux-glibc2.12 on x86_64":                                                 {"5.5.62", ""},
	}
	for line, want := range tests {
		m := versionLine.FindStringSubmatch(line)
		if m == nil || m[1] != want[0] || m[2] != want[1] {
			t.Errorf("%s: %q, want %q", line, m, want)
		}
	}
}

// TestObtainDir: a server of one's own is linked, not copied, and never written to.
func TestObtainDir(t *testing.T) {
	for _, version := range []string{mysqlVersion, perconaVersion, mariaVersion} {
		home := t.TempDir()
		writeServer(t, home, version)
		for name, text := range map[string]string{"share/errmsg.sys": "x", "lib/plugin/a.so": "x", "FLAVOR": "theirs"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		before := listing(t, home)
		s := newStore(t)
		e := matrix.Entry{Name: "dir:" + home, Sources: []matrix.Source{{Declared: &Dir{Path: home}}}}
		b, err := s.Obtain(t.Context(), e, "")
		if err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(filepath.Join(b.Path, "FLAVOR")); err != nil || string(text) != b.Flavor.Vendor.String()+"\n" {
			t.Errorf("%s: FLAVOR %q, %v", b.Flavor, text, err)
		}
		if _, err := os.Stat(filepath.Join(b.Path, "lib", "plugin", "a.so")); err != nil {
			t.Error(err)
		}
		if after := listing(t, home); !slices.Equal(before, after) {
			t.Errorf("the original changed: %v, was %v", after, before)
		}
		if text, err := os.ReadFile(filepath.Join(home, "FLAVOR")); err != nil || string(text) != "theirs" {
			t.Errorf("the original FLAVOR is now %q, %v", text, err)
		}
	}
}

func TestDirIsObtainedAnewWhenRebuilt(t *testing.T) {
	home := t.TempDir()
	writeServer(t, home, mysqlVersion)
	s := newStore(t)
	e := matrix.Entry{Name: "dir:" + home, Sources: []matrix.Source{{Declared: &Dir{Path: home}}}}
	first, err := s.Obtain(t.Context(), e, "")
	if err != nil {
		t.Fatal(err)
	}
	writeServer(t, home, perconaVersion)
	if err := os.Chtimes(first.Mysqld(), time.Now(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	second, err := s.Obtain(t.Context(), e, "")
	if err != nil {
		t.Fatal(err)
	}
	if second.Flavor.Vendor != flavor.Percona || second.Digest == first.Digest {
		t.Errorf("after a rebuild: %s, digest changed: %t", second.Flavor, second.Digest != first.Digest)
	}
}

func TestDirWithoutServer(t *testing.T) {
	text := t.TempDir()
	writeServer(t, text, "hello")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{t.TempDir(): "no server", text: "is no server", file: "want the folder", "/nowhere": "no such file"} {
		s := newStore(t)
		_, err := s.Obtain(t.Context(), matrix.Entry{Name: "dir:x", Sources: []matrix.Source{{Declared: &Dir{Path: path}}}}, "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		wantNothingLeft(t, s)
	}
}

func TestObtainScript(t *testing.T) {
	project := t.TempDir()
	fill := "#!/bin/sh\nset -e\ntouch litter\nmkdir -p \"$1/bin\"\nprintf '#!/bin/sh\\necho \"" + mysqlVersion + "\"\\n' >\"$1/bin/mysqld\"\nchmod +x \"$1/bin/mysqld\"\n"
	scripts := map[string]string{"good": fill, "fails": "#!/bin/sh\necho the reason >&2\nexit 3\n", "empty": "#!/bin/sh\n"}
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(project, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		script Script
		want   string
	}{
		"good":    {Script{Command: "good", Needs: []string{"sh"}}, ""},
		"needs":   {Script{Command: "good", Needs: []string{"no-such-program"}}, "needs the program no-such-program"},
		"fails":   {Script{Command: "fails"}, "the reason"},
		"empty":   {Script{Command: "empty"}, "left no server"},
		"nowhere": {Script{Command: "nowhere"}, "no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			s.LockFile = filepath.Join(project, "basedirs.lock")
			e := matrix.Entry{Name: "mysql-8.0", Vendor: flavor.MySQL, Series: "8.0", Sources: []matrix.Source{{Declared: &test.script}}}
			b, err := s.Obtain(t.Context(), e, project)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v, want %q", err, test.want)
				}
				wantNothingLeft(t, s)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if cached, ok := s.Cached(e); !ok || cached.Path != b.Path {
				t.Errorf("cached: %v, %t", cached, ok)
			}
			if exists(filepath.Join(b.Path, workDir)) {
				t.Error("the script's working folder stayed")
			}
		})
	}
}

func TestLibraryPackage(t *testing.T) {
	tests := []struct {
		soname, id string
		release    float64
		want       string
	}{
		{"libaio.so.1", "debian", 12, "libaio1"},
		{"libaio.so.1", "debian", 13, "libaio1t64"},
		{"libaio.so.1", "ubuntu", 22.04, "libaio1"},
		{"libaio.so.1", "ubuntu", 24.04, "libaio1t64"},
		{"libnuma.so.1", "ubuntu", 24.04, "libnuma1"},
		{"libncurses.so.5", "debian", 12, "libncurses5"},
		{"libtinfo.so.5", "debian", 13, ""},
		{"libssl.so.1.1", "ubuntu", 24.04, ""},
		{"libwhatever.so.7", "debian", 12, ""},
	}
	for _, test := range tests {
		if got := libraryPackage(test.soname, test.id, test.release); got != test.want {
			t.Errorf("%s on %s %v: %q, want %q", test.soname, test.id, test.release, got, test.want)
		}
	}
	if id, release := parseRelease("ID=ubuntu\nVERSION_ID=\"24.04\"\n", 1000); id != "ubuntu" || release != 24.04 {
		t.Errorf("release %s %v", id, release)
	}
}

func TestParseList(t *testing.T) {
	sonames, versions := parseList(`	linux-vdso.so.1 (0x00007f)
/x/mysqld: /lib/libc.so.6: version ` + "`GLIBC_2.99'" + ` not found (required by /x/mysqld)
	libaio.so.1 => not found
	libc.so.6 => /lib/libc.so.6 (0x00007f)
`)
	if !slices.Equal(sonames, []string{"libaio.so.1"}) || !slices.Equal(versions, []string{"GLIBC_2.99"}) {
		t.Errorf("got %v and %v", sonames, versions)
	}
	err := &MissingLibrariesError{Libraries: []MissingLibrary{{"libaio.so.1", "libaio1t64"}, {"libtinfo.so.5", ""}}, Versions: versions}
	want := "missing shared libraries: libaio.so.1 (package libaio1t64), libtinfo.so.5 (no package of this release has it), " +
		"GLIBC_2.99 (the system's library is too old: take a source built for an older system); apt-get install libaio1t64"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

// realServer compiles a program that links libgone.so.1, which is then taken away.
func realServer(t *testing.T, home string) (library string) {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	work := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(work, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(args ...string) {
		if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	library = filepath.Join(work, "libgone.so.1t64")
	run("-shared", "-Wl,-soname,libgone.so.1", "-o", library, write("gone.c", "int gone(void) { return 0; }\n"))
	if err := os.MkdirAll(filepath.Join(home, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	run("-o", filepath.Join(home, "bin", "mysqld"), write("main.c",
		"#include <stdio.h>\nint gone(void);\nint main(void) { puts(\""+mysqlVersion+"\"); return gone(); }\n"), library)
	return library
}

// TestMissingLibraryKeepsTheArchive: whoever has to install a library first does not download twice.
func TestMissingLibraryKeepsTheArchive(t *testing.T) {
	home := t.TempDir()
	realServer(t, home)
	text, err := os.ReadFile(filepath.Join(home, "bin", "mysqld"))
	if err != nil {
		t.Fatal(err)
	}
	entries := serverEntries(mysqlVersion)
	entries[2].body = string(text)
	file := gzipped(t, tarOf(t, entries))
	site := newVendor(t, file)
	s := newStore(t)
	e := tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sha256Of(file), URLs: []string{site.URL + "/m.tar.gz"}})
	for range 2 {
		_, err := s.Obtain(t.Context(), e, "")
		var missing *MissingLibrariesError
		if !errors.As(err, &missing) || missing.Libraries[0].Soname != "libgone.so.1" {
			t.Fatalf("error %v, want that libgone.so.1 is missing", err)
		}
	}
	if n := len(site.seen()); n != 1 {
		t.Errorf("%d downloads, want one", n)
	}
}

// TestBridgeRenamedLibrary: libgone.so.1 is there under its new name.
func TestBridgeRenamedLibrary(t *testing.T) {
	if _, err := exec.LookPath("patchelf"); err != nil {
		t.Skip("no patchelf on PATH")
	}
	home := t.TempDir()
	library := realServer(t, home)
	p := staging{dir: home, final: home}
	if err := p.preflight(t.Context()); !errors.As(err, new(*MissingLibrariesError)) {
		t.Fatalf("error %v, want a missing library", err)
	}
	s := newStore(t)
	err := s.bridge(t.Context(), p, func(_ context.Context, soname string) (string, error) {
		if soname != "libgone.so.1t64" {
			t.Errorf("looked for %s", soname)
		}
		return library, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.preflight(t.Context()); err != nil {
		t.Error(err)
	}
	if version, _, err := p.version(t.Context()); err != nil || version != "8.0.36" {
		t.Errorf("version %q, %v", version, err)
	}
}

func TestLockFileFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "basedirs.lock")
	want := map[string]string{"b.tar.gz": strings.Repeat("b", 64), "a.tar.xz": strings.Repeat("a", 64)}
	if err := writeLock(path, want); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Index(string(text), "a.tar.xz") > strings.Index(string(text), "b.tar.gz") {
		t.Errorf("lock file %q, %v; want it sorted", text, err)
	}
	if got, err := readLock(path); err != nil || len(got) != 2 || got["a.tar.xz"] != want["a.tar.xz"] {
		t.Errorf("read %v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("# fine\n\nabc  m.tar.gz\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readLock(path); err == nil || !strings.Contains(err.Error(), ":3:") {
		t.Errorf("error %v, want one that names line 3", err)
	}
}

func listing(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
