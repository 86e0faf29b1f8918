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
	"time"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/wait"
	"mysqlmatrix/harness/workload"
)

// task is one table in one place.
type task struct {
	*runner
	*place
	table  workload.Table
	number int
	alter  string
	last   bool // no other table follows in this place

	// withoutWrites says that nothing is written: the rows that were made the server refuse the change.
	withoutWrites bool
	// modelFirst says that the model stops before the tool begins: a tool that has the server change the table, as by
	// ALGORITHM=INSTANT, would have it change the model's as well. What is to be written is written before.
	modelFirst bool
	spoilt     bool // the table on the replica is not as on the primary: the place cannot be used for another one
	direct     bool // the tool had the server change the table, and the model has followed it

	refusal *refusal // the server's
	before  definition
	columns []column // before the change
	kept    *spare
	clock   clock // of the server's own change
	writer  *writer
}

// run changes the table and judges the result.
func (t *task) run(ctx context.Context) Outcome {
	o := Outcome{Database: t.table.Database, Table: t.table.Name, number: t.number}
	fail := func(v Verdict, err error) Outcome {
		o.Verdict, o.Message = v, printable(err.Error())
		return o
	}
	if clash := t.clash(); clash != "" {
		return fail(VerdictRefused, errors.New(clash))
	}
	if err := t.prepare(ctx, &o); err != nil {
		return fail(VerdictFailed, err)
	}
	limited, cancel := context.WithTimeoutCause(ctx, t.Limit, fmt.Errorf("the tool did not end within %s", t.Limit))
	defer cancel()
	meter, err := t.measure(ctx)
	if err != nil {
		return fail(VerdictFailed, err)
	}
	begin, job := time.Now(), t.job()
	stop := wait.Every(progressEvery, func() {
		t.say("%s: %s for %s %s", Display(t.table), count(o.Rows, "row"), time.Since(begin).Round(time.Second), t.progress(job))
	})
	result, toolErr, writeErr := t.underWrites(limited, t.Tool, job, t.writer, t.Writes, t.modelFirst)
	stop()
	cost, err := meter.end(ctx)
	if err != nil {
		return fail(VerdictFailed, err)
	}
	o.Cost = &cost
	if t.writer != nil {
		o.Writes = &t.writer.ledger
	}
	if writeErr != nil {
		return fail(VerdictFailed, fmt.Errorf("the writes while the tool worked: %w", writeErr))
	}
	if result == nil {
		return fail(VerdictFailed, toolErr)
	}
	o.Seconds = result.Duration.Seconds()
	if path, err := t.keepLog(result.Log, t.number); err == nil {
		o.Log = path
	}
	if t.direct, err = t.followed(ctx); err != nil {
		return fail(VerdictFailed, err)
	}
	if t.direct {
		return o // it is tried again, with a model that stops before
	}
	own, err := t.ownChange(ctx)
	if err != nil {
		return fail(VerdictFailed, fmt.Errorf("the server's own ALTER TABLE: %w", err))
	}
	o.Server = &own.ServerChange
	if toolErr != nil {
		return t.ended(ctx, o, result, toolErr)
	}
	if o.Seconds > 0 {
		o.Rate = float64(o.Rows) / o.Seconds
	}
	return t.judge(ctx, o, result.Target, own)
}

// followed says whether the model's table is changed before the server's own change of it.
func (t *task) followed(ctx context.Context) (bool, error) {
	now, err := structure(ctx, t.model, t.table)
	if _, _, ok := refused(err); ok {
		return true, nil // it has another name
	}
	return err == nil && (now.text != t.before.text || !slices.Equal(now.foreignKeys, t.before.foreignKeys)), err
}

// job is what the tool is asked for.
func (t *task) job() migration.Job {
	return migration.Job{
		Mode: t.Mode, Database: t.table.Database, Table: t.table.Name, Alter: t.alter,
		Primary: t.primary.Endpoint, Replica: t.replica.Endpoint, AssumePrimary: true,
		Workdir: filepath.Join(t.Dir, "j"+strconv.Itoa(t.number)), Scope: t.Dir, Extra: t.ToolOptions,
	}
}

