package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/topology"
)

const (
	catalogLimit = time.Minute
	// overtime is what a suite process gets beyond its spec's limit, to gather evidence and clean up by
	// itself, before it is stopped from outside.
	overtime  = 45 * time.Second
	stopGrace = 20 * time.Second
	// drainLimit is how long events may still be under way when a process has ended.
	drainLimit = 2 * time.Second
	outputFile = "output.log"
	tailLines  = 30
	leftFolder = "left" // of what a dead suite process's servers say, as nodes1 and so on are of a living one's
)

// catalog asks a suite which specs it has for the cell.
func (r *runner) catalog(ctx context.Context, w *work) (catalog cell.Catalog, err error) {
	ctx, cancel := context.WithTimeout(ctx, catalogLimit)
	defer cancel()
	err = r.process(ctx, w, cell.Spec{}, 1, func(dir *rundir.Dir, events io.Reader, _ func() error) error {
		decodeErr := json.NewDecoder(events).Decode(&catalog)
		if decodeErr != nil {
			return fmt.Errorf("suite %s does not say which specs it has: %w\n%s", w.cell.Suite, decodeErr, outputTail(dir))
		}
		return nil
	})
	return catalog, err
}

// spec runs one spec, emits its events, and returns its verdict, which is unknown when it was interrupted. The last
// event is made up here when the process does not send it.
func (r *runner) spec(ctx context.Context, w *work, spec cell.Spec, attempt int) report.Verdict {
	begin := time.Now()
	evidence := evidenceDir(w.cell, spec.Text, attempt)
	numbered := func(e report.Event) report.Event {
		if attempt > 1 {
			e.Attempt = attempt
		}
		return e
	}
	last := report.Event{Type: report.EventSpecFinished, Cell: w.cell.ID(), Spec: spec.Text, Labels: spec.Labels}
	var ended bool
	// A folder of results may be used again: what an earlier run has left there says nothing of this one.
	if err := os.RemoveAll(filepath.Join(r.Out, evidence)); err != nil {
		r.emit(report.Event{Type: report.EventNote, Cell: w.cell.ID(), Message: "old evidence: " + err.Error()})
	}
	err := r.process(ctx, w, spec, attempt, func(dir *rundir.Dir, events io.Reader, wait func() error) error {
		decoder := report.NewDecoder(events)
		for {
			e, err := decoder.Decode()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("event of the suite process: %w", err)
			}
			if e.Type == report.EventSpecFinished {
				last, ended = e, true
			} else {
				r.emit(numbered(e))
			}
		}
		waitErr := wait()
		if ended && last.Verdict == report.VerdictPassed && waitErr != nil {
			last.Verdict, last.Error = report.VerdictErrored, fmt.Sprintf("the spec passed, and its process failed: %v\n%s", waitErr, outputTail(dir))
		}
		if !ended {
			last.Verdict, last.Error = report.VerdictErrored, fmt.Sprintf("the suite process ended without a result: %v\n%s", waitErr, outputTail(dir))
			if errors.Is(waitErr, errOvertime) {
				last.Verdict = report.VerdictTimedOut
			}
		}
		if !last.Verdict.Bad() {
			return nil
		}
		err := copyOutput(dir, filepath.Join(r.Out, evidence))
		if !ended && ctx.Err() == nil {
			err = errors.Join(err, r.salvage(ctx, dir, filepath.Join(r.Out, evidence)))
		}
		return err
	})
	if ctx.Err() != nil && !last.Verdict.Valid() || ctx.Err() != nil && last.Verdict.Bad() {
		return report.VerdictUnknown // interrupted: neither the subject nor the harness failed
	}
	if err != nil {
		last.Verdict, last.Error = report.VerdictErrored, errors.Join(errors.New(last.Error), err).Error()
	}
	if last.Seconds == 0 {
		last.Seconds = report.SecondsOf(time.Since(begin))
	}
	last.Repro = r.repro(w.cell, spec.Text)
	if last.Verdict.Bad() {
		last.Evidence = filepath.ToSlash(evidence)
	}
	last = r.settle(w.cell, last)
	r.emit(numbered(last))
	return last.Verdict
}

// errOvertime is the cause of a process that outlives its spec's limit.
var errOvertime = errors.New("it did not end in time and was stopped")

// process starts a suite process for a spec (the zero value is the catalog) in a folder of its own, lets read consume
// what it sends, and clears whatever it leaves.
func (r *runner) process(ctx context.Context, w *work, spec cell.Spec, attempt int, read func(*rundir.Dir, io.Reader, func() error) error) (err error) {
	dir, err := r.Root.Create(context.WithoutCancel(ctx), "s")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.leave(ctx, w, dir, spec.Text)) }()
	description := cell.Description{ID: w.cell.ID(), Tool: *w.tool, Goldens: w.goldens, Older: w.older, Spec: spec.Text, Dir: dir.Path,
		Evidence: filepath.Join(r.Out, evidenceDir(w.cell, spec.Text, attempt)), Limit: r.limit(spec), Seed: r.Seed, Keep: r.Keep, KeepData: r.KeepData,
		Cache: r.Supply.Tools.Cache.Root()}
	path := filepath.Join(dir.Path, "cell.json")
	if err := description.Write(path); err != nil {
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
	wait := r.supervise(ctx, process, events, r.limit(spec))
	readErr := read(dir, events, wait)
	return errors.Join(readErr, ignoreExit(wait()))
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

// leave removes a process's folder, or keeps it when its spec asked for that.
func (r *runner) leave(ctx context.Context, w *work, dir *rundir.Dir, spec string) error {
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

// salvage gathers what the servers of a dead suite process say of themselves, before its folder is removed.
func (r *runner) salvage(ctx context.Context, dir *rundir.Dir, to string) error {
	folders, err := filepath.Glob(filepath.Join(dir.Path, "*"))
	errs := []error{err}
	for _, folder := range folders {
		t, err := topology.Left(folder)
		errs = append(errs, err)
		if len(t.Nodes) == 0 {
			continue
		}
		errs = append(errs, t.Evidence(ctx, filepath.Join(to, leftFolder, filepath.Base(folder))))
		if r.KeepData && !dir.Kept() {
			errs = append(errs, t.SaveData(filepath.Join(to, "data", filepath.Base(folder))))
		}
	}
	return errors.Join(errs...)
}

func outputTail(dir *rundir.Dir) string {
	text, err := os.ReadFile(filepath.Join(dir.Path, outputFile))
	if err != nil {
		return err.Error()
	}
	return "it printed:\n" + proc.Tail(string(text), tailLines)
}

func copyOutput(dir *rundir.Dir, to string) error {
	text, err := os.ReadFile(filepath.Join(dir.Path, outputFile))
	if err != nil {
		return fmt.Errorf("output of the suite process: %w", err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return os.WriteFile(filepath.Join(to, outputFile), text, 0o644)
}
