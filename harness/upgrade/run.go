// Package upgrade upgrades servers by a plan, node by node and way by way, by rules of what their vendors support, and compares
// everything before and after.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
)

// Config is what to upgrade, and how.
type Config struct {
	// Goldens are the servers on the path: the old version, what lies between, the new one.
	Goldens []*sandbox.Golden
	Source  *dump.Source
	Queries string // a file of SQL, a slow log or a general log; "" is none
	MyCnf   string // "" is none
	Ways    []string
	Seed    uint64
	Dir     string // for servers; the scope of every process
	// Progress is told of what was done.
	Progress func(string)
}

// Replicas is how many replicas the rolling way has.
const Replicas = 2

// Plan is what Run will do.
func (c Config) Plan() Plan {
	var servers []flavor.Flavor
	for _, g := range c.Goldens {
		servers = append(servers, g.Flavor)
	}
	return NewPlan(servers, c.Ways, Replicas, c.Seed)
}

// runner is a run under way.
type runner struct {
	Config
	all      findings
	base     string  // the data directory of the old version with the dump loaded, shut down cleanly
	first    *loaded // what the old version made of the dump
	queries  []statement
	schema   string // where queries run
	oldLines []string
	newLines []string
	files    string // the one folder that the servers may read and write files in
	made     int
	report   *Report
	began    time.Time
}

func (r *runner) from() *sandbox.Golden { return r.Goldens[0] }
func (r *runner) to() *sandbox.Golden   { return r.Goldens[len(r.Goldens)-1] }

func (r *runner) say(format string, args ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf(format, args...))
	}
}

// Run upgrades by every way and compares. The report is there, as far as it goes, when ctx ends. No server is left.
func Run(ctx context.Context, c Config) (*Report, error) {
	plan := c.Plan()
	r := &runner{Config: c, files: filepath.Join(c.Dir, "files")}
	r.report = &Report{From: plan.From.String(), To: plan.To.String(), Path: Path(plan.Steps), Schema: c.Source.Path, Queries: c.Queries, MyCnf: c.MyCnf, Seed: c.Seed}
	r.began = time.Now()
	err := r.run(ctx, plan)
	r.report.Findings = r.all.sorted()
	r.safe()
	r.report.Seconds = time.Since(r.began).Seconds()
	r.report.Complete = err == nil
	return r.report, err
}

func (r *runner) run(ctx context.Context, plan Plan) (err error) {
	if err := os.MkdirAll(r.files, 0o755); err != nil {
		return err
	}
	if r.Queries != "" {
		if r.queries, err = readQueries(r.Queries, r.from().Flavor); err != nil {
			return err
		}
	}
	if r.oldLines, r.newLines, err = r.options(ctx); err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	for _, w := range plan.Ways {
		if err := r.way(ctx, w); err != nil {
			return fmt.Errorf("way %s: %w", w.Way, err)
		}
	}
	return nil
}

// safe lists the ways on which nothing that counts was found.
func (r *runner) safe() {
	r.report.Safe = []string{}
	for _, o := range r.report.Ways {
		bad := o.Status != Same
		for _, f := range r.report.Findings {
			bad = bad || f.Grade.counts() && slices.Contains(f.Ways, o.Way)
		}
		if !bad {
			r.report.Safe = append(r.report.Safe, o.Way)
		}
	}
}

// serverOptions let nothing out of the sandbox, and no event write while tables are compared.
func (r *runner) serverOptions(g *sandbox.Golden) []string {
	lines := []string{"secure-file-priv=" + r.files, "local-infile=0", "event_scheduler=OFF", "loose-log_bin_trust_function_creators=1",
		"max_allowed_packet=1G", "innodb_buffer_pool_size=64M", "loose-innodb_lock_wait_timeout=20"}
	if r.large() {
		lines = append(lines, "loose-innodb_redo_log_capacity=128M", "loose-innodb_log_file_size=128M")
	}
	if g == r.from() {
		return append(lines, r.oldLines...)
	}
	return append(lines, r.newLines...)
}

