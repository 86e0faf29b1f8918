package migration_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

const (
	database = "shop"
	rows     = 50_000
	writers  = 4
	rate     = 300 // writes a second over all writers, which meet every chunk
	// enough is ten seconds' writes. A server that has only part of a core does not keep up with the rate for
	// ever, and a tool waits for replicas that are late.
	enough = 3000
	// change adds a column, modifies another one and adds an index.
	change = "ADD COLUMN note VARCHAR(40) NOT NULL DEFAULT 'none', MODIFY COLUMN payload VARCHAR(200) NOT NULL, ADD INDEX counter (counter)"
	// toolLimit leaves room for a STOP REPLICA that had not ended after 58 seconds, seen once on MySQL 9.7, when
	// gh-ost had stopped the I/O thread in mid transaction (--test-on-replica).
	toolLimit = 100 * time.Second
	// startLimit is how long the writers may take to their first writes.
	startLimit = 10 * time.Second
)

var (
	table = workload.Table{Database: database, Name: "orders"}
	model = workload.Table{Database: database, Name: "model"}
)

// forEachTool describes specs in the cells of each tool, under its name.
func forEachTool(specs func(tool migration.Tool)) bool {
	for _, name := range []string{migration.NameGhost, migration.NamePTOSC} {
		Describe(name, func() {
			program := suitekit.Cell().Tool
			if program.Name != name {
				return
			}
			tool, err := migration.New(&program)
			if err != nil {
				panic(err) // there is a driver for each of the names above
			}
			specs(tool)
		})
	}
	return true
}

// There is one spec for each mode of the tool, in the cells of that tool.
var _ = forEachTool(func(tool migration.Tool) {
	for _, mode := range tool.Modes() {
		It(fmt.Sprintf("%s: changes a table of %d rows under concurrent writers", mode, rows), func(ctx SpecContext) {
			s := deploy(ctx, mode)
			result := s.migrate(ctx, tool, mode)
			s.judge(ctx, mode, result)
		})
	}
})

// scene is what a spec works on: a table on a primary and its replica, and the ledger of what was written.
type scene struct {
	*topology.Topology
	primary, replica *server.Server
	ledger           *workload.Ledger
	original         string // structure before the change
}

// deploy makes the table, and beside it the model: the same structure, changed by the server itself.
func deploy(ctx SpecContext, mode migration.Mode) *scene {
	t := suitekit.Deploy(ctx, sandbox.ProfileFast, topology.Options{Shape: topology.MustShape("star:1"), Server: mode.ServerOptions()})
	s := &scene{Topology: t, primary: t.Primary().Server, replica: t.Replicas()[0].Server, ledger: workload.NewLedger(rows)}
	suitekit.NoFault(workload.Create(ctx, s.primary, table))
	suitekit.NoFault(workload.Fill(ctx, s.primary, table, rows))
	suitekit.NoFault(s.primary.Exec(ctx,
		"ANALYZE TABLE "+table.String(), // tools size their chunks by the statistics
		"CREATE TABLE "+model.String()+" LIKE "+table.String(),
		"ALTER TABLE "+model.String()+" "+change,
	))
	suitekit.NoFault(t.WaitCaughtUp(ctx))
	var err error
	s.original, err = structure(ctx, s.primary, table.Name)
	suitekit.NoFault(err)
	return s
}

// load starts the writers on the primary and waits until they write.
func (s *scene) load(ctx context.Context) *workload.Load {
	load := workload.Start(ctx, workload.Config{
		Table: table, Ledger: s.ledger, Rows: rows, Writers: writers, Rate: rate, Enough: enough, Seed: suitekit.Cell().Seed,
		Endpoint: func() server.Endpoint { return s.primary.Endpoint },
	})
	Eventually(ctx, s.ledger.Acknowledged).WithTimeout(startLimit).WithPolling(10*time.Millisecond).
		Should(BeNumerically(">=", 2*writers), "the writers do not write")
	return load
}

// migrate runs the tool while the table is written to.
func (s *scene) migrate(ctx SpecContext, tool migration.Tool, mode migration.Mode) *migration.Result {
	load := s.load(ctx)
	limited, cancel := context.WithTimeoutCause(ctx, toolLimit, fmt.Errorf("the tool did not end within %s", toolLimit))
	defer cancel()
	job := migration.Job{
		Mode: mode, Database: table.Database, Table: table.Name, Alter: change,
		Primary: s.primary.Endpoint, Replica: s.replica.Endpoint,
		Workdir: suitekit.WorkDir("tool"), Scope: suitekit.Cell().Dir, ChunkSize: 1000,
	}
	stopLag := s.watchLag(ctx)
	before := s.ledger.Acknowledged()
	result, err := tool.Migrate(limited, job)
	stopLag()
	during := s.ledger.Acknowledged() - before
	if result != nil {
		suitekit.Attach(result.Log)
	}
	loadErr := load.Stop()
	if err != nil {
		Fail(err.Error())
	}
	Expect(loadErr).NotTo(HaveOccurred(), "the writers met an error that no online change may cause")
	Expect(load.Missed()).To(BeZero(), "writers did not find rows that they had been told were there")
	Expect(s.ledger.InDoubt()).To(BeZero(), "writes lost their connection, and no server was stopped")
	measure(result, load.LongestStall())
	suitekit.Detail("writes during the migration", "", float64(during))
	// A change that nobody wrote to would prove nothing.
	Expect(during).To(BeNumerically(">", 0), "nothing was written while the tool worked")
	if tool.Name() == migration.NameGhost {
		Expect(result.DMLApplied).To(BeNumerically(">", 0), "gh-ost took no write from the binary log")
	}
	return result
}

// judge is the oracle: the changed table is where the mode says, has the structure that the server itself
// makes and every acknowledged write, and all servers agree.
func (s *scene) judge(ctx SpecContext, mode migration.Mode, result *migration.Result) {
	target := result.Target
	if target.Stopped {
		// Both tables stand still at the same place of the source's log.
		Expect(sameRows(ctx, s.replica, table, s.replica, workload.Table{Database: database, Name: target.Table})).To(Succeed())
		Expect(compareStructure(ctx, s.replica, model.Name, s.replica, target.Table)).To(Succeed())
		suitekit.NoFault(s.replica.StartReplica(ctx, ""))
	}
	Expect(s.WaitCaughtUp(ctx)).To(Succeed())
	var errs []error
	for c, err := range s.objections(ctx, mode) {
		errs = append(errs, fmt.Errorf("%s: %w", c, err))
	}
	if err := errors.Join(errs...); err != nil {
		Fail(err.Error())
	}
}

// structured is an error unless the table has the structure that the mode leaves on the server.
func (s *scene) structured(ctx context.Context, one *server.Server, mode migration.Mode) error {
	target := mode.Target(table.Name)
	if target.Original == nil || (target.Node == migration.NodeReplica && !target.Stopped && one == s.replica) {
		return compareStructure(ctx, one, model.Name, one, table.Name)
	}
	got, err := structure(ctx, one, table.Name)
	if err == nil && got != s.original {
		err = fmt.Errorf("server %s: mode %s changed the original table, which is now\n%s", one.Endpoint.Addr(), mode, got)
	}
	return err
}