// progressTail is how much of a log's end is looked at for the tool's own word on its progress.
const progressTail = 4 << 10

// progress is what the tool itself says last of how far it is, with its estimate.
func (t *task) progress(job migration.Job) string {
	pattern := t.Tool.Describe().Copy.Progress
	text, err := os.ReadFile(filepath.Join(job.Workdir, t.Tool.Name()+".log"))
	if err != nil || pattern == nil {
		return "" // it has not printed anything yet
	}
	last := ""
	for line := range strings.Lines(string(text[max(0, len(text)-progressTail):])) {
		if pattern.MatchString(line) {
			last = shorten(line, 120)
		}
	}
	return last
}

// clash says which of the user's tables has a name that the tool takes for that of a table of its own, and drops.
// Nothing was begun then.
func (t *task) clash() string {
	objects := t.Tool.Describe().Objects
	if !objects.Removed {
		return "" // it takes another name where there is a table
	}
	for _, object := range objects.Left(t.table.Database, t.table.Name) {
		name, isTable := strings.CutPrefix(object, "table ")
		if other := (workload.Table{Database: t.table.Database, Name: name}); isTable && slices.Contains(t.own, other) {
			return fmt.Sprintf("the dump has a table %s, whose name %s takes for its own and would drop: rename it, or leave it out of the dump",
				Display(other), t.Tool.Name())
		}
	}
	return ""
}

// prepare notes what there is, and makes the writer.
func (t *task) prepare(ctx context.Context, o *Outcome) (err error) {
	if o.Rows, err = countRows(ctx, t.primary, t.table); err != nil {
		return err
	}
	if t.before, err = structure(ctx, t.primary, t.table); err != nil {
		return err
	}
	if t.columns, err = columns(ctx, t.primary, t.table); err != nil {
		return err
	}
	if t.Writes > 0 && !t.withoutWrites {
		after, err := tryEmpty(ctx, t.model, t.table, t.serverAlter())
		if no := (*refusal)(nil); err != nil && !errors.As(err, &no) {
			return err
		}
		if t.writer, err = newWriter(ctx, t.writers, t.primary, t.table, t.Seed+int64(t.number), after); err != nil {
			return err
		}
		if err := t.writer.early(ctx); err != nil {
			return err
		}
	}
	return t.topology.WaitCaughtUp(ctx)
}

// ownChange is what the server itself made of the table.
type ownChange struct {
	ServerChange
	table workload.Table // the changed table; RENAME gives it another name
	want  definition
	no    *refusal // the server's, nil when it changed the table
}

// ownChange has the model's server change the table as it was after the last write.
func (t *task) ownChange(ctx context.Context) (own ownChange, err error) {
	if err := t.clearModel(ctx, t.table, t.before.triggers); err != nil {
		return own, err
	}
	if !t.last {
		if t.kept, err = keepSpare(ctx, t.model, t.table); err != nil {
			return own, err
		}
	}
	own.table = t.table
	if t.clock, err = newClock(ctx, t.model, t.table, t.columns, t.alter); err != nil {
		return own, err
	}
	own.ServerChange, err = change(ctx, t.model, t.table, t.serverAlter(), t.clock.at)
	var no *refusal
	if errors.As(err, &no) {
		own.no, t.refusal, err = no, no, nil
	}
	if err != nil {
		return own, err
	}
	now, err := tables(ctx, t.model)
	if err != nil {
		return own, err
	}
	if !slices.Contains(now, t.table) {
		made := slices.DeleteFunc(now, func(one workload.Table) bool { return slices.Contains(t.own, one) })
		if len(made) != 1 {
			return own, fmt.Errorf("it leaves no table %s", Display(t.table))
		}
		own.table = made[0]
	}
	own.want, err = structure(ctx, t.model, own.table)
	own.want.referenced = t.before.referenced // a change is of no other table's keys
	return own, err
}

// serverAlter is the change as the server wants it.
func (t *task) serverAlter() string {
	if rewrite := t.Tool.Describe().ServerAlter; rewrite != nil {
		return rewrite(t.alter, t.before.keyNames)
	}
	return t.alter
}

