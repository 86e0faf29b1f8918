package basedir

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
)

// The test binary, started with these variables, obtains one basedir and prints its path.
const (
	childURL   = "BASEDIR_TEST_URL"
	childSum   = "BASEDIR_TEST_SHA256"
	childCache = "BASEDIR_TEST_CACHE"
)

func TestMain(m *testing.M) {
	if os.Getenv(childURL) == "" {
		os.Exit(m.Run())
	}
	os.Exit(obtainAsChild())
}

func obtainAsChild() int {
	c, err := cache.Open(os.Getenv(childCache))
	if err != nil {
		println(err.Error())
		return 1
	}
	s := &Store{Cache: c, Progress: func(_ string, done, _ int64) { os.Stdout.WriteString("bytes\n") }}
	b, err := s.Obtain(context.Background(), childEntry(os.Getenv(childURL), os.Getenv(childSum)), "")
	if err != nil {
		println(err.Error())
		return 1
	}
	os.Stdout.WriteString("path " + b.Path + "\n")
	return 0
}

func childEntry(url, sum string) matrix.Entry {
	return tarballEntry(flavor.MySQL, "8.0", Tarball{SHA256: sum, URLs: []string{url}})
}

// child starts a process of its own that obtains the basedir.
func child(t *testing.T, s *Store, url, sum string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childURL+"="+url, childSum+"="+sum, childCache+"="+s.Cache.Root())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestTwoProcessesBuildOnce: the second waits for the first and finds what it built.
func TestTwoProcessesBuildOnce(t *testing.T) {
	file := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
	site := newVendor(t, file)
	site.pace(50 * time.Millisecond)
	s := newStore(t)
	url := site.URL + "/m.tar.gz"
	var paths []string
	var cmds []*exec.Cmd
	var outs []*bufio.Scanner
	for range 2 {
		cmd, out := child(t, s, url, sha256Of(file))
		cmds, outs = append(cmds, cmd), append(outs, out)
	}
	for i, out := range outs {
		for out.Scan() {
			if path, ok := strings.CutPrefix(out.Text(), "path "); ok {
				paths = append(paths, path)
			}
		}
		if err := cmds[i].Wait(); err != nil {
			t.Errorf("process %d: %v", i, err)
		}
	}
	if len(paths) != 2 || paths[0] != paths[1] {
		t.Errorf("paths %v, want the same one twice", paths)
	}
	if n := len(site.seen()); n != 1 {
		t.Errorf("%d downloads, want one", n)
	}
}

// TestKilledProcessLeavesNothingTrusted: one is killed in the middle of its download; the next goes on with
// the part only because the server vouches for it, and ends with a whole basedir.
func TestKilledProcessLeavesNothingTrusted(t *testing.T) {
	file := gzipped(t, tarOf(t, serverEntries(mysqlVersion)))
	site := newVendor(t, file)
	site.pace(100 * time.Millisecond)
	s := newStore(t)
	url := site.URL + "/m.tar.gz"
	cmd, out := child(t, s, url, sha256Of(file))
	if !out.Scan() {
		t.Fatal("the process ended before it got a byte")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the process was to be killed")
	}
	if _, ok := s.Cached(childEntry(url, sha256Of(file))); ok {
		t.Fatal("a half-built basedir counts as cached")
	}
	site.pace(0)
	b, err := s.Obtain(t.Context(), childEntry(url, sha256Of(file)), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(b.Mysqld()); err != nil {
		t.Error(err)
	}
	if building, _ := filepath.Glob(filepath.Join(s.Cache.Root(), cacheKind, ".*")); len(building) > 0 {
		t.Errorf("left: %v", building)
	}
}
