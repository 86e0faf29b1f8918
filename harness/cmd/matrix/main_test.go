package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/rundir"
)

// asMatrix makes the test program be the matrix program, so that tests start the real one.
const asMatrix = "MATRIX_TEST_AS_MATRIX"

// entryName is the server that tests use: the quickest to obtain and to start.
const entryName = "mariadb-10.11"

func TestMain(m *testing.M) {
	if os.Getenv(asMatrix) != "" {
		os.Exit(Main())
	}
	testscript.Main(m, map[string]func(){"matrix": func() { os.Exit(Main()) }})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: func(env *testscript.Env) error { return setUp(env, t) },
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"mistake": mistake, "linkall": linkAll, "eventually": eventually},
	})
}

// linkAll makes a folder whose entries are links to those of another.
func linkAll(ts *testscript.TestScript, _ bool, args []string) {
	complete, err := filepath.Glob(filepath.Join(args[0], "[^.]*"))
	ts.Check(errors.Join(err, os.MkdirAll(args[1], 0o755)))
	for _, one := range complete {
		ts.Check(os.Symlink(one, filepath.Join(args[1], filepath.Base(one))))
	}
}

// mistake runs matrix with arguments that have one: exit code 2, one line that matches a pattern, nothing on standard
// output, and the folder of servers is as empty as before.
func mistake(ts *testscript.TestScript, _ bool, args []string) {
	c := exec.Command("matrix", append([]string{"--run-dir", ts.Getenv("RUNS")}, args[1:]...)...)
	c.Dir = ts.Getenv("PROJECT")
	for _, name := range []string{"PATH", "HOME", "MATRIX_CACHE", "GOCACHE", "GOMODCACHE", "GOPATH", "TMPDIR"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	program, err := exec.LookPath("matrix")
	ts.Check(err)
	c.Path, c.Err = program, nil
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	_ = c.Run() // the exit code says it
	says := strings.TrimSpace(stderr.String())
	switch matched, err := regexp.MatchString(args[0], says); {
	case err != nil:
		ts.Fatalf("pattern %q: %v", args[0], err)
	case !matched:
		ts.Fatalf("%q does not match %q", says, args[0])
	case c.ProcessState.ExitCode() != exitUsage:
		ts.Fatalf("exit code %d, want %d: %s", c.ProcessState.ExitCode(), exitUsage, says)
	case stdout.Len() > 0 || strings.Contains(says, "\n"):
		ts.Fatalf("more than one line:\n%s%s", stdout.String(), says)
	}
	left, err := filepath.Glob(filepath.Join(ts.Getenv("RUNS"), "[^.]*"))
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("left behind: %v", left)
	}
}

// setUp gives a script the project's matrix file, the shared cache and a run folder of its own.
func setUp(env *testscript.Env, t *testing.T) error {
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	runs := runFolder(t)
	env.Setenv("MATRIX_CACHE", cache)
	env.Setenv("PROJECT", projectRoot(t))
	env.Setenv("RUNS", runs)
	env.Setenv("ENTRY", entryName)
	for _, name := range []string{"HOME", "GOPROXY", "GOFLAGS", "GONOSUMDB", "GOSUMDB"} {
		if value, ok := os.LookupEnv(name); ok {
			env.Setenv(name, value)
		}
	}
	env.Defer(func() { endScript(t, env.WorkDir) })
	return goFolders(env)
}

// endScript ends the servers that a script which failed has left in run folders of its own, and removes their links.
func endScript(t *testing.T, work string) {
	scopes := []string{work}
	for _, base := range []string{"/tmp", "/var/tmp", "/dev/shm"} {
		links, err := filepath.Glob(filepath.Join(base, "mm-*"))
		if err != nil {
			t.Error(err)
		}
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, work+"/") {
				scopes = append(scopes, link)
				defer os.Remove(link)
			}
		}
	}
	for _, scope := range scopes {
		left, err := proc.Sweep(context.Background(), scope, time.Second)
		if err != nil {
			t.Error(err)
		}
		for _, one := range left {
			t.Errorf("the script left a process behind: %d %s", one.PID, one.Command)
		}
	}
}

// goFolders names the folders that the go command would look for below the home, which a script may change.
func goFolders(env *testscript.Env) error {
	names := []string{"GOCACHE", "GOMODCACHE", "GOPATH"}
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		return err
	}
	for i, value := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		env.Setenv(names[i], value)
	}
	return nil
}

func cacheDir() (string, error) { return cache.DefaultDir(os.Getenv("MATRIX_CACHE")) }