// made is the table that a tool has made: not a new one beside it, where it had the server of the replica change the table
// itself, as gh-ost does with --attempt-instant-ddl.
func (t *task) made(ctx context.Context, target migration.Target) (migration.Target, error) {
	if target.Node == migration.NodePrimary || target.Table == t.table.Name {
		return target, nil
	}
	now, err := structure(ctx, t.replica, t.table)
	if err != nil || now.text == t.before.text {
		return target, err
	}
	t.spoilt = true
	return migration.Target{Node: target.Node, Table: t.table.Name}, nil
}

// judge compares what the tool made with what the server made.
func (t *task) judge(ctx context.Context, o Outcome, target migration.Target, own ownChange) Outcome {
	target, err := t.made(ctx, target)
	if err != nil {
		o.Verdict, o.Message = VerdictFailed, printable(fmt.Sprintf("the tool says it is done, and the table cannot be compared: %v", err))
		return o
	}
	if !target.Stopped {
		if err := t.caughtUp(ctx); err != nil {
			o.Verdict, o.Message = VerdictFailed, printable(err.Error())
			return o
		}
	}
	rows, err := t.differences(ctx, &o, target, own)
	switch {
	case err != nil:
		o.Verdict, o.Message = VerdictFailed, printable(fmt.Sprintf("the tool says it is done, and the table cannot be compared: %v", err))
	case own.no != nil:
		o.Verdict = VerdictDiffers
		o.Message = "the server's own ALTER TABLE refuses the change, and the tool says it is done: " + printable(own.no.Error())
	case own.table != t.table:
		o.Verdict = VerdictDiffers
		o.Message = "the server's own ALTER TABLE leaves the table as " + Display(own.table) + ", the tool under its old name"
	case len(o.Differences) > 0:
		o.Verdict = VerdictDiffers
	case rows == 0:
		o.Verdict, o.Message = VerdictNotCompared, "it has no rows: only the structure was compared, and is the same"
		if t.writer != nil {
			o.Message += "; " + t.noWrites()
		}
	default:
		o.Verdict = VerdictMigrated
		if o.Rows == 0 {
			o.Message = "the dump has no rows for it: only those were compared that were written meanwhile"
		}
	}
	return o
}

func (t *task) noWrites() string {
	if t.writer.ledger.Why != "" {
		return "every row that was to be written was refused: " + t.writer.ledger.Why
	}
	return "rows were written and deleted again"
}

// blamesWrites says that the server refuses the change because of its rows, and rows were written: whether it would
// take the dump's own is not known.
func (t *task) blamesWrites() bool {
	return t.refusal != nil && slices.Contains(byRows, t.refusal.number) && t.writer != nil && t.writer.ledger.Acknowledged() > 0
}

// caughtUp waits for the tool's replica alone: the model has stopped.
func (t *task) caughtUp(ctx context.Context) error {
	at, _, err := t.primary.BinaryLogStatus(ctx)
	if err != nil {
		return err
	}
	return t.replica.WaitForCoordinates(ctx, at, "")
}

// differences fills in how what the tool made differs from what the server made, and counts the rows that were
// compared. Where the server refuses the change, the table as it was shows what the tool did to its rows.
func (t *task) differences(ctx context.Context, o *Outcome, target migration.Target, own ownChange) (rows int64, err error) {
	sides := []side{{t.replica, workload.Table{Database: t.table.Database, Name: target.Table}}}
	if target.Node == migration.NodePrimary {
		sides = append([]side{{t.primary, sides[0].table}}, sides...)
	}
	over, not, err := t.comparable(ctx, own.table, own.want.statement)
	if err != nil {
		return 0, err
	}
	o.NotCompared = not
	if err := t.children(ctx, o, sides, own); err != nil {
		return 0, err
	}
	for _, one := range sides {
		got, err := structure(ctx, one.server, one.table)
		if err != nil {
			return 0, err
		}
		if own.no == nil {
			o.Differences = append(o.Differences, got.differences(own.want, o.writes(), one.table == t.table)...)
		}
		there, err := columns(ctx, one.server, one.table)
		if err != nil {
			return 0, err
		}
		shared := over.shared(there)
		if len(shared.columns) == 0 {
			continue
		}
		compared, err := shared.compare(ctx, side{t.model, own.table}, one)
		if err != nil {
			return 0, err
		}
		rows = max(rows, compared.rows[0], compared.rows[1])
		o.Differences = append(o.Differences, compared.differs...)
		if compared.rows[0] != compared.rows[1] {
			o.Differences = append(o.Differences, fmt.Sprintf("rows: the server's own ALTER TABLE leaves %d, the tool %d", compared.rows[0], compared.rows[1]))
		}
	}
	o.Differences = slices.Compact(o.Differences)
	return rows, nil
}

