// Package run schedules cells: it obtains what they need, runs each spec of a suite as a process of its
// own, and turns what happens into one stream of events.
//
// A process for each spec, rather than one for each cell, costs some 30 ms and buys three things: a crash,
// a hang or a leak is one spec's; specs of all cells share one pool, so that no core waits for a slow
// cell; and a repetition of one failure runs exactly what failed.
package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/rundir"
)

// Config is how to run.
type Config struct {
	Matrix *matrix.Matrix
	Digest string // of matrix.yaml
	Supply *Supply
	Root   *rundir.Root
	Out    string         // folder of results: evidence goes below it
	Focus  *regexp.Regexp // on a spec's full text; nil is all
	Tier   matrix.Tier    // the pr tier leaves out specs that are labelled full
	Jobs   int            // cells that are prepared or run at once
	Procs  int            // specs that run at once, over all cells; of those that mostly wait, four times as many
	// AllKnown runs every spec of a cell that a declaration blocks, and not only a sample of them.
	AllKnown bool
	// Pool is a folder for topologies that specs use one after the other; "" gives every spec a fresh one.
	Pool string
	// Expected says how long a cell is expected to take, in seconds: the longest cells begin first, so that the end of the run is
	// not one cell. Without it they begin in the order of the plan.
	Expected func(matrix.Cell) float64
	// Failed says which specs failed in the run before: they, and their cells, begin first.
	Failed map[report.CellID]map[string]bool
	// Forecast says how long the run will take; "" where it is not known.
	Forecast string
	Keep     bool // leave the servers of failed specs running
	// KeepData keeps the data directories of failed specs with their evidence.
	KeepData bool
	Attempts
	Seed  int64         // 0 draws one
	Limit time.Duration // for one spec
	// Histories is how many random histories the failover suite tries; History is one that it tries instead.
	Histories int
	History   string
	// Checksum and TrustFirstUse are the user's word on archives, which the cells' entries have already.
	Checksum      string
	TrustFirstUse bool
	Emit          func(report.Event)
}

// DefaultHistories is how many random histories are tried where the user does not say.
const DefaultHistories = 3

// DefaultLimit is the time limit of one spec where the user gives none.
const DefaultLimit = 5 * time.Minute

// ErrNoSpecs says that the focus left nothing to run.
var ErrNoSpecs = errors.New("no spec's text matches the focus")

type runner struct {
	Config
	jobs, procs *semaphore.Weighted
	emitMu      sync.Mutex
	mu          sync.Mutex
	announced   int
	obtained    map[report.CellID]report.Server
	unchosen    int         // cells of whose specs the focus and the tier choose none
	failed      atomic.Bool // a spec of this run needs somebody's attention
	disks       []*fullDisk
}

// started says what a run consists of.
func (c *Config) started(cells []matrix.Cell) report.Event {
	e := report.Event{Type: report.EventRunStarted, Seed: c.Seed, MatrixDigest: c.Digest, Tier: string(cmp.Or(c.Tier, matrix.TierFull)),
		Terms: report.Terms{Limit: report.SecondsOf(c.Limit), Checksum: c.Checksum, TrustFirstUse: c.TrustFirstUse, Env: proc.Varied()},
		Host: &report.Host{GoVersion: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
			Environment: proc.Settings()}}
	if c.Focus != nil {
		e.Focus = c.Focus.String()
	}
	for _, one := range cells {
		e.Plan = append(e.Plan, one.ID())
	}
	return e
}

// Run runs the cells and emits their events, from run-started to run-finished. An error is a run that
// could not begin, or context.Cause when it was interrupted; what befell a cell is in the events.
func Run(ctx context.Context, c Config, cells []matrix.Cell) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if c.Seed == 0 {
		c.Seed = rand.Int64N(1 << 31)
	}
	if c.UntilFailure {
		c.Jobs = max(c.Jobs, len(cells)) // no cell ends before another may begin
	}
	r := &runner{Config: c, obtained: map[report.CellID]report.Server{}, jobs: semaphore.NewWeighted(int64(max(1, c.Jobs))), procs: semaphore.NewWeighted(room(c.Procs, c.memory(freeMemory())))}
	begin := time.Now()
	r.emit(c.started(cells))
	if c.Forecast != "" {
		r.emit(report.Event{Type: report.EventNote, Message: c.Forecast})
	}
	if text := c.Supply.toFetch(cells); text != "" {
		r.emit(report.Event{Type: report.EventNote, Message: text})
	}
	defer r.watchDisks()()
	var group sync.WaitGroup
	for _, one := range c.order(cells) {
		if r.jobs.Acquire(ctx, 1) != nil {
			break
		}
		group.Go(func() {
			defer r.jobs.Release(1)
			r.cell(ctx, one)
		})
	}
	group.Wait()
	finished := report.Event{Type: report.EventRunFinished, Seconds: report.SecondsOf(time.Since(begin)), Status: report.RunComplete}
	if ctx.Err() != nil {
		finished.Status = report.RunInterrupted
	}
	finished.Declarations = c.Matrix.Declarations(cells, func(one matrix.Cell) report.Server { return r.obtained[one.ID()] })
	r.emit(finished)
	if ctx.Err() == nil && r.announced == 0 && r.unchosen > 0 && c.Focus != nil {
		return fmt.Errorf("%w: %s", ErrNoSpecs, c.Focus)
	}
	return context.Cause(ctx)
}

func (r *runner) emit(e report.Event) {
	r.emitMu.Lock()
	defer r.emitMu.Unlock()
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	r.Emit(e)
}