// shareBasedirs gives another cache's folder of servers those that are complete, each by a link: with the whole folder it
// would have servers that are being obtained as well, under locks that it does not see.
func shareBasedirs(t testing.TB, shared, folder string) {
	t.Helper()
	complete, err := filepath.Glob(filepath.Join(shared, "[^.]*"))
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	for _, one := range complete {
		err = errors.Join(err, os.Symlink(one, filepath.Join(folder, filepath.Base(one))))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func projectRoot(t testing.TB) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// testRoot has the run folders of these tests. What tests that were killed or interrupted have left running below it ends when
// the next ones begin.
var testRoot = sync.OnceValues(func() (*rundir.Root, error) {
	root, err := rundir.Open(filepath.Join(os.TempDir(), "mt-"+strconv.Itoa(os.Getuid())))
	if err != nil {
		return nil, err
	}
	_, err = root.ClearAbandoned(context.Background())
	return root, err
})

// runFolder is a short folder for servers; at the end of the test nothing may be left in it or work in it.
func runFolder(t testing.TB) string {
	t.Helper()
	root, err := testRoot()
	if err != nil {
		t.Fatal(err)
	}
	owned, err := root.Create(context.Background(), "t")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(owned.Path, "r") // beside the owner's lock
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nothingLeft(t, dir)
		if err := owned.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func nothingLeft(t testing.TB, runs string) {
	t.Helper()
	left, err := proc.Sweep(context.Background(), runs, time.Second)
	if err != nil {
		t.Error(err)
	}
	for _, one := range left {
		t.Errorf("left a process behind: %d %s", one.PID, one.Command)
	}
	folders, err := filepath.Glob(filepath.Join(runs, "[^.]*"))
	if err != nil {
		t.Error(err)
	}
	if len(folders) > 0 {
		t.Errorf("left folders behind: %v", folders)
	}
}

// command is a run of the matrix program.
type command struct {
	*exec.Cmd
	output *bytes.Buffer
	done   chan error
}

// start starts matrix in the project with a run folder.
func start(t testing.TB, runs string, args ...string) *command {
	t.Helper()
	c := prepare(t, runs, args...)
	c.begin(t)
	return c
}

// prepare is what start starts.
func prepare(t testing.TB, runs string, args ...string) *command {
	t.Helper()
	c := &command{Cmd: exec.Command(os.Args[0], append([]string{"--run-dir", runs}, args...)...), output: &bytes.Buffer{}, done: make(chan error, 1)}
	c.Dir = projectRoot(t)
	c.Env = append(os.Environ(), asMatrix+"=1")
	c.Stdout, c.Stderr = c.output, c.output
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c
}

func (c *command) begin(t testing.TB) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.done <- c.Wait() }()
}

// wait waits for the end and returns the exit code and the output.
func (c *command) wait(t testing.TB, limit time.Duration) (int, string) {
	t.Helper()
	select {
	case <-c.done:
		return c.ProcessState.ExitCode(), c.output.String()
	case <-time.After(limit):
		_ = c.Process.Kill() // the test has failed already
		<-c.done
		t.Fatalf("matrix did not end within %s:\n%s", limit, c.output)
		return 0, ""
	}
}

func runMatrix(t testing.TB, runs string, args ...string) (int, string) {
	t.Helper()
	return start(t, runs, args...).wait(t, 3*time.Minute)
}

// mustRun fails the test unless the command exits with 0.
func mustRun(t testing.TB, runs string, args ...string) string {
	t.Helper()
	code, output := runMatrix(t, runs, args...)
	if code != 0 {
		t.Fatalf("matrix %s: exit code %d\n%s", strings.Join(args, " "), code, output)
	}
	return output
}

// until waits for a state.
func until(t testing.TB, what string, limit time.Duration, state func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !state() {
		if time.Now().After(deadline) {
			t.Fatalf("after %s: not %s", limit, what)
		}
		<-tick.C
	}
}

// serversIn counts the servers that run in a folder.
func serversIn(t testing.TB, dir string) int {
	t.Helper()
	infos, err := proc.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, one := range infos {
		if strings.Contains(one.Command, "my.sandbox.cnf") && proc.Alive(one.PID) {
			count++
		}
	}
	return count
}

func needsServer(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real servers")
	}
}

// exitCodeIs checks a command's end and what it says.
func exitCodeIs(t testing.TB, code, want int, output string, says ...string) {
	t.Helper()
	if code != want {
		t.Errorf("exit code %d, want %d:\n%s", code, want, output)
	}
	for _, text := range says {
		if !strings.Contains(output, text) {
			t.Errorf("output does not say %q:\n%s", text, output)
		}
	}
}
