// Package usertables changes a user's own tables, one after the other, with a migration tool on servers that it
// brings up, and compares each with what the server's own ALTER TABLE makes of the same rows.
package usertables

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/pool"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

// Config is what to change, how, and on which server.
type Config struct {
	Golden  *sandbox.Golden
	Schema  *dump.Source
	Tool    migration.Tool
	Version string // of the tool, for the report
	Mode    migration.Mode
	Alter   string // what follows ALTER TABLE t
	// AlterOf, when it is set, is the change of one table, in place of Alter.
	AlterOf func(workload.Table) string
	Tables  Patterns
	// Jobs is how many topologies work at once, each with all of the schema: a tool that stops replication, as
	// gh-ost --test-on-replica does, leaves no replica for another table.
	Jobs    int
	Limit   time.Duration // of one table
	Options []string      // option lines for the servers
	// ToolOptions are the user's own, for the tool.
	ToolOptions []string
	// Writes is how many statements are sent to each table while the tool works on it; 0 is none.
	Writes int
	Rows   int64  // that tables of the dump without rows are given
	Seed   int64  // of the writes and of the rows
	Dir    string // for servers and the tools' working folders; the scope of every process
	Logs   string // for what the tools printed
	Keep   bool   // leave the servers running
	// Pool, when it is set, has servers of earlier runs, and gets those of this one that are as new.
	Pool *pool.Pool
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

// wideText is the default of MySQL 8.0 and MariaDB 11.6: a dump whose tables name no character set may have any letters.
// Servers that have no generated columns index 767 bytes alone, for which its names would be too long.
const wideText = "character_set_server=utf8mb4"

// Run changes every chosen table and reports. The report is there, as far as it goes, when ctx ends.
// Unless they are to be kept, no server is left, whatever happens.
func Run(ctx context.Context, c Config) (*Report, error) {
	r := &runner{Config: c, began: time.Now()}
	r.report = Report{Schema: c.Schema.Path, Entry: c.Golden.Entry, Server: c.Golden.Flavor.String(), Tool: c.Tool.Name(),
		Version: c.Version, Mode: c.Mode.String(), Alter: c.Alter, Unread: c.Schema.Unread, Seed: c.Seed}
	if err := c.check(); err != nil {
		return &r.report, &Mistake{err}
	}
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

// check finds what is wrong with the change and the tool's options before a server is started.
func (c *Config) check() error {
	judge := dump.Judge{Flavor: c.Golden.Flavor}
	if why := judge.CheckChange(c.Alter); why != "" {
		return fmt.Errorf("--alter %q is not tried: %s", c.Alter, why)
	}
	if unsupported := c.Tool.Describe().Unsupported; unsupported != nil {
		if why := unsupported(c.Golden.Flavor); why != "" {
			return fmt.Errorf("%s on %s: %s", c.Tool.Name(), c.Golden.Flavor, why)
		}
	}
	if option := c.Tool.Describe().Reserves(c.ToolOptions); option != "" {
		return fmt.Errorf("option %s for %s: where it works, on which table and until when is set here, so that the tables can be compared: leave it out",
			option, c.Tool.Name())
	}
	return nil
}

// shape is a primary, the tool's replica, and the one on which the server itself changes tables.
var shape = topology.MustShape("star:2")

// deploy brings up a place with the schema on it.
func (r *runner) deploy(ctx context.Context) (_ *place, err error) {
	r.mu.Lock()
	r.deployed++
	dir := filepath.Join(r.Dir, "t"+strconv.Itoa(r.deployed))
	first := r.deployed == 1
	r.mu.Unlock()
	p, err := r.place(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.leave(p))
		}
	}()
	begin := time.Now()
	passed, err := load(ctx, r.Schema, p.primary, r.say)
	if first {
		r.report.PassedOver = passed
	}
	if err == nil && r.Rows > 0 {
		var filled []Filled
		if filled, err = p.fill(ctx, r.Rows, r.Seed); first {
			r.report.Filled = filled
		}
	}
	if err == nil {
		err = p.loaded(ctx, r.Schema.Path)
	}
	var refused *LoadError
	if errors.As(err, &refused) {
		err = &Mistake{err}
	}
	if err != nil {
		return nil, err
	}
	if first {
		r.report.LoadSeconds = time.Since(begin).Seconds()
	}
	return p, nil
}

// place is a place without tables: a new one, or one that an earlier run has given back.
func (r *runner) place(ctx context.Context, dir string) (p *place, err error) {
	options := slices.Concat(r.Mode.ServerOptions(), serverOptions)
	if r.Golden.Capabilities[flavor.CapGeneratedColumns] {
		options = append(options, wideText)
	}
	options = append(options, r.Options...)
	// A replica takes what the dump's sessions were lenient about.
	lenientNode := []string{"loose-innodb_strict_mode=OFF"}
	o := topology.Options{Shape: shape, Server: options, PerNode: map[int][]string{1: lenientNode, 2: lenientNode}}
	if r.Pool != nil && !r.Keep && pool.Shareable(r.Golden, o) {
		member, err := r.Pool.Get(ctx, r.Golden, o, r.Dir)
		if err != nil {
			return nil, err
		}
		return newPlace(member.Topology, member)
	}
	t, err := topology.Deploy(ctx, r.Golden, o, dir, r.Dir)
	if err != nil {
		return nil, err
	}
	return newPlace(t, nil)
}

