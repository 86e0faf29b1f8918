// Package run schedules cells: it obtains what they need, runs each spec of a suite as a process of its
// own, and turns what happens into one stream of events.
//
// A process for each spec, rather than one for each cell, costs some 30 ms and buys three things: a crash,
// a hang or a leak is one spec's; specs of all cells share one pool, so that no core waits for a slow
// cell; and a repetition of one failure runs exactly what failed.
package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
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
	Keep   bool           // leave the servers of failed specs running
	// KeepData keeps the data directories of failed specs with their evidence.
	KeepData bool
	Attempts
	Seed  int64         // 0 draws one
	Limit time.Duration // for one spec
	// Checksum and TrustFirstUse are the user's word on archives, which the cells' entries have already.
	Checksum      string
	TrustFirstUse bool
	Emit          func(report.Event)
}

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
	unchosen    int         // cells of whose specs the focus and the tier choose none
	failed      atomic.Bool // a spec of this run needs somebody's attention
}

// Run runs the cells and emits their events, from run-started to run-finished. An error is a run that
// could not be had at all, or context.Cause when it was interrupted; what befell a cell is in the events.
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
	r := &runner{Config: c, jobs: semaphore.NewWeighted(int64(max(1, c.Jobs))), procs: semaphore.NewWeighted(room(c.Procs, freeMemory()))}
	started := report.Event{Type: report.EventRunStarted, Seed: c.Seed, MatrixDigest: c.Digest,
		Terms: report.Terms{Limit: report.SecondsOf(c.Limit), Checksum: c.Checksum, TrustFirstUse: c.TrustFirstUse, Env: proc.Varied()},
		Host: &report.Host{GoVersion: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
			Environment: proc.Settings()}}
	for _, one := range cells {
		started.Plan = append(started.Plan, one.ID())
	}
	begin := time.Now()
	r.emit(started)
	var group sync.WaitGroup
	for _, one := range cells {
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
		Server: work.server, ToolVersion: work.tool.Version, ToolFlag: c.Tool.Flag()})
	r.attempts(ctx, work)
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
	server  string
	specs   []cell.Spec
}

// prepare obtains the suite, the tool and the server at the same time, since each waits for other things.
func (r *runner) prepare(ctx context.Context, c matrix.Cell) (*work, error) {
	w := &work{cell: c, goldens: map[string]string{}}
	var group sync.WaitGroup
	var toolErr, serverErr error
	group.Go(func() { w.tool, toolErr = r.Supply.Tool(ctx, c.Tool) })
	group.Go(func() {
		b, err := r.Supply.Basedir(ctx, c.Entry)
		if serverErr = err; err == nil {
			w.server = strings.TrimSpace(b.Version + " " + b.Comment)
		}
	})
	suite, suiteErr := r.Supply.Suite(ctx, c.Suite)
	group.Wait()
	if err := errors.Join(serverErr, toolErr, suiteErr); err != nil {
		return nil, err
	}
	w.suite = suite
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

// older obtains the newest server that can be had of an older series than a cell's. It does not depend on what else runs
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

// settle compares a spec's outcome with what matrix.yaml declares of it.
func (r *runner) settle(c matrix.Cell, e report.Event) report.Event {
	expected := r.Matrix.Expect(c, e.Spec)
	if expected == nil {
		return e
	}
	declared := &report.Expectation{Error: expected.Error, Link: expected.Link, Review: expected.ReviewDate(), Note: expected.Note,
		Sometimes: expected.Sometimes}
	switch e.Verdict {
	case report.VerdictPassed:
		if !expected.Sometimes {
			e.Verdict, e.Expectation = report.VerdictFixed, declared
		}
	case report.VerdictFailed, report.VerdictTimedOut:
		if expected.Matches(e.Error) {
			e.Verdict, e.Expectation = report.VerdictKnown, declared
		} else {
			e.Error = fmt.Sprintf("matrix.yaml declares another error, %q:\n%s", expected.Error, e.Error)
		}
	}
	return e
}

// repro is the command that repeats one spec.
func (c *Config) repro(one matrix.Cell, spec string) string {
	words := []string{"bin/matrix run", "--entry", shellQuote(one.Entry.Name), "--suite", one.Suite,
		"--tool", shellQuote(one.Tool.Flag()), "--seed", strconv.FormatInt(c.Seed, 10)}
	if c.Limit != DefaultLimit {
		words = append(words, "--limit", c.Limit.String())
	}
	if c.Checksum != "" {
		words = append(words, "--checksum", c.Checksum)
	}
	if c.TrustFirstUse {
		words = append(words, "--trust-first-use")
	}
	return strings.Join(append(words, "--focus", shellQuote("^"+regexp.QuoteMeta(spec)+"$")), " ")
}

func shellQuote(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '-' || r == '.' || r == '_' || r == '=' || r == '/' || r == '@' || r == ':' ||
			r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// evidenceDir is a spec's folder below Out, by names that every file system and artifact store takes.
func evidenceDir(c matrix.Cell, spec string, attempt int) string {
	return filepath.Join("evidence", fileName(c.Entry.Name), c.Suite, fileName(c.Tool.ID()), specFolder(spec, attempt))
}

// specFolder is a spec's name as a folder: a name that had to be changed or cut ends in a digest of the whole, so
// that no two specs share a folder.
func specFolder(spec string, attempt int) string {
	name := fileName(spec)
	if name != spec {
		sum := sha256.Sum256([]byte(spec))
		name += "-" + hex.EncodeToString(sum[:4])
	}
	if attempt > 1 {
		name += fmt.Sprintf("-attempt%d", attempt)
	}
	return name
}

// fileName keeps a name readable and makes it safe.
func fileName(s string) string {
	const limit = 100
	name := strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
	return strings.Trim(name[:min(len(name), limit)], ".")
}
