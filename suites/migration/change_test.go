package migration_test

import (
	"context"
	"errors"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/workload"
)

const (
	rows    = 50_000
	writers = 4
	rate    = 300 // writes a second over all writers, which meet every chunk
	// enough is ten seconds' writes. A server that has only part of a core does not keep up with the rate for
	// ever, and a tool waits for replicas that lag.
	enough = 3000
)

var _ = forTool("", func(driver migration.Tool) {
	for _, mode := range driver.Describe().Modes {
		It(fmt.Sprintf("%s: changes a table of %d rows under concurrent writers", mode, rows), func(ctx SpecContext) {
			f := setUp(ctx, driver, mode, setup{rows: rows})
			f.judge(ctx, f.migrate(ctx))
		})
	}
})

// load starts the writers on the primary and waits until they write.
func (f *fixture) load(ctx context.Context) *workload.Load {
	load := workload.Start(ctx, workload.Config{
		Table: table, Ledger: f.ledger, Rows: rows, Writers: writers, Rate: rate, Enough: enough, Seed: suitekit.Cell().Seed,
		Endpoint: func() server.Endpoint { return f.primary.Endpoint },
	})
	state := within("the writers write")
	state.Limit = startLimit
	suitekit.NoFault(state.Until(ctx, func(context.Context) (string, bool, error) {
		n := f.ledger.Acknowledged()
		return fmt.Sprintf("%d writes", n), n >= 2*writers, nil
	}))
	return load
}

// migrate runs the tool while the table is written to.
func (f *fixture) migrate(ctx SpecContext) *migration.Result {
	load := f.load(ctx)
	stopLag := f.watchLag(ctx)
	before := f.ledger.Acknowledged()
	job := f.newJob()
	run := f.start(ctx, f.driver, &job, toolLimit)
	<-run.done
	stopLag()
	during := f.ledger.Acknowledged() - before
	loadErr := load.Stop()
	result := run.succeed(ctx)
	Expect(loadErr).NotTo(HaveOccurred(), "the writers met an error that no online change may cause")
	Expect(load.Missed()).To(BeZero(), "writers did not find rows whose write had been acknowledged")
	Expect(f.ledger.InDoubt()).To(BeZero(), "writes lost their connection, and no server was stopped")
	measure(result, load.LongestStall())
	suitekit.Detail("writes during the migration", "", float64(during))
	if f.tool.Immediate {
		return result // the server's own statement may keep writers waiting, which the stall says
	}
	// A change that nobody wrote to would prove nothing.
	Expect(during).To(BeNumerically(">", 0), "nothing was written while the tool worked")
	f.tookEvents(result)
	return result
}

// tookEvents is a failure when a tool that reads the binary log took no write from it.
func (f *fixture) tookEvents(result *migration.Result) {
	GinkgoHelper()
	if f.tool.CountsEvents {
		Expect(result.DMLApplied).To(BeNumerically(">", 0), f.tool.Name+" took no write from the binary log")
	}
}

// judge is the oracle: the changed table is where the mode says, has the structure that the server itself
// makes and every acknowledged write, and all servers agree.
func (f *fixture) judge(ctx SpecContext, result *migration.Result) {
	target := result.Target
	if target.Stopped {
		// Both tables stand still at the same coordinates of the source's log.
		Expect(sameRows(ctx, f.replica, table, f.replica, workload.Table{Database: database, Name: target.Table})).To(Succeed())
		Expect(compareStructure(ctx, f.replica, model.Name, f.replica, target.Table)).To(Succeed())
		suitekit.NoFault(f.replica.StartReplica(ctx, ""))
	}
	Expect(f.WaitCaughtUp(ctx)).To(Succeed())
	var errs []error
	for c, err := range f.objections(ctx) {
		errs = append(errs, fmt.Errorf("%s: %w", c, err))
	}
	if err := errors.Join(errs...); err != nil {
		Fail(err.Error())
	}
}

// hasStructure is an error unless the table has the structure that the mode leaves on the server.
func (f *fixture) hasStructure(ctx context.Context, one *server.Server) error {
	target := f.mode.Target(table.Name)
	if target.Original == nil || (target.Node == migration.NodeReplica && !target.Stopped && one == f.replica) {
		return compareStructure(ctx, one, model.Name, one, table.Name)
	}
	got, err := structure(ctx, one, table.Name)
	if err == nil && got != f.original {
		err = fmt.Errorf("server %s: mode %s changed the original table, which is now\n%s", one.Endpoint.Addr(), f.mode, got)
	}
	return err
}
