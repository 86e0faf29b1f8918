package basedir

import (
	"archive/tar"
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/matrix"
)

// An archive of the user's own needs no checksum and no known layout, is only read, and is taken anew when it is another.
func TestOwnArchive(t *testing.T) {
	program := func(name, version string) entry {
		return entry{name: name, kind: tar.TypeReg, body: "#!/bin/sh\necho '" + version + "'\n"}
	}
	share := func(name string) entry { return entry{name: name, kind: tar.TypeReg, body: "text"} }
	for name, entries := range map[string][]entry{
		"with a top folder":   {program("mysql-8.0.36-linux/bin/mysqld", mysqlVersion), share("mysql-8.0.36-linux/share/errmsg.sys")},
		"without one":         {program("bin/mysqld", mysqlVersion), share("share/errmsg.sys")},
		"below a dot":         {program("./bin/mysqld", mysqlVersion), share("./share/errmsg.sys")},
		"with things beside":  {share("README"), program("top/bin/mysqld", mysqlVersion), share("top/share/errmsg.sys"), share("other/file")},
		"two folders":         {program("a/b/bin/mariadbd", mariaVersion), share("a/b/share/errmsg.sys"), share("a/b/libs/libx.so")},
		"as a distribution's": {program("usr/sbin/mysqld", mysqlVersion), share("usr/share/errmsg.sys"), share("usr/lib/libx.so")},
		"in libexec":          {program("x/libexec/mariadbd", mariaVersion), share("x/share/errmsg.sys")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			dir := t.TempDir()
			path := filepath.Join(dir, "own build.tar.gz")
			write := func(entries []entry) {
				t.Helper()
				if err := os.WriteFile(path, gzipped(t, tarOf(t, entries)), 0o444); err != nil {
					t.Fatal(err)
				}
			}
			write(entries)
			resolve := func(ref string) matrix.Entry {
				t.Helper()
				e, err := (&matrix.Matrix{}).Resolve(ref)
				if err != nil {
					t.Fatal(err)
				}
				return e
			}
			b, err := s.Obtain(t.Context(), resolve("tarball:"+path), "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(b.Path, "share", "errmsg.sys")); err != nil {
				t.Error(err)
			}
			again, err := s.Obtain(t.Context(), resolve((&url.URL{Scheme: "file", Path: path}).String()), "")
			if err != nil || again.Path != b.Path {
				t.Errorf("by its URL: %v, %v", again, err)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("beside the archive: %v, %v", left, err)
			}
			if _, err := os.Stat(s.LockFile); err == nil {
				t.Error("it is recorded in the lock file")
			}
			if err := errors.Join(os.Remove(path)); err != nil {
				t.Fatal(err)
			}
			write([]entry{program("bin/mysqld", perconaVersion)})
			then := time.Now().Add(time.Minute)
			if err := os.Chtimes(path, then, then); err != nil {
				t.Fatal(err)
			}
			if other, err := s.Obtain(t.Context(), resolve("tarball:"+path), ""); err != nil || other.Flavor == b.Flavor {
				t.Errorf("another archive in its place: %v, %v", other, err)
			}
		})
	}
}

func TestOwnArchiveRefused(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.tar.gz")
	if err := os.WriteFile(empty, gzipped(t, tarOf(t, []entry{{name: "bin/mysql", kind: tar.TypeReg, body: "x"}})), 0o644); err != nil {
		t.Fatal(err)
	}
	for ref, says := range map[string]string{
		"tarball:":                                  "want tarball:/path/to/archive, a file of .tar.gz",
		"tarball:/x/server.rpm":                     "want tarball:/path/to/archive, a file of .tar.gz",
		"file://host/x.tar.gz":                      "without a host",
		"tarball:" + dir + "/none.tar.gz":           "no such file or directory",
		"tarball:" + empty:                          "no server: neither mysqld nor mariadbd in a folder bin, sbin or libexec",
		"tarball:file://" + filepath.ToSlash(empty): "no server: neither mysqld",
	} {
		e, err := (&matrix.Matrix{}).Resolve(ref)
		if err == nil {
			_, err = newStore(t).Obtain(t.Context(), e, "")
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", ref, err, says)
		}
	}
}

// A release that nobody can be asked for is one line, whatever it may be called and wherever it may lie.
func TestUnreachedRelease(t *testing.T) {
	s := newStore(t)
	s.HTTP = withoutNetwork()
	e, err := (&matrix.Matrix{}).Resolve("mysql@8.0.99")
	if err != nil {
		t.Fatal(err)
	}
	if e, err = e.Trusting("", true); err != nil {
		t.Fatal(err)
	}
	_, err = s.Obtain(t.Context(), e, "")
	const want = "mysql@8.0.99 is unavailable:\n  release 8.0.99: not reached: dev.mysql.com (no such host), downloads.mysql.com (no such host): " +
		"set HTTPS_PROXY, or fetch the archive elsewhere and name it, such as --entry tarball:/path"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// What is known of some places is said of each.
func TestUnreachedJoins(t *testing.T) {
	dial := &url.Error{Op: "Get", URL: "https://a/x", Err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}}}
	if err := unreached([]error{dial, errors.New("the server answers 404")}); errors.As(err, new(*UnreachedError)) || !strings.Contains(err.Error(), "404") {
		t.Error(err)
	}
	if err := unreached([]error{context.Canceled}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