// children compares the tables that refer to this one by foreign keys: what the tool does to the table must not reach them.
func (t *task) children(ctx context.Context, o *Outcome, sides []side, own ownChange) error {
	list, err := referring(ctx, t.model, t.table)
	if err != nil || own.table != t.table {
		return err
	}
	for _, child := range list {
		all, err := columns(ctx, t.model, child)
		if err != nil {
			return err
		}
		keys, err := indexes(ctx, t.model, child)
		if err != nil {
			return err
		}
		over := comparison{key: rowKey(keys)}
		for _, c := range all {
			over.columns = append(over.columns, c.name)
		}
		for _, one := range sides {
			compared, err := over.compare(ctx, side{t.model, child}, side{one.server, child})
			if err != nil {
				return err
			}
			for _, difference := range compared.differs {
				o.Differences = append(o.Differences, "table "+Display(child)+", which refers to it: "+difference)
			}
		}
	}
	return nil
}

// shared leaves out the columns that the other side lacks; the structure has told of them.
func (c comparison) shared(there []column) comparison {
	has := func(name string) bool {
		return slices.ContainsFunc(there, func(one column) bool { return strings.EqualFold(one.name, name) })
	}
	s := comparison{key: c.key}
	for _, name := range c.columns {
		if has(name) {
			s.columns = append(s.columns, name)
		}
	}
	if slices.ContainsFunc(s.key, func(name string) bool { return !has(name) }) {
		s.key = nil
	}
	return s
}

// ended tells a tool that refused the table and left it alone from one that failed in the middle: refused means that
// nothing was begun.
func (t *task) ended(ctx context.Context, o Outcome, result *migration.Result, err error) Outcome {
	o.Verdict, o.Message = VerdictFailed, printable(t.Tool.Describe().Reason(result.Output))
	if result.ExitCode <= 0 {
		o.Message = printable(strings.SplitN(err.Error(), "\n", 2)[0]) + ": " + o.Message
		return o
	}
	for _, s := range []*server.Server{t.primary, t.replica} {
		after, err := structure(ctx, s, t.table)
		if err != nil || after.text != t.before.text || !slices.Equal(after.foreignKeys, t.before.foreignKeys) || !slices.Equal(after.triggers, t.before.triggers) {
			o.Message += "; and the table on " + s.Endpoint.Addr() + " is no longer what it was"
			return o
		}
		left, err := t.others(ctx, s)
		if err != nil {
			o.Message += "; and what it left on " + s.Endpoint.Addr() + " cannot be read: " + printable(err.Error())
			return o
		}
		// Where the server refuses the change as well, the tool's empty table beside it is no beginning.
		if len(left) > 0 && (o.Server == nil || o.Server.Refusal == "") {
			o.Message += "; and it left " + some(left) + " on " + s.Endpoint.Addr()
			return o
		}
	}
	if begun := t.Tool.Describe().Begun; result.RowsCopied <= 0 && (begun == nil || !begun.MatchString(result.Output)) {
		o.Verdict = VerdictRefused
	}
	switch {
	case o.Server == nil:
	case o.Server.Refusal != "":
		o.Message += "; the server's own ALTER TABLE refuses as well: " + o.Server.Refusal
	default:
		o.Message += "; the server's own ALTER TABLE takes it"
	}
	return o
}

// end closes what the task has opened.
func (t *task) end() error {
	if t.writer == nil {
		return nil
	}
	return t.writer.close()
}
