package basedir

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

// shared is the cache that holds real servers.
func shared(t *testing.T) *cache.Cache {
	t.Helper()
	dir, err := cache.DefaultDir(os.Getenv("MATRIX_CACHE"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A cache that was moved says cached, and its servers have the path of their dynamic linker from where they were built.
func TestMovedCache(t *testing.T) {
	if testing.Short() {
		t.Skip("copies a real server")
	}
	m, err := matrix.Load("../../matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Resolve("mariadb-10.11")
	if err != nil {
		t.Fatal(err)
	}
	first, err := (&Store{Cache: shared(t)}).Obtain(t.Context(), e, "../..")
	if err != nil {
		t.Fatal(err)
	}
	before := linkerOf(t, first)
	base := t.TempDir()
	copyTo(t, first.Path, filepath.Join(base, "a", cacheKind))
	// Where patchelf is not installed it comes from the system's packages; the copy is to need none.
	if tools, ok := shared(t).Lookup("tools", "patchelf"); ok {
		copyTo(t, tools, filepath.Join(base, "a", "tools"))
	}
	obtained := func(folder string) *Basedir {
		t.Helper()
		c, err := cache.Open(filepath.Join(base, folder))
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		s := &Store{Cache: c, LockFile: "../../basedirs.lock", Log: func(text string) { said = append(said, text) }}
		if b, ok := s.Cached(e); ok {
			t.Errorf("%s is said to be cached and cannot run", b.Path)
		}
		b, err := s.Obtain(t.Context(), e, "../..")
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(said, "\n"); !strings.Contains(text, "unpacked elsewhere") || strings.Contains(text, "obtaining") {
			t.Errorf("it says %q, want that the server was repaired and not obtained anew", text)
		}
		if out, err := proc.Run(t.Context(), proc.Cmd{Path: b.Mysqld(), Args: []string{"--no-defaults", "--version"}}); err != nil || !strings.Contains(out, "MariaDB") {
			t.Errorf("%v: %s", err, out)
		}
		if _, ok := s.Cached(e); !ok {
			t.Error("repaired, and not cached")
		}
		return b
	}
	obtained("a") // its linker is still there, in the cache that it was copied from
	if err := os.Rename(filepath.Join(base, "a"), filepath.Join(base, "b")); err != nil {
		t.Fatal(err)
	}
	b := obtained("b") // and now it is not
	if got, want := linkerOf(t, b), b.Path; !strings.HasPrefix(got, want) {
		t.Errorf("the linker is %s, want one below %s", got, want)
	}
	if after := linkerOf(t, first); after != before {
		t.Errorf("the original was changed: %s", after)
	}
}

func linkerOf(t *testing.T, b *Basedir) string {
	t.Helper()
	real, err := filepath.EvalSymlinks(b.Mysqld())
	if err != nil {
		t.Fatal(err)
	}
	program, err := readBinary(real)
	if err != nil {
		t.Fatal(err)
	}
	return program.interpreter
}

// copyTo copies a folder below another one, by links where the file system has them.
func copyTo(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-c", `cp -al "$1" "$2" || cp -a "$1" "$2"`, "sh", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// A cached server that cannot be repaired is obtained anew; one of a cache that cannot be written is refused, in one line; and
// one that was only stopped is left alone.
func TestCachedServerThatCannotRun(t *testing.T) {
	archive := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
	v := newVendor(t, archive)
	s := newStore(t)
	e := tarballEntry(flavor.MySQL, "8.0", Tarball{Version: "8.0.36", URLs: []string{v.URL + "/mysql-8.0.36.tar.gz"}, SHA256: sha256Of(archive)})
	first, err := s.Obtain(t.Context(), e, "")
	if err != nil {
		t.Fatal(err)
	}
	program := first.Mysqld()
	for _, body := range []string{"#!/nosuch/sh\n", "#!/bin/sh\nexit 127\n"} {
		s.ran.Clear()
		if err := os.WriteFile(program, []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Cached(e); ok {
			t.Errorf("%q is cached", body)
		}
		if b, err := s.Obtain(t.Context(), e, ""); err != nil || s.sound(t.Context(), b) != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
	s.ran.Clear()
	if err := os.WriteFile(program, []byte("#!/bin/sh\nkill -9 $$\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Obtain(t.Context(), e, ""); err == nil || errors.As(err, new(*UnsoundError)) {
		t.Errorf("a server that was killed: %v", err)
	}
	if text, err := os.ReadFile(program); err != nil || !strings.Contains(string(text), "kill -9") {
		t.Errorf("it was removed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Obtain(ctx, e, ""); err == nil {
		t.Error("an interrupted check passes")
	}
}
