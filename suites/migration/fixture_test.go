package migration_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
	"mysqlmatrix/harness/workload"
)

const (
	database = "shop"
	// change adds a column, modifies another one and adds an index.
	change = "ADD COLUMN note VARCHAR(40) NOT NULL DEFAULT 'none', MODIFY COLUMN payload VARCHAR(200) NOT NULL, ADD INDEX counter (counter)"
	// stateLimit is how long a state may take to come; a tool that hangs before it is found by this.
	stateLimit = 25 * time.Second
	statePoll  = 10 * time.Millisecond
	// startLimit is how long the writers may take to their first writes.
	startLimit = 10 * time.Second
)

var (
	table = workload.Table{Database: database, Name: "orders"}
	// model has the same structure, changed by the server itself.
	model = workload.Table{Database: database, Name: "model"}
)

// fixture is what a spec works on: a primary and a replica, the tool with an account of its own, and what was written.
type fixture struct {
	*topology.Topology
	primary, replica *server.Server
	driver           migration.Tool
	tool             *migration.Descriptor
	mode             migration.Mode

	original string           // structure of the table before the change
	ledger   *workload.Ledger // of the load's writes
	counts   *increments      // of the traffic's writes

	source server.Endpoint // where the tool connects to the primary
	link   *fault.Link     // that source leads over, in some specs
	always []string        // flags for every run of the tool
	runs   int             // of the tool, for names of folders
}

// setup is what a spec asks of its fixture.
type setup struct {
	topology.Options
	profile sandbox.Profile // fast, when empty
	rows    int             // of the table; smallTable, when 0
	grants  []string        // of the tool's account; everything, when empty
	fresh   bool            // the spec stops servers or breaks links: it has servers that no other spec has
}

// smallTable has few rows, for specs about where a tool is interrupted, and not about how much it copies.
const smallTable = 4000

// deploy brings up the servers and makes the tool's account.
func deploy(ctx SpecContext, driver migration.Tool, mode migration.Mode, want setup) *fixture {
	GinkgoHelper()
	if want.profile == "" {
		want.profile = sandbox.ProfileFast
	}
	if want.Shape == (topology.Shape{}) {
		want.Shape = topology.MustShape("star:1")
	}
	if unsupported := driver.Describe().Unsupported; unsupported != nil {
		on := suitekit.Flavor(want.profile)
		if older := want.Golden[0]; older != nil {
			on = older.Flavor
		}
		if why := unsupported(on); why != "" {
			suitekit.Unsupported(why)
		}
	}
	want.Server = append(want.Server, mode.ServerOptions()...)
	// Without it, a server with a binary log lets only those with SUPER make triggers.
	want.Server = append(want.Server, "loose-log_bin_trust_function_creators=ON")
	var t *topology.Topology
	if want.fresh {
		t = suitekit.Deploy(ctx, want.profile, want.Options)
	} else {
		t = suitekit.Share(ctx, want.profile, want.Options, database, modelDatabase, workload.HeartbeatDatabase)
	}
	f := &fixture{
		Topology: t, primary: t.Primary().Server, replica: t.Nodes[len(t.Nodes)-1].Server, // of a chain, the leaf
		driver: driver, tool: driver.Describe(), mode: mode,
	}
	suitekit.NoFault(f.createAccount(ctx, want.grants))
	if !want.fresh {
		DeferCleanup(f.dropAccount)
	}
	f.source = f.account(f.primary.Endpoint)
	return f
}

// setUp deploys a fixture with the table, and beside it the model.
func setUp(ctx SpecContext, driver migration.Tool, mode migration.Mode, want setup) *fixture {
	GinkgoHelper()
	if want.rows == 0 {
		want.rows = smallTable
	}
	f := deploy(ctx, driver, mode, want)
	f.ledger, f.counts = workload.NewLedger(want.rows), newIncrements(want.rows)
	suitekit.NoFault(workload.Create(ctx, f.primary, table))
	suitekit.NoFault(workload.Fill(ctx, f.primary, table, want.rows))
	suitekit.NoFault(f.primary.Exec(ctx,
		"ANALYZE TABLE "+table.String(), // tools size their chunks by the statistics
		"CREATE TABLE "+model.String()+" LIKE "+table.String(),
		"ALTER TABLE "+model.String()+" "+change,
	))
	suitekit.NoFault(f.WaitCaughtUp(ctx))
	var err error
	f.original, err = structure(ctx, f.primary, table.Name)
	suitekit.NoFault(err)
	return f
}