// largeDump is from how many bytes on a dump wants room in the redo log.
const largeDump = 4 << 20

func (r *runner) large() bool {
	var size int64
	for _, f := range r.Source.Files {
		if info, err := os.Stat(f.Path); err == nil {
			size += info.Size()
		}
	}
	return size > largeDump
}

// clone makes a server that does not run yet, on a copy of a data directory when one is named.
func (r *runner) clone(g *sandbox.Golden, name, data string) (*sandbox.Sandbox, error) {
	r.made++
	dir := filepath.Join(r.Dir, name+strconv.Itoa(r.made))
	s, err := g.Clone(dir, sandbox.Spec{ServerID: 100 + r.made, Options: r.serverOptions(g), Scope: r.Dir})
	if err != nil {
		return nil, err
	}
	if data != "" {
		if err := g.Adopt(s, data); err != nil {
			return nil, errors.Join(err, s.Remove())
		}
	}
	return s, nil
}

// running is a server that runs, and a session on it.
type running struct {
	*sandbox.Sandbox
	*side
}

func (r *runner) start(ctx context.Context, s *sandbox.Sandbox) (*running, error) {
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	session, err := open(ctx, s)
	if err != nil {
		return nil, err
	}
	return &running{s, session}, nil
}

// remove ends a server and deletes it; nil is none.
func (s *running) remove() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.close(), s.Remove())
}

// old is a server of the old version with the dump in it.
func (r *runner) old(ctx context.Context) (*running, error) {
	s, err := r.clone(r.from(), "old", r.base)
	if err != nil {
		return nil, err
	}
	return r.start(ctx, s)
}

// slowShutdown shuts a server down with nothing left to purge or merge, as vendors want it before an upgrade.
func (s *running) slowShutdown(ctx context.Context) error {
	return errors.Join(execAll(ctx, s.conn, "SET GLOBAL innodb_fast_shutdown = 0"), s.close(), s.Stop(ctx))
}

// prepare loads the dump on the old version and keeps its data directory.
func (r *runner) prepare(ctx context.Context) (err error) {
	s, err := r.clone(r.from(), "base", "")
	if err != nil {
		return err
	}
	old, err := r.start(ctx, s)
	if err != nil {
		return err
	}
	begin := time.Now()
	if r.first, err = load(ctx, old.conn, r.Source, old.side.flavor, r.began); err != nil {
		return err
	}
	r.say("%s: loaded %s in %.1f s", old.side.flavor, r.Source.Path, time.Since(begin).Seconds())
	for _, s := range r.first.skipped {
		r.report.Skipped = append(r.report.Skipped, Skipped{File: s.file, Line: s.line, Text: beginning(firstWords(s.statement), 80), Why: s.why})
	}
	for _, refused := range r.first.refusals {
		if refused.of >= 0 {
			continue
		}
		f := Finding{Grade: Breaks, Object: refused.subject(), What: "the old version itself refuses this statement of the dump: what it makes was not compared",
			Old: answer{number: refused.number, message: refused.message}.String(), Number: int(refused.number),
			Cause: "the dump is not one of " + old.side.flavor.String(), Todo: "name the version that the dump was made on by --from"}
		r.all.add("load", f.at(refused.statement))
	}
	if err := r.pickSchema(ctx, old); err != nil {
		return err
	}
	r.base = old.DataDir()
	return old.slowShutdown(ctx)
}

// firstWords is a statement without values: they may be secrets.
func firstWords(st statement) string {
	var words []string
	for _, t := range st.list {
		if t.kind == text || len(words) == 6 {
			break
		}
		words = append(words, t.text)
	}
	return strings.Join(words, " ")
}

// subject is the object that a refusal is about.
func (r refusal) subject() Object {
	if r.known {
		return r.about
	}
	return Object{Kind: "statement", Schema: "", Name: beginning(firstWords(r.statement), 60)}
}

