package usertables

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

const (
	// shownRows is how many differing rows a report repeats.
	shownRows = 5
	// restoreLimit is how long a replica may take to follow again after a table.
	restoreLimit = 30 * time.Second
)

// wrongAnywhere are refusals of a change that do not depend on the table.
var wrongAnywhere = map[uint16]bool{
	1064: true, // syntax
	1115: true, // unknown character set
	1273: true, // unknown collation
	1286: true, // unknown storage engine
	4161: true, // unknown data type (MariaDB)
}

// task is one table on one topology.
type task struct {
	*runner
	topology         *topology.Topology
	primary, replica *server.Server
	table            workload.Table
	number           int
	changed          workload.Table // a model: the table's structure, changed by the server itself
	original         workload.Table // a copy of the rows, in the modes that leave none
}

func (r *runner) newTask(t *topology.Topology, table workload.Table, number int) *task {
	return &task{runner: r, topology: t, primary: t.Primary().Server, replica: t.Replicas()[0].Server, table: table, number: number,
		changed: workload.Table{Database: scratchDatabase, Name: "changed"}, original: workload.Table{Database: scratchDatabase, Name: "original"}}
}

// refusal is a server's no to the change itself.
type refusal struct {
	message  string
	anywhere bool // whatever the table
}

func (r *refusal) Error() string { return r.message }

// run changes the table and judges the result.
func (t *task) run(ctx context.Context) Outcome {
	o := Outcome{Database: t.table.Database, Table: t.table.Name, number: t.number}
	fail := func(v Verdict, err error) Outcome {
		o.Verdict, o.Message = v, printable(err.Error())
		return o
	}
	want, err := t.model(ctx)
	var refused *refusal
	if errors.As(err, &refused) {
		return fail(VerdictRefused, fmt.Errorf("the server's own ALTER TABLE: %w", refused))
	}
	if err != nil {
		return fail(VerdictFailed, err)
	}
	before, err := structure(ctx, t.primary, t.table)
	want.foreignKeys = before.foreignKeys // CREATE TABLE … LIKE leaves them out
	if err == nil {
		err = t.prepare(ctx, &o)
	}
	if err != nil {
		return fail(VerdictFailed, err)
	}
	limited, cancel := context.WithTimeoutCause(ctx, t.Limit, fmt.Errorf("the tool did not end within %s", t.Limit))
	defer cancel()
	begin := time.Now()
	defer every(progressEvery, func() {
		t.say("%s: %s for %s", Display(t.table), count(o.Rows, "row"), time.Since(begin).Round(time.Second))
	})()
	result, err := t.Tool.Migrate(limited, migration.Job{
		Mode: t.Mode, Database: t.table.Database, Table: t.table.Name, Alter: t.Alter,
		Primary: t.primary.Endpoint, Replica: t.replica.Endpoint, AssumePrimary: true,
		Workdir: filepath.Join(t.Dir, "j"+strconv.Itoa(t.number)), Scope: t.Dir,
	})
	if result == nil {
		return fail(VerdictFailed, err)
	}
	o.Seconds = result.Duration.Seconds()
	if path, err := t.keepLog(result.Log, t.number); err == nil {
		o.Log = path
	}
	if err != nil {
		return t.unchanged(ctx, o, result, err, before)
	}
	if o.Seconds > 0 {
		o.Rate = float64(o.Rows) / o.Seconds
	}
	if o.Differences, err = t.differences(ctx, result.Target, want); err != nil {
		return fail(VerdictFailed, fmt.Errorf("the tool says it is done, and the table cannot be compared: %w", err))
	}
	o.Verdict = VerdictMigrated
	if len(o.Differences) > 0 {
		o.Verdict = VerdictDiffers
	}
	return o
}

// model makes the server change an empty copy of the table and returns the structure that this leaves.
func (t *task) model(ctx context.Context) (none definition, err error) {
	// Without the checks of strict modes: tables of older servers have defaults that they refuse.
	err = t.session(ctx, "DROP DATABASE IF EXISTS "+scratchDatabase, "CREATE DATABASE "+scratchDatabase,
		"CREATE TABLE "+t.changed.String()+" LIKE "+t.table.String())
	if err != nil {
		return none, err
	}
	err = t.session(ctx, "ALTER TABLE "+t.changed.String()+" "+t.Alter)
	var no *mysql.MySQLError
	if errors.As(err, &no) {
		return none, &refusal{message: fmt.Sprintf("%s (%d)", no.Message, no.Number), anywhere: wrongAnywhere[no.Number]}
	}
	if err != nil {
		return none, err
	}
	return structure(ctx, t.primary, t.changed)
}

// session runs statements in one session of the primary that takes whatever the user's tables hold.
func (t *task) session(ctx context.Context, statements ...string) (err error) {
	conn, err := t.primary.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, statement := range append([]string{"SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'"}, statements...) {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", shorten(statement, 120), err)
		}
	}
	_, err = conn.ExecContext(ctx, "SET SESSION sql_mode = DEFAULT")
	return err
}

// prepare counts the rows and keeps a copy of them where the tool will leave none.
func (t *task) prepare(ctx context.Context, o *Outcome) error {
	if err := t.primary.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+t.table.String()).Scan(&o.Rows); err != nil {
		return err
	}
	if t.Mode.Target(t.table.Name).Original == nil {
		columns, err := ownColumns(ctx, t.primary, t.table)
		if err != nil {
			return err
		}
		if err := t.session(ctx, "CREATE TABLE "+t.original.String()+" LIKE "+t.table.String(),
			"INSERT INTO "+t.original.String()+" ("+columns+") SELECT "+columns+" FROM "+t.table.String()); err != nil {
			return err
		}
	}
	return t.topology.WaitCaughtUp(ctx)
}