// forTool describes the specs of one subject for the tool of the cell, under the tool's name. "" is no subject.
func forTool(subject string, specs func(driver migration.Tool)) bool {
	return suitekit.WithCell(func() {
		driver := cellDriver()
		Describe(driver.Name(), func() {
			if subject == "" {
				specs(driver)
				return
			}
			Describe(subject+":", func() { specs(driver) })
		})
	})
}

// cellDriver drives the tool of the cell.
func cellDriver() migration.Tool {
	program := suitekit.Cell().Tool
	driver, err := migration.New(&program)
	if err != nil {
		panic(err) // matrix.yaml has a tool for this suite that no driver is for
	}
	return driver
}

// knows says whether this version of the tool has a flag.
func (f *fixture) knows(ctx context.Context, flag string) bool {
	program := suitekit.Cell().Tool
	return f.tool.Knows == nil || f.tool.Knows(ctx, &program, suitekit.Cell().Dir, flag)
}

// needs makes the spec unsupported for a version of the tool that does not have the flag.
func (f *fixture) needs(ctx context.Context, flag string) {
	GinkgoHelper()
	if !f.knows(ctx, flag) {
		suitekit.Unsupported(fmt.Sprintf("%s %s has no %s", f.tool.Name, suitekit.Cell().Tool.Version, flag))
	}
}

// left are the objects that the tool may leave behind when it is killed or gives up.
func (f *fixture) left() []string {
	if f.tool.Objects.Left == nil {
		return nil
	}
	return f.tool.Objects.Left(table.Database, table.Name)
}

// applier is the server on which the tool builds the new table.
func (f *fixture) applier() *server.Server {
	if f.mode.Target(table.Name).Node == migration.NodeReplica {
		return f.replica
	}
	return f.primary
}

// inject breaks something, and heals it when the spec ends at the latest.
func inject(ctx SpecContext, one fault.Fault) {
	DeferCleanup(one.Heal)
	suitekit.NoFault(one.Inject(ctx))
}

// hold opens a transaction or lock in the tool's way; the function that it returns ends it.
func (f *fixture) hold(ctx context.Context, begin []string, end string) (release func()) {
	GinkgoHelper()
	conn, err := f.primary.DB.Conn(ctx)
	suitekit.NoFault(err)
	for _, statement := range begin {
		_, err := conn.ExecContext(ctx, statement)
		suitekit.NoFault(err)
	}
	var released bool
	release = func() {
		if released {
			return
		}
		released = true
		_, err := conn.ExecContext(context.WithoutCancel(ctx), end)
		closeErr := conn.Close()
		if err != nil && end == "ROLLBACK" {
			return // a connection that is dead has let go already
		}
		suitekit.NoFault(err)
		suitekit.NoFault(closeErr)
	}
	DeferCleanup(release)
	return release
}

// lockRow has the copy wait at a row.
func (f *fixture) lockRow(ctx context.Context, key int) (release func()) {
	return f.hold(ctx, []string{"BEGIN", fmt.Sprintf("SELECT id FROM %s WHERE id = %d FOR UPDATE", table, key)}, "ROLLBACK")
}

// replication is what the replicas say of their threads, a line each.
func (f *fixture) replication(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, stateLimit)
	defer cancel()
	var text strings.Builder
	for _, n := range f.Replicas() {
		statuses, err := n.Server.ReplicaStatus(ctx)
		if err != nil {
			fmt.Fprintf(&text, "%s: %v\n", n.Name, err)
		}
		for _, status := range statuses {
			fmt.Fprintf(&text, "%s: %s\n", n.Name, status)
		}
	}
	return text.String()
}

// within is a state with the limits of this suite.
func within(what string) wait.State {
	return wait.State{What: what, Limit: stateLimit, Poll: statePoll}
}

// eventually waits for a state; its absence is a fault of what surrounds the tool.
func eventually(ctx context.Context, what string, look wait.Look) {
	GinkgoHelper()
	suitekit.NoFault(within(what).Until(ctx, look))
}
