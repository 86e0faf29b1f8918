package run

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
)

// cell prepares a cell and runs its specs.
func (r *runner) cell(ctx context.Context, c matrix.Cell) {
	begin := time.Now()
	finished := report.Event{Type: report.EventCellFinished, Cell: c.ID(), ToolFlag: c.Tool.Flag()}
	defer func() {
		if ctx.Err() != nil {
			return // an interrupted cell has no end
		}
		finished.Seconds = report.SecondsOf(time.Since(begin))
		r.emit(finished)
	}()
	work, err := r.prepare(ctx, c)
	if err != nil {
		finished.Verdict, finished.Error = report.VerdictErrored, err.Error()
		if isUnavailable(err) {
			finished.Verdict, finished.Error, finished.Reason = report.VerdictUnavailable, "", err.Error()
		}
		return
	}
	if len(work.specs) == 0 {
		finished.Verdict, finished.Reason = report.VerdictUnsupported, "no spec of this cell is chosen by the focus and the tier"
		r.mu.Lock()
		r.unchosen++
		r.mu.Unlock()
		return
	}
	r.mu.Lock()
	r.announced += len(work.specs)
	r.mu.Unlock()
	r.emit(report.Event{Type: report.EventCellStarted, Cell: c.ID(), Total: len(work.specs), Seed: r.Seed,
		Server: work.server, ToolVersion: work.tool.Version, ToolFlag: c.Tool.Flag(), Baseline: c.Tool.Baseline})
	if finished.Error = r.run(ctx, work); finished.Error != "" {
		finished.Verdict = report.VerdictErrored
	}
}

// A spec that keeps a core busy weighs fullWeight; Procs of them run at once. Those that wait for most of
// their time weigh less.
const (
	fullWeight    = 4
	waitingWeight = 1
)

func weightOf(s cell.Spec) int64 {
	if slices.Contains(s.Labels, cell.LabelWaiting) {
		return waitingWeight
	}
	return fullWeight
}

func isUnavailable(err error) bool {
	var server *basedir.UnavailableError
	var program *tool.UnavailableError
	return errors.As(err, &server) || errors.As(err, &program)
}

// work is a cell that is ready to run.
type work struct {
	cell    matrix.Cell
	suite   string // program
	tool    *tool.Program
	goldens map[string]string
	older   map[string]string
	server  report.Server
	specs   []cell.Spec

	mu       sync.Mutex
	verdicts map[string]report.Verdict // of specs that have run, the worst of their attempts
}

// prepare obtains the suite, the tool and the server at the same time, since each waits for other things. Nothing is built for a
// server that another cell has found unavailable.
func (r *runner) prepare(ctx context.Context, c matrix.Cell) (*work, error) {
	if err := r.Supply.unavailable(c.Entry); err != nil {
		return nil, err
	}
	w := &work{cell: c, goldens: map[string]string{}}
	var group sync.WaitGroup
	var toolErr, serverErr error
	group.Go(func() { w.tool, toolErr = r.Supply.Tool(ctx, c.Tool) })
	group.Go(func() {
		b, err := r.Supply.Basedir(ctx, c.Entry)
		if serverErr = err; err == nil {
			w.server = report.Server{Vendor: b.Flavor.Vendor, Version: b.Version, Build: b.Comment}
		}
	})
	suite, suiteErr := r.Supply.Suite(ctx, c.Suite)
	group.Wait()
	if err := errors.Join(serverErr, toolErr, suiteErr); err != nil {
		return nil, err
	}
	w.suite = suite
	r.mu.Lock()
	r.obtained[c.ID()] = w.server
	r.mu.Unlock()
	catalog, err := r.catalog(ctx, w)
	if err != nil {
		return nil, err
	}
	for _, profile := range catalog.Profiles {
		golden, err := r.Supply.Golden(ctx, c.Entry, sandbox.Profile(profile))
		if err != nil {
			return nil, err
		}
		w.goldens[profile] = golden.Dir
	}
	w.specs = r.choose(catalog.Specs)
	if slices.ContainsFunc(w.specs, func(s cell.Spec) bool { return slices.Contains(s.Labels, cell.LabelOlder) }) {
		w.older, err = r.older(ctx, c, catalog.Profiles)
	}
	return w, err
}

// older obtains the newest available server of an older series than a cell's. It does not depend on what else runs
// here, so that a spec ends alike in a whole run and in any part of it. One that does not come up is no fault of the cell.
func (r *runner) older(ctx context.Context, c matrix.Cell, profiles []string) (map[string]string, error) {
	for _, other := range r.Matrix.Older(c.Entry) {
		goldens := map[string]string{}
		var err error
		for _, profile := range profiles {
			var golden *sandbox.Golden
			if golden, err = r.Supply.Golden(ctx, other, sandbox.Profile(profile)); err != nil {
				break
			}
			goldens[profile] = golden.Dir
		}
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err == nil:
			return goldens, nil
		case !isUnavailable(err):
			r.emit(report.Event{Type: report.EventNote, Cell: c.ID(), Message: "older server " + other.Name + ": " + err.Error()})
		}
	}
	return nil, nil // its specs are unsupported
}

func (r *runner) choose(specs []cell.Spec) []cell.Spec {
	return slices.DeleteFunc(slices.Clone(specs), func(s cell.Spec) bool {
		return r.Focus != nil && !r.Focus.MatchString(s.Text) ||
			r.Tier == matrix.TierPR && slices.Contains(s.Labels, cell.LabelFull)
	})
}
