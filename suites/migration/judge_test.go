package migration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/workload"
)

// judge is a scenario's oracle. The acknowledged transactions are repeated on the model, and the server's own
// ALTER TABLE changes it; then every table must have the rows and the structure that the mode wants there:
// the model's before that ALTER, or after it.
func (g *performance) judge(ctx SpecContext) {
	GinkgoHelper()
	var errs []error
	note := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	target := g.way.mode.Target(subject.Name)
	refused := g.refusedAs != ""
	if target.Stopped && !refused {
		note("changed table on the stopped replica", g.standing(ctx, target.Table))
		suitekit.NoFault(g.replica.StartReplica(ctx, ""))
	}
	note("replication", g.WaitCaughtUp(ctx))
	suitekit.NoFault(g.record.Replay(ctx, g.onModel()))
	kept := refused || target.Original != nil
	if kept {
		// All servers but a replica that was changed alone have the table as it was.
		note("primary's table, which was to stay", g.holds(ctx, g.primary, false))
	}
	if refused || target.Stopped {
		note("replica's table, which was to stay", g.holds(ctx, g.replica, false))
	} else {
		suitekit.NoFault(g.alterModel(ctx, ideal.Database))
		g.afterwards(ctx, kept)
		note("replication", g.WaitCaughtUp(ctx))
		if !kept {
			note("primary", g.holds(ctx, g.primary, true))
		}
		note("replica", g.holds(ctx, g.replica, true))
	}
	var leave, refusal []string
	if target.Stopped && !refused {
		leave = append(leave, target.Table)
	}
	if refused {
		// gh-ost asks for keys once the ghost table is made, and leaves what it has made to the next run
		// (--initially-drop-ghost-table).
		refusal = []string{"_t_gho", "_t_ghc"}
		leave = refusal
	}
	note("leftovers", leftovers(ctx, g.primary, refusal...))
	note("leftovers", leftovers(ctx, g.replica, leave...))
	if err := errors.Join(errs...); err != nil {
		Fail(err.Error())
	}
}

// afterwards runs what a scenario tries on the changed table, and on the model.
func (g *performance) afterwards(ctx context.Context, kept bool) {
	GinkgoHelper()
	if len(g.after) == 0 || kept {
		return
	}
	if err := g.onSubject().Exec(ctx, g.after...); err != nil {
		Fail("after the change: " + err.Error())
	}
	suitekit.NoFault(g.onModel().Exec(ctx, g.after...))
}

// alterModel is the server's own change, in a session with the server's time zone, as the tools have it.
func (g *performance) alterModel(ctx context.Context, in string) error {
	session := workload.Session{Endpoint: g.primary.Endpoint, Database: in, Setup: []string{
		"SET SESSION sql_log_bin = 0", "SET SESSION sql_mode = " + server.Quote(g.scenario.mode()),
	}}
	return session.Exec(ctx, "ALTER TABLE t "+g.alter)
}

// holds is an error unless a server's table is as the model is now. changed says that the model was altered.
func (g *performance) holds(ctx context.Context, at *server.Server, changed bool) error {
	rows := workload.Same(ctx, workload.Side{Server: g.primary, Table: ideal}, workload.Side{Server: at, Table: subject}, g.compareBy(changed))
	return errors.Join(rows, sameDefinition(ctx, g.primary, ideal, at, subject))
}

// sameDefinition is an error unless a table has the structure of another one.
func sameDefinition(ctx context.Context, wantAt *server.Server, wanted workload.Table, at *server.Server, t workload.Table) error {
	want, err := definition(ctx, wantAt, wanted)
	if err != nil {
		return err
	}
	got, err := definition(ctx, at, t)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("server %s: table %s is\n%s\nand should be\n%s", at.Endpoint.Addr(), t, got, want)
	}
	return nil
}

// standing judges the two tables that a tool leaves on a replica whose replication stands still: a copy of
// the original, changed by the server itself, must be the ghost table.
func (g *performance) standing(ctx context.Context, ghost string) error {
	columns, err := storedColumns(ctx, g.replica, subject)
	if err != nil {
		return err
	}
	session := workload.Session{Endpoint: g.replica.Endpoint, Database: modelDatabase,
		Setup: []string{"SET SESSION sql_log_bin = 0", "SET SESSION sql_mode = " + server.Quote(g.scenario.mode()+",NO_AUTO_VALUE_ON_ZERO")}}
	if err := g.replica.Unlogged(ctx, "CREATE DATABASE "+modelDatabase); err != nil {
		return err
	}
	if err := session.Exec(ctx, "CREATE TABLE t LIKE "+subject.String(),
		"INSERT INTO t ("+columns+") SELECT "+columns+" FROM "+subject.String(), "ALTER TABLE t "+g.alter); err != nil {
		return err
	}
	changed := workload.Table{Database: database, Name: ghost}
	return errors.Join(
		workload.Same(ctx, workload.Side{Server: g.replica, Table: ideal}, workload.Side{Server: g.replica, Table: changed}, g.compareBy(true)),
		sameDefinition(ctx, g.replica, ideal, g.replica, changed))
}

// storedColumns are those that an INSERT may name.
func storedColumns(ctx context.Context, s *server.Server, t workload.Table) (string, error) {
	rows, err := s.Rows(ctx, "SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = "+server.Quote(t.Database)+
		" AND TABLE_NAME = "+server.Quote(t.Name)+" AND EXTRA NOT LIKE '%GENERATED' ORDER BY ORDINAL_POSITION")
	if err != nil {
		return "", err
	}
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = server.Ident(row["name"])
	}
	return strings.Join(names, ", "), nil
}
