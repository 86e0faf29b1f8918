package main

import (
	"errors"
	"flag"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
)

var (
	kills    = flag.Int("kills", 2, "how many runs TestKilledAnywhere ends at a random moment")
	killSeed = flag.Uint64("kill-seed", 0, "seed of those moments (default: drawn)")
)

// A run that is ended at any moment leaves nothing after the next command, and counts nothing as failed.
func TestKilledAnywhere(t *testing.T) {
	needsServer(t)
	hangup := make(chan os.Signal, 1) // under nohup a child would ignore it as well
	signal.Notify(hangup, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangup) })
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-kill-seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGINT, syscall.SIGTERM}
	for i := range *kills {
		endedAnywhere(t, signals[i%len(signals)], time.Duration(random.Int64N(int64(20*time.Second))))
	}
}

// endedAnywhere ends a run after some time; SIGPIPE is a reader that goes away.
func endedAnywhere(t *testing.T, sig syscall.Signal, after time.Duration) {
	t.Helper()
	t.Logf("%s after %s", sig, after)
	runs, out := runFolder(t), t.TempDir()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := prepare(t, runs, pseudo(out, "--tool", "embedded")...)
	if sig == syscall.SIGPIPE {
		c.Stdout, c.Stderr = writer, writer
	}
	c.begin(t)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	ended := false
	select {
	case <-c.done: // it came to its end before
		ended = true
	case <-time.After(after):
		if sig != syscall.SIGPIPE {
			if err := syscall.Kill(c.Process.Pid, sig); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	if !ended {
		c.wait(t, 2*time.Minute)
	}
	mustRun(t, runs, "status")
	nothingLeft(t, runs)
	result, err := results.Read(out)
	if errors.Is(err, fs.ErrNotExist) {
		return // it had not begun
	}
	if err != nil {
		t.Error(err)
		return
	}
	for _, v := range []report.Verdict{report.VerdictFailed, report.VerdictTimedOut, report.VerdictFixed} {
		if n := result.SpecTotals()[v]; n > 0 {
			t.Errorf("%s after %s: %d specs are %s", sig, after, n, v)
		}
	}
}
