package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mysqlmatrix/harness/results"
)

// dbdeployer builds the pinned dbdeployer into a folder, for commands that run outside of the project.
func dbdeployer(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "dbdeployer")
	c := exec.Command("go", "build", "-o", path, "github.com/datacharmer/dbdeployer")
	c.Dir = projectRoot(t)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build dbdeployer: %v\n%s", err, out)
	}
	return path
}

// basedirOf is the folder of an entry's cached server.
func basedirOf(t testing.TB, runs, entry string) string {
	t.Helper()
	mustRun(t, runs, "fetch", entry)
	output := mustRun(t, runs, "up", entry, "--topology", "single", "--json")
	var up struct{ Nodes []struct{ Dir string } }
	if err := json.Unmarshal([]byte(output[strings.Index(output, "{"):]), &up); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(up.Nodes[0].Dir, "sandbox.json"))
	if err != nil {
		t.Fatal(err)
	}
	var meta struct{ Basedir string }
	if err := json.Unmarshal(text, &meta); err != nil {
		t.Fatal(err)
	}
	mustRun(t, runs, "down")
	return meta.Basedir
}

var (
	ownEntries = flag.String("own-installations", entryName, "servers that are tested as an installation of one's own as well, separated by commas")
	ownFocus   = flag.String("own-installations-focus", "^Pseudo-GTID refuses a replica|refusal", "specs of the pr tier for it")
)

// TestOwnInstallationHasTheVerdictsOfItsEntry runs a server as the entry of matrix.yaml, and as an installation that matrix.yaml
// knows nothing of. Known failures are declared for servers and not for names, so that all verdicts are the same.
func TestOwnInstallationHasTheVerdictsOfItsEntry(t *testing.T) {
	needsServer(t)
	runs := runFolder(t)
	for _, entry := range strings.Split(*ownEntries, ",") {
		out := t.TempDir()
		own := "dir:" + basedirOf(t, runs, entry)
		p := start(t, runs, "run", "--entry", entry, "--entry", own, "--tier", "pr", "--suite", "migration", "--suite", "pseudogtid",
			"--tool", "pt-online-schema-change=3.7.1", "--tool", "embedded=builtin", "--focus", *ownFocus, "--seed", "1", "--out", filepath.Join(out, "r"))
		code, output := p.wait(t, 20*time.Minute)
		exitCodeIs(t, code, 0, output)
		run, err := results.Read(filepath.Join(out, "r"))
		if err != nil {
			t.Fatal(err)
		}
		verdicts := map[string][]string{}
		for i := range run.Cells {
			c := &run.Cells[i]
			side := own
			if c.ID.Entry == entry {
				side = entry
			}
			for _, s := range c.Specs {
				verdicts[side] = append(verdicts[side], fmt.Sprintf("%s %s %s", c.ID.Suite, s.Text, s.Verdict))
			}
		}
		slices.Sort(verdicts[entry])
		slices.Sort(verdicts[own])
		if len(verdicts[entry]) == 0 || !slices.Equal(verdicts[entry], verdicts[own]) {
			t.Errorf("%s has the verdicts\n  %s\nand as an installation of one's own\n  %s", entry,
				strings.Join(verdicts[entry], "\n  "), strings.Join(verdicts[own], "\n  "))
		}
	}
}

// packBasedir packs the cached server as a vendor's tarball and returns its path and SHA-256.
func packBasedir(t testing.TB, dir string) (path, sum string) {
	t.Helper()
	basedir := basedirOf(t, runFolder(t), entryName)
	path = filepath.Join(dir, "mariadb-10.11.19-linux-systemd-x86_64.tar.gz")
	name := filepath.Base(basedir)
	c := exec.Command("tar", "-C", filepath.Dir(basedir), "-I", "gzip -1", "--transform", "s,^"+name+",mariadb-10.11.19-linux-systemd-x86_64,", "-cf", path, name)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		t.Fatal(err)
	}
	return path, hex.EncodeToString(hash.Sum(nil))
}

const tarballMatrix = `tools:
  - name: embedded
    suites: [failover, pseudogtid]
    versions:
      - {version: builtin, tier: pr, builtin: true}
entries:
  - name: mariadb-10.11
    vendor: mariadb
    series: "10.11"
    tier: pr
    sources:
      - tarball:
          version: "10.11.19"
          urls: [%s]
          sha256: %s
`