// leave ends a place, or lets go of it if it is to be kept.
func (r *runner) leave(p *place) error {
	if p == nil {
		return nil
	}
	return p.leave(r.Keep)
}

// giveBack gives a place to the pool that it is of. One that is not as new ends.
func (r *runner) giveBack(ctx context.Context, p *place) error {
	leftover := p.renew(ctx)
	if leftover == nil {
		leftover = p.member.Return(ctx, nil)
	}
	if leftover == nil {
		return nil
	}
	r.say("its servers are not used again: %v", leftover)
	return p.leave(false)
}

// plan lists the tables and tries the change on an empty one like the first, so that a change that no table could have
// is told once.
func (r *runner) plan(ctx context.Context, p *place) (err error) {
	if len(p.own) == 0 {
		return &Mistake{fmt.Errorf("schema %s: it was loaded, and made no table", r.Schema.Path)}
	}
	if r.left, err = r.Tables.choose(p.own); err != nil {
		return &Mistake{err}
	}
	r.total = len(r.left)
	r.report.Chosen = r.total
	r.say("loaded %s from %s in %.1fs on %s", count(int64(len(p.own)), "table"), r.Schema.Path, r.report.LoadSeconds, r.report.Server)
	if r.AlterOf != nil {
		return nil
	}
	_, err = tryEmpty(ctx, p.model, r.left[0], r.Alter)
	var no *refusal
	if errors.As(err, &no) {
		return &Mistake{fmt.Errorf("ALTER TABLE %s %s: %w", Display(r.left[0]), r.Alter, no)}
	}
	return err
}

// another leaves a place that was used, and deploys a new one. err is of the task before.
func (r *runner) another(ctx context.Context, used *place, err error) (*place, error) {
	if err := errors.Join(err, r.leave(used)); err != nil {
		return nil, err
	}
	return r.deploy(ctx)
}

// work changes tables until none is left. A place that a failed change may have spoiled is replaced.
func (r *runner) work(ctx context.Context, p *place) (err error) {
	defer func() { err = errors.Join(err, r.leave(p)) }()
	for {
		table, number, more, ok := r.next()
		if !ok {
			return nil
		}
		if p == nil {
			if p, err = r.deploy(ctx); err != nil {
				return err
			}
		}
		task := r.newTask(p, table, number, !more)
		outcome := task.run(ctx)
		err = task.end()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if task.blamesWrites() {
			if p, err = r.another(ctx, p, err); err != nil {
				return err
			}
			why := task.refusal.Error()
			task = r.newTask(p, table, number, !more)
			task.withoutWrites = true
			outcome = task.run(ctx)
			outcome.Message = strings.TrimPrefix(outcome.Message+"; nothing was written meanwhile, since the server refuses the change with the rows that were: "+why, "; ")
		}
		if task.direct {
			if p, err = r.another(ctx, p, err); err != nil {
				return err
			}
			task = r.newTask(p, table, number, !more)
			task.modelFirst = true
			outcome = task.run(ctx)
			err = task.end()
			outcome.Message = strings.TrimPrefix(outcome.Message+"; the tool had the server change the table itself, and rows were written before it, not meanwhile", "; ")
		}
		r.done(outcome)
		if !more && err == nil && p.member != nil && outcome.Verdict != VerdictFailed {
			given := p
			p = nil
			if err = r.giveBack(ctx, given); err != nil {
				return err
			}
			continue
		}
		spoiled := outcome.Verdict == VerdictFailed || err != nil || task.spoilt
		if !spoiled && task.kept != nil {
			spoiled = p.restore(ctx, task.kept) != nil
		}
		if spoiled || !more {
			if err = errors.Join(err, r.leave(p)); err != nil {
				return err
			}
			p = nil
		}
	}
}

func (r *runner) newTask(p *place, table workload.Table, number int, last bool) *task {
	t := &task{runner: r, place: p, table: table, number: number, last: last, alter: r.Alter}
	if r.AlterOf != nil {
		t.alter = r.AlterOf(table)
	}
	return t
}

// next is a table that is left, and whether there are more.
func (r *runner) next() (table workload.Table, number int, more, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.left) == 0 {
		return table, 0, false, false
	}
	table, r.left = r.left[0], r.left[1:]
	return table, r.total - len(r.left), len(r.left) > 0, true
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

// keepLog copies what the tool printed to the folder of results.
func (r *runner) keepLog(from string, number int) (string, error) {
	text, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.Logs, fmt.Sprintf("table%d.log", number))
	return path, os.WriteFile(path, text, 0o644)
}
