package migration_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/suitekit"
)

const (
	// hangLimit is how long a tool that nothing holds up may take without copying a row. One that hangs is stopped, and
	// that is a failure; one that is slow on a busy machine does not hang.
	hangLimit = 45 * time.Second
	// toolLimit is how long a whole migration may take. It leaves room for a STOP REPLICA that had not ended after 58
	// seconds, seen once on MySQL 9.7, when gh-ost had stopped the I/O thread in mid transaction (--test-on-replica).
	toolLimit = 100 * time.Second
)

// toolRun is one run of the tool, while the spec goes on beside it.
type toolRun struct {
	*fixture
	job     *migration.Job
	limit   time.Duration // of the whole run; 0 is hangLimit without progress
	process chan *proc.Process
	done    chan struct{}
	stop    context.CancelCauseFunc
	slow    bool   // the copy is to be interrupted
	unlock  func() // ends the row lock that the copy waits for
	result  *migration.Result
	err     error
}

// newJob is the change of the table, in a folder of its own.
func (f *fixture) newJob(extra ...string) migration.Job {
	f.runs++
	return migration.Job{
		Mode: f.mode, Database: table.Database, Table: table.Name, Alter: change,
		Primary: f.source, Replica: f.account(f.replica.Endpoint),
		Workdir: suitekit.WorkDir("tool" + strconv.Itoa(f.runs)), Scope: suitekit.Cell().Dir, ChunkSize: 1000,
		Extra: slices.Concat(f.always, extra),
	}
}

// begin starts the tool.
func (f *fixture) begin(ctx SpecContext, extra ...string) *toolRun {
	job := f.newJob(extra...)
	return f.start(ctx, f.driver, &job, 0)
}

// beginSlowly starts the tool such that its copy can be interrupted; see copies.
func (f *fixture) beginSlowly(ctx SpecContext, extra ...string) *toolRun {
	var unlock func()
	if f.tool.Commands != nil || f.tool.Copy.LockFirst {
		unlock = f.lockRow(ctx, smallTable/2)
	}
	r := f.begin(ctx, slices.Concat(f.tool.Copy.Chunks, extra)...)
	r.unlock, r.slow = unlock, true
	return r
}

// start starts a job with a driver. The run ends with the spec at the latest.
func (f *fixture) start(ctx SpecContext, driver migration.Tool, job *migration.Job, limit time.Duration) *toolRun {
	r := &toolRun{fixture: f, job: job, limit: limit, process: make(chan *proc.Process, 1), done: make(chan struct{})}
	job.OnStart = func(p *proc.Process) { r.process <- p }
	var running context.Context
	running, r.stop = context.WithCancelCause(ctx)
	cancel := func() {}
	if limit > 0 {
		running, cancel = context.WithTimeoutCause(running, limit, fmt.Errorf("the tool did not end within %s", limit))
	}
	suitekit.AttachAs(r.log(), filepath.Base(job.Workdir)+"."+filepath.Base(r.log()))
	go func() {
		defer close(r.done)
		defer cancel()
		r.result, r.err = driver.Migrate(running, *job)
	}()
	DeferCleanup(func() {
		r.stop(nil)
		<-r.done
	})
	return r
}

func (r *toolRun) log() string { return filepath.Join(r.job.Workdir, r.tool.Name+".log") }

// output is what the tool has printed so far.
func (r *toolRun) output() string {
	text, err := os.ReadFile(r.log())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	return string(text)
}

// progress gives a question: whether the tool prints another number of copied rows than when it was last asked. What is
// in its table says nothing of it: triggers write there, too.
func (r *toolRun) progress() func() bool {
	printed := func() string {
		if r.tool.Copy.Progress == nil {
			return ""
		}
		all := r.tool.Copy.Progress.FindAllString(r.output(), -1)
		if len(all) == 0 {
			return ""
		}
		return all[len(all)-1]
	}
	before := printed()
	return func() bool {
		now := printed()
		more := now != before
		before = now
		return more
	}
}

// end waits for the tool's end. A tool that makes no progress hangs.
func (r *toolRun) end(ctx context.Context) (*migration.Result, error) {
	GinkgoHelper()
	advanced := r.progress()
	limit := hangLimit
	if r.limit > 0 {
		limit = 2 * r.limit // it is stopped before
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case <-r.done:
			return r.result, r.err
		case <-timer.C:
			if advanced() {
				timer.Reset(limit)
				continue
			}
			replication := r.replication(ctx) // a tool may wait for a replica
			r.stop(nil)
			<-r.done
			Fail(fmt.Sprintf("%s hangs: no progress for %.0f s: %s%v", r.version(), limit.Seconds(), replication, r.err))
		case <-ctx.Done():
			Fail(fmt.Sprintf("the spec ran out of time while %s worked; its output ends with:\n%s", r.version(), proc.Tail(r.output(), 30)))
		}
	}
}

// version is the tool with its version.
func (r *toolRun) version() string { return r.tool.Name + "@" + suitekit.Cell().Tool.Version }

// succeed waits for the tool's end, which must be success.
func (r *toolRun) succeed(ctx context.Context) *migration.Result {
	GinkgoHelper()
	result, err := r.end(ctx)
	if err != nil && r.unable(result) {
		suitekit.Unsupported(err.Error())
	}
	if err != nil {
		Fail(reason(result) + err.Error())
	}
	return result
}

// unable says that the tool cannot make the change in this mode, though it can in another one.
func (f *fixture) unable(result *migration.Result) bool {
	return f.tool.Unable != "" && result != nil && regexp.MustCompile(f.tool.Unable).MatchString(result.Output)
}

// fails waits for the tool's end, which must be an error that it prints.
func (r *toolRun) fails(ctx context.Context, pattern string) {
	GinkgoHelper()
	result, err := r.end(ctx)
	if err == nil {
		Fail("expected the tool to fail, and it succeeded; its output ends with:\n" + proc.Tail(result.Output, 20))
	}
	if !regexp.MustCompile(pattern).MatchString(result.Output) {
		Fail(fmt.Sprintf("expected the tool's output to match %q: %v", pattern, err))
	}
	Expect(result.ExitCode).NotTo(BeZero())
}

// fatalLine is the line in which gh-ost says why it gave up.
var fatalLine = regexp.MustCompile(`(?m)^.* FATAL .*$`)

// reason is the last line in which the tool says why it gave up: the statement that follows it may be longer than
// what an error repeats of the output.
func reason(result *migration.Result) string {
	if result == nil {
		return ""
	}
	lines := fatalLine.FindAllString(result.Output, -1)
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1] + "\n"
}