// pickSchema finds the database that queries run in: the dump's first one.
func (r *runner) pickSchema(ctx context.Context, old *running) error {
	shot, err := take(ctx, old.side)
	if err != nil {
		return err
	}
	r.schema = DefaultDatabase
	for _, used := range r.first.used {
		if _, there := shot.objects[Object{Kind: "database", Name: used}]; there && used != DefaultDatabase {
			r.schema = used
			break
		}
	}
	return nil
}

// way goes one way.
func (r *runner) way(ctx context.Context, w WayPlan) error {
	begin := time.Now()
	o := Outcome{WayPlan: w, Gap: -1}
	steps := map[string]func(context.Context, *Outcome) error{
		WayLogical: r.logical, WayInPlace: r.inPlace, WayReplica: r.replica, WayRolling: r.rolling,
	}
	if !w.Supported && r.from().Flavor.IsMariaDB() != r.to().Flavor.IsMariaDB() {
		o.Status = Unsupported // not even worth a try: neither reads the other's files
	} else if err := steps[w.Way](ctx, &o); err != nil {
		return err
	}
	if o.Status == "" {
		o.Status = Same
		for _, f := range r.all.list {
			if f.Grade.counts() && (slices.Contains(f.Ways, w.Way) || slices.Contains(f.Ways, "load")) {
				o.Status = Different
			}
		}
	}
	o.Seconds = time.Since(begin).Seconds()
	r.report.Ways = append(r.report.Ways, o)
	r.say("%s: %s in %.1f s", w.Way, o.Status, o.Seconds)
	return nil
}

// compare compares an old server with a new one.
func (r *runner) compare(ctx context.Context, o *Outcome, old, new *side, reload *loaded, absent map[string]bool) (err error) {
	probes := make([]*side, 2)
	for i, at := range []*side{old, new} {
		if probes[i], err = connect(ctx, at.config.Clone()); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, probes[i].close()) }()
	}
	e, err := newExplainer(ctx, probes[0], probes[1])
	if err != nil {
		return err
	}
	if absent == nil {
		absent = map[string]bool{}
	}
	e.functions = r.first.functions()
	c := &comparison{way: o.Way, old: old, new: new, dump: r.first, reload: reload, explain: e, all: &r.all, absent: absent, differing: map[string]string{}}
	r.reloaded(ctx, c)
	if err := c.state(ctx); err != nil {
		return err
	}
	o.Old, o.New = c.a.counts(), c.b.counts()
	if len(r.queries) > 0 {
		if err := c.queries(ctx, r.queries, r.schema); err != nil {
			return err
		}
	}
	if err := c.activities(ctx); err != nil {
		return err
	}
	return r.changedDefaults(ctx, old, new)
}

// reloaded makes findings of what the new server refuses of the dump.
func (r *runner) reloaded(ctx context.Context, c *comparison) {
	if c.reload == nil {
		return
	}
	for key := range c.reload.failed {
		c.absent[key] = true
	}
	for _, refused := range c.reload.refusals {
		if refused.of >= 0 || r.refusedBefore(refused) {
			continue
		}
		f := Finding{Grade: Breaks, Object: refused.subject(), What: "the new version refuses this statement of the dump",
			New: answer{number: refused.number, message: refused.message}.String()}
		for key, of := range c.reload.modes {
			if c.reload.refusals[of].line == refused.line && c.reload.refusals[of].file == refused.file {
				if o, there := c.objectOf(key); there {
					f.Object = o // a refused SET is about what is made after it
				}
			}
		}
		for _, one := range c.explain.refusedAll(ctx, f, refused.statement, refused.number, refused.message) {
			c.all.add(c.way, one)
		}
	}
}

// refusedBefore says whether the old version refused the same statement.
func (r *runner) refusedBefore(refused refusal) bool {
	return slices.ContainsFunc(r.first.refusals, func(o refusal) bool { return o.file == refused.file && o.line == refused.line })
}

// objectOf finds an object of the dump by its key.
func (c *comparison) objectOf(key string) (Object, bool) {
	st, there := c.dump.defines[key]
	if !there {
		return Object{}, false
	}
	return subject(st.list, st.in)
}