// fatal is how gh-ost gives its reason; some of its reasons are a line of its log again.
var fatal = regexp.MustCompile(`(?m)^.*?\bFATAL (?:[\d-]+ [\d:]+ [A-Z]+ )?(.*)$`)

// beside are lines of pt-online-schema-change that stand around its reason.
var beside = regexp.MustCompile("^(#.*|`.*` was not altered\\.|\\d{4}-\\d\\d-\\d\\dT.* Dropp(ing|ed) new table.*|Created plugin from .*|Found \\d+ .*|" +
	"No (slaves|replicas) found.*|Will check (slave|replica) lag on:|\\S+ -> \\S+:\\d+)$")

// reasonLines is how many lines of a reason are told.
const reasonLines = 3

// reason is what the tool said of its failure.
func reason(result *migration.Result) string {
	if all := fatal.FindAllStringSubmatch(result.Output, -1); len(all) > 0 {
		return printable(all[len(all)-1][1])
	}
	var lines []string
	for line := range strings.Lines(result.Output) {
		if line = strings.TrimSpace(line); line != "" && !beside.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return printable(strings.Join(lines[max(0, len(lines)-reasonLines):], " "))
}

// unchanged tells a tool that refused the table and left it alone from one that failed in the middle.
func (t *task) unchanged(ctx context.Context, o Outcome, result *migration.Result, err error, before definition) Outcome {
	o.Verdict, o.Message = VerdictFailed, reason(result)
	if result.ExitCode <= 0 {
		o.Message = printable(strings.SplitN(err.Error(), "\n", 2)[0]) + ": " + o.Message
		return o
	}
	for _, one := range []*server.Server{t.primary, t.replica} {
		after, err := structure(ctx, one, t.table)
		if err != nil || after.text != before.text || !slices.Equal(after.foreignKeys, before.foreignKeys) {
			o.Message += "; and the table on " + one.Endpoint.Addr() + " is no longer what it was"
			return o
		}
	}
	if result.RowsCopied <= 0 {
		o.Verdict = VerdictRefused
	}
	return o
}

// differences compares what the tool made with the original, row by row, and with the server's own ALTER TABLE.
func (t *task) differences(ctx context.Context, target migration.Target, want definition) ([]string, error) {
	at := func(s *server.Server, name string) workload.Side {
		return workload.Side{Server: s, Table: workload.Table{Database: t.table.Database, Name: name}}
	}
	left := workload.Side{Server: t.primary, Table: t.original}
	rights := []workload.Side{at(t.primary, target.Table), at(t.replica, target.Table)}
	if target.Original != nil {
		left, rights = at(t.primary, target.Original.Table), rights[1:]
		if target.Original.Node == migration.NodeReplica {
			left.Server = t.replica
		}
	}
	if !target.Stopped {
		if err := t.topology.WaitCaughtUp(ctx); err != nil {
			return nil, err
		}
	}
	columns, err := key(ctx, left.Server, left.Table)
	if err != nil {
		return nil, err
	}
	if len(columns) == 0 {
		return nil, errors.New("it has no primary key and no unique key without NULLs, to tell its rows by")
	}
	var list []string
	for _, right := range rights {
		rows, err := workload.Compare(ctx, left, right, columns, shownRows)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			list = append(list, printable(row.String()))
		}
		got, err := structure(ctx, right.Server, right.Table)
		if err != nil {
			return nil, err
		}
		list = append(list, compareLines(want.text, got.text)...)
		if !namesForeignKeys.MatchString(t.Alter) && !slices.Equal(got.foreignKeys, want.foreignKeys) {
			list = append(list, printable(fmt.Sprintf("structure: the foreign keys were %q and are %q", want.foreignKeys, got.foreignKeys)))
		}
	}
	return list, nil
}

// namesForeignKeys finds a change that says itself what becomes of foreign keys.
var namesForeignKeys = regexp.MustCompile(`(?i)foreign\s+key`)

// compareLines lists the lines of a definition that the other one lacks.
func compareLines(want, got string) []string {
	if want == got {
		return nil
	}
	var list []string
	missing := func(what, of, in string) {
		have := map[string]bool{}
		for l := range strings.Lines(in) {
			have[strings.TrimSpace(l)] = true
		}
		for l := range strings.Lines(of) {
			if l = strings.TrimSpace(l); !have[l] {
				list = append(list, what+": "+printable(l))
			}
		}
	}
	missing("structure: only the server's own ALTER TABLE makes", want, got)
	missing("structure: only the tool makes", got, want)
	if len(list) == 0 {
		list = append(list, "structure: the columns or keys are in another order than the server's own ALTER TABLE leaves them")
	}
	return list
}

// leftovers are what tools name the tables that they make beside a table.
var leftovers = []string{"gho", "ghc", "ghr", "ghk", "del", "new", "old"}

// restore makes the topology ready for the next table: the tool's tables are dropped and the replica follows.
func (t *task) restore(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, restoreLimit, fmt.Errorf("the replica did not follow again within %s", restoreLimit))
	defer cancel()
	var drops []string
	for _, suffix := range leftovers {
		name := workload.Table{Database: t.table.Database, Name: migration.SafeName(t.table.Name, suffix)}
		drops = append(drops, "DROP TABLE IF EXISTS "+name.String())
	}
	if err := t.replica.Unlogged(ctx, drops...); err != nil {
		return err
	}
	if err := t.primary.Exec(ctx, drops...); err != nil {
		return err
	}
	if err := t.replica.StartReplica(ctx, ""); err != nil {
		return err
	}
	return t.topology.WaitCaughtUp(ctx)
}
