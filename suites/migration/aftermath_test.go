package migration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/workload"
)

// lockLimit is how long a DDL statement may wait for the table after a tool has ended, seconds.
const lockLimit = 3

// state is what a table was left as.
type state uint8

const (
	unchanged state = iota // as before the change
	changed
	unchangedOrChanged // the same on every server
)

// verify is the oracle after a tool has ended, however it did: nothing is locked, on every server the table is as it
// was or changed, with all that was acknowledged and no more, and nothing of the tool is left but what is named.
func (f *fixture) verify(ctx context.Context, want state, left ...string) error {
	if err := f.verifyUnlocked(ctx); err != nil {
		return err
	}
	if err := f.WaitCaughtUp(ctx); err != nil {
		return err
	}
	if want == unchangedOrChanged {
		want = unchanged
		if text, err := structure(ctx, f.primary, table.Name); err != nil {
			return err
		} else if text != f.original {
			want = changed
		}
	}
	var errs []error
	for _, n := range f.Nodes {
		errs = append(errs, f.verifyStructure(ctx, n.Server, want), f.complete(ctx, n.Server), f.counts.verify(ctx, n.Server))
		list, err := remains(ctx, n.Server)
		list = slices.DeleteFunc(list, func(what string) bool { return slices.Contains(left, what) })
		if err == nil && len(list) > 0 {
			err = fmt.Errorf("node %s: the tool left %s", n.Name, strings.Join(list, ", "))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// verifyUnlocked is an error unless the tool has left nothing locked on any server: none of its sessions is there,
// and a statement that needs the table for itself alone gets it.
func (f *fixture) verifyUnlocked(ctx context.Context) error {
	for _, n := range f.Nodes {
		if err := within("node "+n.Name+": the tool's sessions end").Until(ctx, func(ctx context.Context) (string, bool, error) {
			// One that reads the binary log holds no lock, and is not missed before there is something to send.
			rows, err := n.Server.Rows(ctx, "SELECT id, command, state, info FROM information_schema.processlist"+
				" WHERE command NOT LIKE 'Binlog Dump%' AND user = "+server.Quote(toolUser))
			return fmt.Sprint(rows), len(rows) == 0, err
		}); err != nil {
			return err
		}
	}
	return f.lockTable(ctx)
}

// lockTable renames the table and back, which needs it alone.
func (f *fixture) lockTable(ctx context.Context) (err error) {
	conn, err := f.primary.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	aside := workload.Table{Database: database, Name: "aside"}
	for _, statement := range []string{
		fmt.Sprintf("SET SESSION lock_wait_timeout = %d", lockLimit),
		fmt.Sprintf("RENAME TABLE %[1]s TO %[2]s, %[2]s TO %[1]s", table, aside),
		"SET SESSION lock_wait_timeout = DEFAULT",
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("the table is still locked: %s: %w", statement, err)
		}
	}
	return nil
}

func (f *fixture) verifyStructure(ctx context.Context, one *server.Server, want state) error {
	if want == changed {
		return compareStructure(ctx, one, model.Name, one, table.Name)
	}
	got, err := structure(ctx, one, table.Name)
	if err == nil && got != f.original {
		err = fmt.Errorf("server %s: expected the table unchanged, and it is\n%s", one.Endpoint.Addr(), got)
	}
	return err
}

// verifyReport is an error when the tool says that it did not change the table, and it did.
func (f *fixture) verifyReport(ctx context.Context, result *migration.Result) error {
	text, err := structure(ctx, f.primary, table.Name)
	if err == nil && text != f.original && f.tool.Denies != "" && strings.Contains(result.Output, f.tool.Denies) {
		err = fmt.Errorf("the tool says %q, and the table was changed", f.tool.Denies)
	}
	return err
}

// removeLeftovers drops what a tool has left and would not remove on its next run.
func (f *fixture) removeLeftovers(ctx context.Context) error {
	list, err := remains(ctx, f.primary)
	if err != nil || f.tool.Objects.Removed {
		return err
	}
	for _, what := range list {
		kind, name, _ := strings.Cut(what, " ")
		if err := f.primary.Exec(ctx, fmt.Sprintf("DROP %s %s.%s", kind, server.Ident(database), server.Ident(name))); err != nil {
			return err
		}
	}
	return nil
}

// runAgain runs the tool once more, with nothing in its way and the table written to: it succeeds.
func (f *fixture) runAgain(ctx SpecContext, extra ...string) {
	suitekit.NoFault(f.removeLeftovers(ctx))
	load := f.traffic(ctx, &traffic{})
	f.begin(ctx, extra...).succeed(ctx)
	Expect(load.halt()).To(Succeed())
	Expect(f.verify(ctx, changed)).To(Succeed(), "after a second run")
}
