package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
)

// pseudo are arguments of a run whose specs take some seconds.
func pseudo(out string, more ...string) []string {
	return append([]string{"run", "--plain", "--entry", entryName, "--suite", "pseudogtid", "--out", out}, more...)
}

func TestServerThatDoesNotStart(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs := runFolder(t)
	code, output := runMatrix(t, runs, "up", entryName, "--topology", "single", "--option", "no-such-option=1")
	exitCodeIs(t, code, exitErrored, output, "does not start", "no-such-option", "[ERROR]")
	nothingLeft(t, runs)
}

// upLimit is how long a command may take until its first server is up: it may have to compile a suite before, beside others.
const upLimit = 5 * time.Minute

func TestInterruptedRun(t *testing.T) {
	needsServer(t)
	// Under nohup a child would ignore it as well; of a signal that is handled here it has the default.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangup) })
	for name, sig := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM, "SIGHUP": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs, out := runFolder(t), t.TempDir()
			c := start(t, runs, pseudo(out)...)
			until(t, "a server up", upLimit, func() bool { return serversIn(t, runs) > 0 })
			if err := syscall.Kill(-c.Process.Pid, sig); err != nil { // as a terminal does: the whole foreground group
				t.Fatal(err)
			}
			code, output := c.wait(t, 40*time.Second)
			exitCodeIs(t, code, exitInterrupted, output)
			interruptedResults(t, out)
			nothingLeft(t, runs)
		})
	}
}

