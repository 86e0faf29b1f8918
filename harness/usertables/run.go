// Package usertables changes a user's own tables, one after the other, with a migration tool on servers that it
// brings up, and compares every table before and after.
package usertables

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

// Config is what to change, how, and on which server.
type Config struct {
	Golden  *sandbox.Golden
	Schema  *Schema
	Tool    migration.Tool
	Version string // of the tool, for the report
	Mode    migration.Mode
	Alter   string // what follows ALTER TABLE t
	Tables  Patterns
	// Jobs is how many topologies work at once, each with all of the schema: a tool that stops replication, as
	// gh-ost --test-on-replica does, leaves no replica for another table.
	Jobs    int
	Limit   time.Duration // of one table
	Options []string      // option lines for the servers
	Dir     string        // for servers and the tools' working folders; the scope of every process
	Logs    string        // for what the tools printed
	Keep    bool          // leave the servers running
	// Progress is told of what was done; it may be called by several goroutines.
	Progress func(string)
}

// Mistake is something wrong in what was asked for: a dump that the server does not take, a change that is no SQL.
type Mistake struct{ Err error }

// Error is the mistake's own text.
func (m *Mistake) Error() string { return m.Err.Error() }

// Unwrap gives the mistake.
func (m *Mistake) Unwrap() error { return m.Err }

// serverOptions are for dumps: room for long rows, and no event that would write while tables are compared.
var serverOptions = []string{
	"innodb_buffer_pool_size=128M", "loose-innodb_redo_log_capacity=128M", "loose-innodb_log_file_size=128M",
	"max_allowed_packet=1G", "event_scheduler=OFF", "log_bin_trust_function_creators=1",
}

// Run changes every chosen table and reports. The report is there, as far as it goes, when ctx ends.
// Unless they are to be kept, no server is left, whatever happens.
func Run(ctx context.Context, c Config) (*Report, error) {
	r := &runner{Config: c, began: time.Now()}
	r.report = Report{Schema: c.Schema.Path, Entry: c.Golden.Entry, Server: c.Golden.Flavor.String(), Tool: c.Tool.Name(),
		Version: c.Version, Mode: c.Mode.String(), Alter: c.Alter}
	first, err := r.deploy(ctx)
	if err != nil {
		return &r.report, err
	}
	if err := r.plan(ctx, first); err != nil {
		return &r.report, errors.Join(err, r.leave(first))
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range min(max(c.Jobs, 1), len(r.left)) {
		group.Go(func() error {
			if i == 0 {
				return r.work(ctx, first)
			}
			return r.work(ctx, nil)
		})
	}
	err = group.Wait()
	slices.SortFunc(r.report.Tables, func(a, b Outcome) int { return a.number - b.number })
	r.report.Seconds = time.Since(r.began).Seconds()
	r.report.Complete = err == nil
	return &r.report, err
}

// runner is a run under way.
type runner struct {
	Config
	began time.Time

	mu       sync.Mutex
	deployed int
	total    int
	left     []workload.Table
	report   Report
}

// deploy brings up a primary and a replica with the schema on them.
func (r *runner) deploy(ctx context.Context) (_ *topology.Topology, err error) {
	r.mu.Lock()
	r.deployed++
	dir := filepath.Join(r.Dir, "t"+strconv.Itoa(r.deployed))
	first := r.deployed == 1
	r.mu.Unlock()
	options := slices.Concat(r.Mode.ServerOptions(), serverOptions, r.Options)
	t, err := topology.Deploy(ctx, r.Golden, topology.Options{Shape: topology.MustShape("star:1"), Server: options}, dir, r.Dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.leave(t))
		}
	}()
	begin := time.Now()
	if err := r.Schema.load(ctx, t, r.Dir, r.say); err != nil {
		var refused *LoadError
		if errors.As(err, &refused) {
			err = &Mistake{err}
		}
		return nil, err
	}
	if first {
		r.report.LoadSeconds = time.Since(begin).Seconds()
	}
	return t, nil
}

// leave ends a topology, or lets go of it if it is to be kept.
func (r *runner) leave(t *topology.Topology) error {
	if t == nil {
		return nil
	}
	if r.Keep {
		return t.Disconnect()
	}
	return t.Close()
}

// plan lists the tables and tries the change on the first one, so that a change that no table could have is told once.
func (r *runner) plan(ctx context.Context, t *topology.Topology) error {
	all, err := tables(ctx, t.Primary().Server)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return &Mistake{fmt.Errorf("schema %s: it was loaded, and made no table", r.Schema.Path)}
	}
	copied, err := tables(ctx, t.Replicas()[0].Server)
	if err != nil {
		return err
	}
	if !slices.Equal(all, copied) {
		return &Mistake{fmt.Errorf("schema %s: the primary has %d tables and the replica %d: the dump keeps statements from the binary log (SQL_LOG_BIN)",
			r.Schema.Path, len(all), len(copied))}
	}
	if r.left, err = r.Tables.choose(all); err != nil {
		return &Mistake{err}
	}
	r.total = len(r.left)
	r.report.Chosen = r.total
	r.say("loaded %s from %s in %.1fs on %s", count(int64(len(all)), "table"), r.Schema.Path, r.report.LoadSeconds, r.report.Server)
	_, err = r.newTask(t, r.left[0], 0).model(ctx)
	var refused *refusal
	if errors.As(err, &refused) && refused.anywhere {
		return &Mistake{fmt.Errorf("ALTER TABLE %s %s: %s", Display(r.left[0]), r.Alter, refused.message)}
	}
	if errors.As(err, &refused) {
		return nil // this table's own matter
	}
	return err
}

// work changes tables until none is left. A topology that a failed change may have spoiled is replaced.
func (r *runner) work(ctx context.Context, t *topology.Topology) (err error) {
	defer func() { err = errors.Join(err, r.leave(t)) }()
	for {
		table, number, ok := r.next()
		if !ok {
			return nil
		}
		if t == nil {
			if t, err = r.deploy(ctx); err != nil {
				return err
			}
		}
		task := r.newTask(t, table, number)
		outcome := task.run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.done(outcome)
		if outcome.Verdict != VerdictFailed {
			err = task.restore(ctx)
		}
		if outcome.Verdict == VerdictFailed || err != nil {
			if err = r.leave(t); err != nil {
				return err
			}
			t = nil
		}
	}
}

func (r *runner) next() (table workload.Table, number int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.left) == 0 {
		return table, 0, false
	}
	table, r.left = r.left[0], r.left[1:]
	return table, r.total - len(r.left), true
}

func (r *runner) done(o Outcome) {
	r.mu.Lock()
	r.report.Tables = append(r.report.Tables, o)
	count := len(r.report.Tables)
	r.mu.Unlock()
	r.say("%d/%d %s", count, r.total, o)
}

func (r *runner) say(text string, args ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf("[%5.1fs] ", time.Since(r.began).Seconds()) + fmt.Sprintf(text, args...))
	}
}

// progressEvery is how often work that goes on is told of.
const progressEvery = 10 * time.Second

// every does something at an interval until the function that it returns is called.
func every(interval time.Duration, do func()) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				do()
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// keepLog copies what the tool printed to the folder of results.
func (r *runner) keepLog(from string, number int) (string, error) {
	text, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.Logs, fmt.Sprintf("table%d.log", number))
	return path, os.WriteFile(path, text, 0o644)
}
