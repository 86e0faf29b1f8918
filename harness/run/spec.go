package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/rundir"
)

const catalogLimit = time.Minute

// catalog asks a suite which specs it has for the cell.
func (r *runner) catalog(ctx context.Context, w *work) (catalog cell.Catalog, err error) {
	ctx, cancel := context.WithTimeout(ctx, catalogLimit)
	defer cancel()
	err = r.process(ctx, w, task{mode: cell.ModeList}, func(dir *rundir.Dir, events io.Reader, _ func() error) error {
		decodeErr := json.NewDecoder(events).Decode(&catalog)
		if decodeErr != nil {
			return fmt.Errorf("suite %s does not say which specs it has: %w\n%s", w.cell.Suite, decodeErr, outputTail(dir))
		}
		return nil
	})
	return catalog, err
}

// attempt is one run of a spec.
type attempt struct {
	*runner
	work     *work
	spec     cell.Spec
	number   int    // from 1
	evidence string // folder below Out, with slashes
	last     report.Event
	ended    bool // the suite process has sent the last event
}

// spec runs one spec, emits its events, and returns its verdict, which is unknown when it was interrupted. The last
// event is made up here when the process does not send it.
func (r *runner) spec(ctx context.Context, w *work, spec cell.Spec, number int) report.Verdict {
	begin := time.Now()
	a := &attempt{runner: r, work: w, spec: spec, number: number, evidence: evidenceDir(w.cell, spec.Text, number)}
	a.last = report.Event{Type: report.EventSpecFinished, Cell: w.cell.ID(), Spec: spec.Text, Labels: spec.Labels}
	// A folder of results may be used again: what an earlier run has left there says nothing of this one.
	if err := os.RemoveAll(a.folder()); err != nil {
		r.emit(report.Event{Type: report.EventNote, Cell: w.cell.ID(), Message: "old evidence: " + err.Error()})
	}
	err := r.process(ctx, w, task{mode: cell.ModeRun, spec: spec, evidence: a.folder()}, func(dir *rundir.Dir, events io.Reader, wait func() error) error {
		if err := a.read(events); err != nil {
			return err
		}
		a.conclude(dir, wait())
		return a.keep(ctx, dir)
	})
	if interrupted := ctx.Err() != nil && (!a.last.Verdict.Valid() || a.last.Verdict.Bad()); interrupted {
		return report.VerdictUnknown // neither the subject nor the harness failed
	}
	if err != nil {
		a.last.Verdict, a.last.Error = report.VerdictErrored, errors.Join(errors.New(a.last.Error), err).Error()
	}
	if a.last.Seconds == 0 {
		a.last.Seconds = report.SecondsOf(time.Since(begin))
	}
	a.last.Repro = r.repro(w.cell, spec.Text)
	if a.last.Verdict.Bad() {
		a.last.Evidence = filepath.ToSlash(a.evidence)
	}
	// What is declared stays known on a busy machine, too.
	a.last = tooBusy(r.judge(w, r.excuse(a.last, begin)), loadOfProcessor())
	w.note(spec.Text, a.last.Verdict)
	r.emit(a.numbered(a.last))
	return a.last.Verdict
}

// folder is where the evidence lies.
func (a *attempt) folder() string { return filepath.Join(a.Out, a.evidence) }

// numbered gives events of a repetition its number.
func (a *attempt) numbered(e report.Event) report.Event {
	if a.number > 1 {
		e.Attempt = a.number
	}
	return e
}

// read passes on the events of the suite process, up to the last.
func (a *attempt) read(events io.Reader) error {
	decoder := report.NewDecoder(events)
	for {
		e, err := decoder.Decode()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("event of the suite process: %w", err)
		}
		if e.Type == report.EventSpecFinished {
			a.last, a.ended = e, true
		} else {
			a.emit(a.numbered(e))
		}
	}
}

// conclude is the verdict of a process that has sent no last event, or that failed after a spec that passed.
func (a *attempt) conclude(dir *rundir.Dir, waitErr error) {
	switch {
	case a.ended && a.last.Verdict == report.VerdictPassed && waitErr != nil:
		a.last.Verdict, a.last.Error = report.VerdictErrored, fmt.Sprintf("the spec passed, and its process failed: %v\n%s", waitErr, outputTail(dir))
	case !a.ended:
		a.last.Verdict, a.last.Error = report.VerdictErrored, fmt.Sprintf("the suite process ended without a result: %v\n%s", waitErr, outputTail(dir))
		if errors.Is(waitErr, errOvertime) {
			a.last.Verdict = report.VerdictTimedOut
		}
	}
}

// keep saves the evidence of a bad verdict.
func (a *attempt) keep(ctx context.Context, dir *rundir.Dir) error {
	if !a.last.Verdict.Bad() {
		return nil
	}
	err := copyOutput(dir, a.folder())
	if !a.ended && ctx.Err() == nil {
		err = errors.Join(err, a.salvage(ctx, dir, a.folder()))
	}
	return err
}
