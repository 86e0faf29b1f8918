package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/flavor"
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
	server  report.Server
	flavor  flavor.Flavor
	older   second // of an older series, where a spec wants one
	earlier second // an earlier release of the same series, where a spec wants one
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
			w.server, w.flavor = serverOf(b), b.Flavor
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
	w.specs = r.choose(catalog.Specs)
	if err := r.goldens(ctx, c.Entry, append(catalog.Profiles, w.profiles()...), w.goldens); err != nil {
		return nil, err
	}
	if w.wants(cell.LabelOlder) {
		if w.older, err = r.second(ctx, c, r.Matrix.Older(c.Entry), nil, catalog.Profiles); err != nil {
			return nil, err
		}
	}
	if w.wants(cell.LabelEarlier) {
		earlier := func(f flavor.Flavor) bool { return f.Version.Compare(w.flavor.Version) < 0 }
		if w.earlier, err = r.second(ctx, c, r.Matrix.SameSeries(c.Entry), earlier, catalog.Profiles); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// profiles are those that only some specs of the cell use.
func (w *work) profiles() []string {
	var names []string
	for _, s := range w.specs {
		for _, label := range s.Labels {
			if name, ok := strings.CutPrefix(label, cell.LabelProfile); ok && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// wants says whether a spec of the cell has a label.
func (w *work) wants(label string) bool {
	return slices.ContainsFunc(w.specs, func(s cell.Spec) bool { return slices.Contains(s.Labels, label) })
}

// expect is what is declared of a spec on the server that the tool works on in it.
func (r *runner) expect(w *work, s cell.Spec) (*matrix.Expectation, error) {
	on := w.server
	if slices.Contains(s.Labels, cell.LabelOnOlder) && w.older.goldens != nil {
		on = w.older.server
	}
	return r.Matrix.Expect(w.cell, on, s.Text)
}

// second is another server beside a cell's own: its golden sandboxes by profile, nil where none is available.
type second struct {
	goldens map[string]string
	server  report.Server
}

// second obtains the first available of several entries' servers, of those that are fit where that matters. It does not depend
// on what else runs here, so that a spec ends alike in a whole run and in any part of it. One that does not come up is no fault
// of the cell.
func (r *runner) second(ctx context.Context, c matrix.Cell, entries []matrix.Entry, fit func(flavor.Flavor) bool, profiles []string) (second, error) {
	for _, other := range entries {
		b, err := r.Supply.Basedir(ctx, other)
		if err == nil && fit != nil && !fit(b.Flavor) {
			continue
		}
		one := second{goldens: map[string]string{}}
		if err == nil {
			one.server = serverOf(b)
			err = r.goldens(ctx, other, profiles, one.goldens)
		}
		switch {
		case ctx.Err() != nil:
			return second{}, context.Cause(ctx)
		case err == nil:
			return one, nil
		case !isUnavailable(err):
			r.emit(report.Event{Type: report.EventNote, Cell: c.ID(), Message: "the second server, " + other.Name + ": " + err.Error()})
		}
	}
	return second{}, nil // its specs are unsupported
}

// goldens obtains an entry's golden sandboxes.
func (r *runner) goldens(ctx context.Context, e matrix.Entry, profiles []string, into map[string]string) error {
	for _, profile := range profiles {
		golden, err := r.Supply.Golden(ctx, e, sandbox.Profile(profile))
		if err != nil {
			return err
		}
		into[profile] = golden.Dir
	}
	return nil
}

func serverOf(b *basedir.Basedir) report.Server {
	return report.Server{Vendor: b.Flavor.Vendor, Version: b.Version, Build: b.Comment}
}

func (r *runner) choose(specs []cell.Spec) []cell.Spec {
	return slices.DeleteFunc(slices.Clone(specs), func(s cell.Spec) bool {
		return r.Focus != nil && !r.Focus.MatchString(s.Text) ||
			r.Tier == matrix.TierPR && slices.Contains(s.Labels, cell.LabelFull)
	})
}