// TestRealTarball serves a real server's tarball, breaks the connection in the middle once, and brings
// the server up; then it serves one whose checksum is wrong.
func TestRealTarball(t *testing.T) {
	needsServer(t)
	dir := t.TempDir()
	archive, sum := packBasedir(t, dir)
	var requests, resumed atomic.Int32
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && requests.Add(1) == 1 {
			cutOff(t, w, archive)
			return
		}
		if strings.HasPrefix(r.Header.Get("Range"), "bytes=") {
			resumed.Add(1)
		}
		http.ServeFile(w, r, archive)
	}))
	defer site.Close()
	t.Setenv("DBDEPLOYER", dbdeployer(t, dir))
	url := site.URL + "/" + filepath.Base(archive)
	good := writeMatrix(t, dir, "good", url, sum)
	runs, cache := runFolder(t), filepath.Join(dir, "cache")
	at := func(matrix string, args ...string) []string {
		return append([]string{"--matrix", matrix, "--cache", cache}, args...)
	}
	bad := writeMatrix(t, dir, "bad", url, strings.Repeat("a", len(sum)))
	requests.Store(1) // the bad one is not cut off
	code, output := runMatrix(t, runs, at(bad, "up", entryName)...)
	exitCodeIs(t, code, exitErrored, output, "SHA-256", sum)
	if left, err := filepath.Glob(filepath.Join(cache, "basedirs", "*")); err != nil || len(left) > 0 {
		t.Errorf("a wrong checksum left %v in the cache (%v)", left, err)
	}
	requests.Store(0)
	mustRun(t, runs, at(good, "up", entryName, "--topology", "star:1")...)
	if resumed.Load() == 0 {
		t.Error("the broken download was not resumed")
	}
	before := requests.Load()
	mustRun(t, runs, at(good, "down")...)
	mustRun(t, runs, at(good, "up", entryName, "--topology", "single")...)
	if requests.Load() != before {
		t.Error("a cached server was fetched again")
	}
	mustRun(t, runs, at(good, "down")...)
	nothingLeft(t, runs)
}

func writeMatrix(t testing.TB, dir, name, url, sum string) string {
	t.Helper()
	path := filepath.Join(dir, name, "matrix.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, tarballMatrix, url, sum), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// cutOff sends the first part of a file and breaks the connection.
func cutOff(t testing.TB, w http.ResponseWriter, path string) {
	info, err := os.Stat(path)
	if err != nil {
		t.Error(err)
		return
	}
	file, err := os.Open(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer file.Close()
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	w.Header().Set("Accept-Ranges", "bytes")
	w.Header().Set("Last-Modified", info.ModTime().UTC().Format(http.TimeFormat))
	if _, err := io.CopyN(w, file, info.Size()/3); err != nil {
		t.Error(err)
	}
	panic(http.ErrAbortHandler)
}

// TestOrdinaryUser obtains and runs a server as a user who owns nothing but one folder.
func TestOrdinaryUser(t *testing.T) {
	needsServer(t)
	if os.Getuid() != 0 {
		t.Skip("the other tests run as an ordinary user already")
	}
	t.Parallel()
	const nobody = 65534
	dir, err := os.MkdirTemp("", "mu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // servers are looked for below
	root := projectRoot(t)
	for _, copied := range [][]string{
		{"-r", filepath.Join(root, "matrix.yaml"), filepath.Join(root, "scripts"), filepath.Join(root, "fixtures"), dir},
		{os.Args[0], filepath.Join(dir, "matrix")},
	} {
		if out, err := exec.Command("cp", copied...).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v\n%s", err, out)
		}
	}
	deployer := dbdeployer(t, dir)
	if out, err := exec.Command("chown", "-R", strconv.Itoa(nobody), dir).CombinedOutput(); err != nil {
		t.Fatalf("chown: %v\n%s", err, out)
	}
	as := func(args ...string) string {
		c := exec.Command(filepath.Join(dir, "matrix"), append([]string{"--cache", filepath.Join(dir, "c"), "--run-dir", filepath.Join(dir, "r")}, args...)...)
		c.Dir = dir
		c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "DBDEPLOYER=" + deployer, asMatrix + "=1"}
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("matrix %s as user %d: %v\n%s", strings.Join(args, " "), nobody, err, out)
		}
		return string(out)
	}
	as("up", entryName, "--topology", "star:1")
	until(t, "the replica's status", 10*time.Second, func() bool {
		return strings.Contains(as("use", "replica1", "--", "SELECT CURRENT_USER()"), "msandbox@")
	})
	as("down")
	nothingLeft(t, filepath.Join(dir, "r"))
}
