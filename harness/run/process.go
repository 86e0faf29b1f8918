package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/pool"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/rundir"
)

const (
	// overtime is what a suite process gets beyond its spec's limit, to gather evidence and clean up by
	// itself, before it is stopped from outside.
	overtime  = 45 * time.Second
	stopGrace = 20 * time.Second
	// drainLimit is how long events may still be under way when a process has ended.
	drainLimit = 2 * time.Second
)

// errOvertime is the cause of a process that outlives its spec's limit.
var errOvertime = errors.New("it did not end in time and was stopped")

// A task is what a suite process is started for.
type task struct {
	mode     cell.Mode
	spec     cell.Spec // of ModeRun
	evidence string    // folder for what a failing spec leaves to look at
}

// process starts a suite process in a folder of its own, lets read consume what it sends, and clears whatever it leaves.
func (r *runner) process(ctx context.Context, w *work, t task, read func(*rundir.Dir, io.Reader, func() error) error) (err error) {
	dir, err := r.Root.Create(context.WithoutCancel(ctx), "s")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.leave(ctx, w, dir, t.spec.Text)) }()
	path := filepath.Join(dir.Path, "cell.json")
	if err := r.describe(w, t, dir).Write(path); err != nil {
		return err
	}
	output, err := os.Create(filepath.Join(dir.Path, outputFile))
	if err != nil {
		return fmt.Errorf("output of the suite process: %w", err)
	}
	defer func() { err = errors.Join(err, output.Close()) }()
	events, eventsEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ignoreClosed(events.Close())) }()
	lifelineEnd, lifeline, err := os.Pipe()
	if err != nil {
		return errors.Join(err, eventsEnd.Close())
	}
	defer func() { err = errors.Join(err, lifeline.Close()) }()
	process, err := proc.Start(proc.Cmd{Path: w.suite, Dir: dir.Path, Scope: dir.Path, Stdout: output, Stderr: output,
		// go test's own time-out panics without a clean-up; ginkgo's and ours come first.
		Args: []string{"-test.timeout=0"}, Env: []string{cell.Env + "=" + path}, Inherit: true, // it builds tools; what it starts does not inherit
		ExtraFiles: []*os.File{eventsEnd, lifelineEnd}})
	closeErr := errors.Join(eventsEnd.Close(), lifelineEnd.Close())
	if err := errors.Join(err, closeErr); err != nil {
		return err
	}
	wait := r.supervise(ctx, process, events, r.limit(t.spec))
	readErr := read(dir, events, wait)
	return errors.Join(readErr, ignoreExit(wait()))
}

// describe is what the process is to do.
func (r *runner) describe(w *work, t task, dir *rundir.Dir) cell.Description {
	return cell.Description{Mode: t.mode, ID: w.cell.ID(), Tool: *w.tool, Flavor: w.flavor, Goldens: w.goldens, Older: w.older.goldens, Earlier: w.earlier.goldens, Spec: t.spec.Text, Dir: dir.Path,
		Evidence: t.evidence, Limit: r.limit(t.spec), Seed: r.Seed, Histories: r.Histories, History: r.History, Keep: r.Keep, KeepData: r.KeepData, Cache: r.Supply.Tools.Cache.Root(),
		Pool: r.Pool, PoolIdle: r.idle()}
}

// longer is how many times the limit a spec has that is labelled long.
const longer = 4

// limit is how long a spec may take.
func (r *runner) limit(s cell.Spec) time.Duration {
	if slices.Contains(s.Labels, cell.LabelLong) {
		return longer * r.Limit
	}
	return r.Limit
}

// supervise stops the process when ctx ends or its time is over, and unblocks the reader of its events
// should something else hold them open. The function it returns waits for the end.
func (r *runner) supervise(ctx context.Context, p *proc.Process, events *os.File, limit time.Duration) func() error {
	result := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		timer := time.NewTimer(limit + overtime)
		defer timer.Stop()
		var cause error
		select {
		case <-p.Done():
			result <- p.Err()
		case <-ctx.Done():
			cause = context.Cause(ctx)
		case <-timer.C:
			cause = errOvertime
		}
		if cause != nil {
			result <- errors.Join(cause, p.Stop(context.WithoutCancel(ctx), stopGrace))
		}
		if err := events.SetReadDeadline(time.Now().Add(drainLimit)); err != nil && !errors.Is(err, os.ErrClosed) {
			_ = events.Close() // the same end: the reader is unblocked
		}
	}()
	var once error
	var known bool
	return func() error {
		<-ended
		if !known {
			once, known = <-result, true
		}
		return once
	}
}

// ignoreExit leaves a failing spec's exit code to its event.
func ignoreExit(err error) error {
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) || errors.Is(err, errOvertime) {
		return nil
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// held are the folders of topologies that a process has taken from the pool.
func (r *runner) held(dir *rundir.Dir) ([]string, error) {
	if r.Pool == "" {
		return nil, nil
	}
	return pool.Held(r.Pool, dir.Path)
}

// leave removes a process's folder, or keeps it when its spec asked for that.
func (r *runner) leave(ctx context.Context, w *work, dir *rundir.Dir, spec string) error {
	// What the process had of the pool and has not returned is nobody's now.
	held, err := r.held(dir)
	for _, one := range held {
		err = errors.Join(err, pool.Remove(one))
	}
	if err != nil {
		return err
	}
	if dir.Kept() {
		r.emit(report.Event{Type: report.EventNote, Cell: w.cell.ID(),
			Message: fmt.Sprintf("the servers of %q are left running: see matrix status", spec)})
		return dir.Release()
	}
	left, err := proc.Find(dir.Path)
	if err != nil {
		return err
	}
	for _, one := range left {
		if ctx.Err() == nil && proc.Alive(one.PID) {
			r.emit(report.Event{Type: report.EventNote, Cell: w.cell.ID(),
				Message: fmt.Sprintf("%q left a process behind, which is stopped now: %d %s", spec, one.PID, one.Command)})
		}
	}
	return dir.Remove(context.WithoutCancel(ctx))
}
