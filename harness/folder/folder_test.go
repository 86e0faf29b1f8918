package folder

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOdd(t *testing.T) {
	for path, want := range map[string]string{
		"/home/me/.cache/mysql-matrix_2+a=b,c@d~%": "", "/a b": "a blank", "/it's": "the character '", "/$x": "the character $", "/#": "the character #",
		`/"`: `the character "`, `/\`: `the character \`, "/é": "the character é", "/a:b": "the character :", "/a\nb": `the control character '\n'`,
	} {
		if got := Odd(path); got != want {
			t.Errorf("Odd(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	full := Run
	full.room = 1 << 60
	small, err := os.MkdirTemp("/tmp", "mf") // t's own would be too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(small)
	long := filepath.Join(small, strings.Repeat("x", 60))
	for _, c := range []struct {
		use       Use
		dir, says string
	}{
		{Cache, filepath.Join(dir, "new"), ""},
		{Temporary, filepath.Join(dir, "new"), ""},
		{Results, filepath.Join(dir, "a b 'c'"), ""},
		{Results, dir + "/\x1b[31m", "its path is no text that a report can hold: choose another folder"},
		{Results, file, "want that it can be written: not a directory"},
		{Cache, "/proc/nosuch", "want that it can be written: no such file or directory: choose another with --cache, or with MATRIX_CACHE"},
		{Cache, filepath.Join(dir, "a b"), "its path has a blank, which"},
		{full, small, "MiB free, and at least 1099511627776 are needed: choose another with --run-dir"},
		{Run, long, "want that the paths of servers' sockets fit: sockets below it would have paths of"},
	} {
		err := Check(c.dir, c.use)
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s %q: %v", c.use.Name, c.dir, err)
		case c.says == "":
		case err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s %q: %v, want one line with %q", c.use.Name, c.dir, err, c.says)
		case !errors.As(err, new(*UnfitError)):
			t.Errorf("%s %q: a %T", c.use.Name, c.dir, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "a b")); err == nil {
		t.Error("a folder that is refused for its path was made")
	}
	left, err := filepath.Glob(filepath.Join(dir, "new", ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What a killed process has left is removed, and not what another one tries now.
func TestProbesThatWereLeft(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{".probe-old": time.Hour, ".probe-now": 0} {
		path := filepath.Join(dir, name)
		then := time.Now().Add(-age)
		if err := errors.Join(os.Mkdir(path, 0o755), os.Chtimes(path, then, then)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Check(dir, Temporary); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".probe-*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != ".probe-now" {
		t.Errorf("%v, %v", left, err)
	}
}

// A file system that is mounted without leave to run programs, or to write, is told. Both can be mounted only where a user
// may make a namespace.
func TestMounts(t *testing.T) {
	const asOther = "FOLDER_TEST_DIR"
	if dir := os.Getenv(asOther); dir != "" {
		err := Check(dir, Cache)
		if err == nil {
			t.Fatal("it serves")
		}
		t.Log(err)
		return
	}
	for options, says := range map[string]string{"noexec": "want that programs run in it: its file system is mounted noexec: choose another with --cache", "ro": "want that it can be written: read-only file system"} {
		dir := t.TempDir()
		c := exec.Command("unshare", "--mount", "sh", "-c", `mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"`, "sh", options, dir, os.Args[0], "-test.run=^TestMounts$", "-test.v")
		c.Env = append(os.Environ(), asOther+"="+dir)
		out, err := c.CombinedOutput()
		if strings.Contains(string(out), "ermi") && !strings.Contains(string(out), "TestMounts") {
			t.Skipf("nothing can be mounted here: %s", out)
		}
		if err != nil || !strings.Contains(string(out), says) {
			t.Errorf("%s: %v, want %q:\n%s", options, err, says, out)
		}
	}
}
