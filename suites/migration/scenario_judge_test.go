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
func (r *scenarioRun) judge(ctx SpecContext) {
	GinkgoHelper()
	if err := r.differences(ctx); err != nil {
		Fail(err.Error())
	}
}

// differences are what judge objects to.
func (r *scenarioRun) differences(ctx SpecContext) error {
	GinkgoHelper()
	var errs []error
	note := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	target := r.way.mode.Target(subject.Name)
	refused := r.refused
	replica := r.replica
	if r.withoutLog() {
		replica = r.primary // a replica never had these rows
	}
	if target.Stopped && !refused {
		note("changed table on the stopped replica", r.compareStopped(ctx, target.Table))
		suitekit.NoFault(r.replica.StartReplica(ctx, ""))
	}
	note("replication", r.WaitCaughtUp(ctx))
	suitekit.NoFault(r.record.Replay(ctx, r.onModel()))
	kept := refused || target.Original != nil
	if kept {
		// All servers but a replica that was changed alone have the table as it was.
		note("primary's table, expected unchanged", r.matchesModel(ctx, r.primary, false))
	}
	if refused || target.Stopped {
		note("replica's table, expected unchanged", r.matchesModel(ctx, replica, false))
	} else {
		suitekit.NoFault(r.alterModel(ctx, ideal.Database))
		r.afterwards(ctx, kept)
		note("replication", r.WaitCaughtUp(ctx))
		if !kept {
			note("primary", r.matchesModel(ctx, r.primary, true))
		}
		note("replica", r.matchesModel(ctx, replica, true))
	}
	var leave, refusal []string
	if target.Stopped && !refused {
		leave = append(leave, target.Table)
	}
	if refused {
		if r.tool.Objects.LeftByRefusal != nil {
			refusal = r.tool.Objects.LeftByRefusal(subject.Name)
		}
		leave = refusal
	}
	note("leftovers", leftovers(ctx, r.primary, refusal...))
	note("leftovers", leftovers(ctx, r.replica, leave...))
	return errors.Join(errs...)
}

// afterwards runs what a scenario tries on the changed table, and on the model.
func (r *scenarioRun) afterwards(ctx context.Context, kept bool) {
	GinkgoHelper()
	if len(r.after) == 0 || kept {
		return
	}
	if err := r.onSubject().Exec(ctx, r.after...); err != nil {
		Fail("after the change: " + err.Error())
	}
	suitekit.NoFault(r.onModel().Exec(ctx, r.after...))
}

// alterModel is the server's own change, in a session with the server's time zone, as the tools have it.
func (r *scenarioRun) alterModel(ctx context.Context, in string) error {
	session := workload.Session{Endpoint: r.primary.Endpoint, Database: in, Setup: []string{
		"SET SESSION sql_log_bin = 0", "SET SESSION sql_mode = " + server.Quote(r.sqlModes()),
	}}
	return session.Exec(ctx, "ALTER TABLE t "+r.alter)
}

// matchesModel is an error unless a server's table is as the model is now. changed says that the model was altered.
func (r *scenarioRun) matchesModel(ctx context.Context, at *server.Server, changed bool) error {
	rows := workload.Same(ctx, workload.Side{Server: r.primary, Table: ideal}, workload.Side{Server: at, Table: subject}, r.compareBy(changed))
	return errors.Join(rows, sameDefinition(ctx, r.primary, ideal, at, subject))
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

// compareStopped judges the two tables that a tool leaves on a replica whose replication is stopped: a copy of
// the original, changed by the server itself, must be the ghost table.
func (r *scenarioRun) compareStopped(ctx context.Context, ghost string) error {
	columns, err := storedColumns(ctx, r.replica, subject)
	if err != nil {
		return err
	}
	session := workload.Session{Endpoint: r.replica.Endpoint, Database: modelDatabase,
		Setup: []string{"SET SESSION sql_log_bin = 0", "SET SESSION sql_mode = " + server.Quote(r.sqlModes()+",NO_AUTO_VALUE_ON_ZERO")}}
	if err := r.replica.Unlogged(ctx, "CREATE DATABASE "+modelDatabase); err != nil {
		return err
	}
	if err := session.Exec(ctx, "CREATE TABLE t LIKE "+subject.String(),
		"INSERT INTO t ("+columns+") SELECT "+columns+" FROM "+subject.String(), "ALTER TABLE t "+r.alter); err != nil {
		return err
	}
	changed := workload.Table{Database: database, Name: ghost}
	return errors.Join(
		workload.Same(ctx, workload.Side{Server: r.replica, Table: ideal}, workload.Side{Server: r.replica, Table: changed}, r.compareBy(true)),
		sameDefinition(ctx, r.replica, ideal, r.replica, changed))
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