// interruptedResults checks that an interrupted run has left all its files, and that they say so.
func interruptedResults(t *testing.T, out string) {
	t.Helper()
	result, err := results.Read(filepath.Join(out, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != report.RunInterrupted {
		t.Errorf("run.json says %s", result.Status)
	}
	for _, name := range []string{"junit.xml", "summary.md", "page.html"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
}

// A reader of the output that goes away (matrix run | head -1) ends the run as a signal does.
func TestClosedOutput(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs, out := runFolder(t), t.TempDir()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := prepare(t, runs, pseudo(out)...)
	c.Stdout, c.Stderr = writer, writer
	c.begin(t)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "a server up", upLimit, func() bool { return serversIn(t, runs) > 0 })
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	code, output := c.wait(t, time.Minute)
	exitCodeIs(t, code, exitInterrupted, output)
	interruptedResults(t, out)
	nothingLeft(t, runs)
}

// A command that has printed all that its reader wanted says nothing of it.
func TestClosedOutputOfAList(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := prepare(t, runFolder(t), "list", "--offline")
	c.Stdout = writer
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	c.begin(t)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	code, output := c.wait(t, time.Minute)
	exitCodeIs(t, code, exitInterrupted, output)
	if output != "" {
		t.Errorf("it says %q", output)
	}
}

func TestInterruptedUp(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs := runFolder(t)
	c := start(t, runs, "up", entryName, "--topology", "star:8")
	until(t, "a server up", upLimit, func() bool { return serversIn(t, runs) > 0 })
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	code, output := c.wait(t, 30*time.Second)
	exitCodeIs(t, code, exitInterrupted, output)
	nothingLeft(t, runs)
}

func TestKilledRunner(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs := runFolder(t)
	c := start(t, runs, pseudo(t.TempDir())...)
	until(t, "a server up", upLimit, func() bool { return serversIn(t, runs) > 0 })
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.done
	output := mustRun(t, runs, "status")
	if !strings.Contains(output, "no topology is up") {
		t.Errorf("a killed run's servers count as topologies:\n%s", output)
	}
	nothingLeft(t, runs)
}

func TestKilledGoldenDeployment(t *testing.T) {
	needsServer(t)
	temporary, err := os.MkdirTemp("", "mk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temporary) }) // checked below
	t.Setenv("TMPDIR", temporary)
	mustRun(t, runFolder(t), "fetch", entryName)
	shared, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	runs, cache := runFolder(t), t.TempDir()
	shareBasedirs(t, filepath.Join(shared, "basedirs"), filepath.Join(cache, "basedirs"))
	c := start(t, runs, "--cache", cache, "up", entryName, "--topology", "single")
	until(t, "dbdeployer's server up", upLimit, func() bool { return serversIn(t, cache) > 0 })
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.done
	mustRun(t, runs, "--cache", cache, "up", entryName, "--topology", "single")
	mustRun(t, runs, "--cache", cache, "down")
	if sockets, err := filepath.Glob(filepath.Join(temporary, "mm-*")); err != nil || len(sockets) > 0 {
		t.Errorf("left socket folders behind: %v (%v)", sockets, err)
	}
	left, err := proc.Find(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range left {
		t.Errorf("left a process behind: %d %s", one.PID, one.Command)
	}
}

func TestTwoRunsAtOnce(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs := runFolder(t)
	chosen := []string{"--tool", "embedded", "--focus", "finds the same coordinates"}
	first, second := start(t, runs, pseudo(t.TempDir(), chosen...)...), start(t, runs, pseudo(t.TempDir(), chosen...)...)
	for _, c := range []*command{first, second} {
		code, output := c.wait(t, 3*time.Minute)
		exitCodeIs(t, code, 0, output, "1 passed")
	}
	nothingLeft(t, runs)
}

func TestToolThatHangs(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs, out := runFolder(t), t.TempDir()
	tool := filepath.Join(t.TempDir(), "gh-ost")
	script := "#!/bin/sh\ncase \"$*\" in *--version*) echo 9.9.9; exit 0;; *--check-flag*) exit 0;; esac\necho I shall hang now\nexec sleep 1000\n"
	if err := os.WriteFile(tool, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	code, output := runMatrix(t, runs, "run", "--plain", "--entry", entryName, "--suite", "migration", "--tool", "gh-ost="+tool,
		"--focus", "gh-ost allow-on-master: changes", "--limit", "15s", "--out", out)
	if strings.Contains(output, "too busy to tell why") {
		t.Skip("the machine is too busy to blame a tool for a limit")
	}
	exitCodeIs(t, code, 1, output, "timed-out")
	nothingLeft(t, runs)
}

func TestFullDisk(t *testing.T) {
	needsServer(t)
	mustRun(t, runFolder(t), "fetch", entryName)
	// There is too little room to begin with, or the disk is full while the harness copies data directories.
	for _, full := range []struct {
		size, topology, says string
		code                 int
	}{
		{"12m", "single", "run folder {}: want that it has room: it has 11 MiB free, and at least 24 are needed: choose another with --run-dir", exitUsage},
		{"26m", "star:6", "no space left on device", exitErrored},
	} {
		t.Run(full.size, func(t *testing.T) {
			t.Parallel()
			runs := runFolder(t)
			disk := mounted{`mount -t tmpfs -o size="$1" none "$2" && runs=$2 && shift 2 && "$@"; code=$?; ls "$runs" >&2; exit $code`, []string{full.size, runs}}
			code, output := disk.run(t, runs, "up", entryName, "--topology", full.topology)
			exitCodeIs(t, code, full.code, output, strings.ReplaceAll(full.says, "{}", runs))
			if strings.Contains(output, "\nup-") {
				t.Errorf("left its folder behind:\n%s", output)
			}
		})
	}
}

// A tool that fails while the disk is full is not blamed for it.
func TestDiskIsFullMeanwhile(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs, out := runFolder(t), t.TempDir()
	tool := filepath.Join(t.TempDir(), "gh-ost")
	script := "#!/bin/sh\ncase \"$*\" in *--version*) echo 9.9.9; exit 0;; *--check-flag*) exit 0;; esac\n" +
		"[ -z \"$FILL\" ] || cat /dev/zero >" + filepath.Join(runs, "filler") + "\nsleep 1\nrm -f " + filepath.Join(runs, "filler") + "\necho I cannot >&2\nexit 1\n"
	if err := os.WriteFile(tool, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	disk := mounted{`mount -t tmpfs -o size=400m none "$1" && shift && exec "$@"`, []string{runs}}
	args := []string{"run", "--plain", "--entry", entryName, "--suite", "migration", "--tool", "gh-ost=" + tool, "--focus", "gh-ost allow-on-master: changes: a stored generated"}
	code, output := disk.run(t, runs, append(args, "--env", "FILL=1", "--out", filepath.Join(out, "full"))...)
	exitCodeIs(t, code, exitErrored, output, "its disk was full meanwhile", "choose another with --run-dir")
	code, output = disk.run(t, runs, append(args, "--out", filepath.Join(out, "room"))...)
	exitCodeIs(t, code, exitFailed, output, "failed")
}

func TestTwoLabs(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs := runFolder(t)
	var up struct {
		Name  string
		Nodes []struct{ Name, DSN string }
	}
	output := mustRun(t, runs, "up", entryName, "--topology", "star:1", "--json")
	if err := json.Unmarshal([]byte(output[strings.Index(output, "{"):]), &up); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if len(up.Nodes) != 2 || up.Nodes[1].Name != "replica1" || up.Nodes[1].DSN == "" {
		t.Errorf("up --json: %+v", up)
	}
	mustRun(t, runs, "up", entryName, "--topology", "single")
	code, output := runMatrix(t, runs, "use", "primary", "--", "SELECT 1")
	exitCodeIs(t, code, exitUsage, output, entryName+"/primary", entryName+".2/primary")
	mustRun(t, runs, "use", entryName+"/primary", "--", "CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY); INSERT INTO d.t VALUES (4711)")
	until(t, "the row on the replica", 20*time.Second, func() bool {
		code, output := runMatrix(t, runs, "use", entryName+"/replica1", "--", "SELECT * FROM d.t")
		return code == 0 && strings.Contains(output, "4711")
	})
	code, output = runMatrix(t, runs, "down")
	exitCodeIs(t, code, exitUsage, output, "--all")
	mustRun(t, runs, "down", "--all")
	nothingLeft(t, runs)
}

// A user restarts a server by the sandbox's own script: what starts then carries no mark of this program's.
func TestServerRestartedByHand(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs := runFolder(t)
	mustRun(t, runs, "up", entryName, "--topology", "single")
	var script string
	if err := filepath.WalkDir(runs, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "restart" {
			script = path
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	restart := exec.Command(script)
	restart.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, proc.ScopeEnv+"=") })
	if output, err := restart.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, output)
	}
	if output := mustRun(t, runs, "use", "primary", "--", "SELECT 4700 + 11"); !strings.Contains(output, "4711") {
		t.Errorf("the restarted server does not answer: %s", output)
	}
	if len(commandLinesWith(t, runs)) == 0 {
		t.Fatal("the restarted server is not among the processes")
	}
	mustRun(t, runs, "down")
	for _, line := range commandLinesWith(t, runs) {
		t.Errorf("it outlives down: %s", line)
	}
}

// commandLinesWith are those of the processes that name a folder, whoever has started them.
func commandLinesWith(t *testing.T, folder string) (lines []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if line, err := os.ReadFile(path); err == nil && bytes.Contains(line, []byte(folder)) {
			lines = append(lines, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return lines
}
