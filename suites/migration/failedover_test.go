package migration_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
)

// A tool at work knows nothing of a failover. It must not hang (https://github.com/github/gh-ost/issues/1569),
// and what it leaves on the new primary, to which its tables were replicated, must not disturb the next run.
var _ = forTool("interruption", func(driver migration.Tool) {
	tool := driver.Describe()
	if tool.Immediate {
		return
	}
	mode := tool.PrimaryModes[0]
	It(fmt.Sprintf("%s: leaves the table unchanged when the primary dies and its replica is promoted", mode), Label(cell.LabelFull, cell.LabelWaiting), func(ctx SpecContext) {
		f := setUp(ctx, driver, mode, setup{profile: sandbox.ProfileDurable})
		load := f.traffic(ctx, &traffic{})
		run := f.beginSlowly(ctx, tool.Flags.FewRetries...)
		duringCopy.reach(ctx, run)
		Expect(load.halt()).To(Succeed()) // what an asynchronous replica loses is another suite's matter
		suitekit.NoFault(f.WaitCaughtUp(ctx))
		inject(ctx, fault.Kill{Node: f.Primary()})
		at := f.promote(ctx)
		run.continuesIfItCan(ctx)
		result, err := run.end(ctx)
		Expect(err).To(HaveOccurred(), "the tool reported success")
		suitekit.NoFault(fault.Kill{Node: f.Primary()}.Heal(ctx))
		f.swapRoles(ctx, at)
		Expect(f.verifyReport(ctx, result)).To(Succeed())
		Expect(f.verify(ctx, unchanged, f.left()...)).To(Succeed(), "after the failover")
		f.runAgain(ctx)
	})
})

// promote makes a primary of the replica, and says from where in its log another one is to follow it.
func (f *fixture) promote(ctx SpecContext) server.Coordinates {
	GinkgoHelper()
	suitekit.NoFault(f.replica.StopReplica(ctx, ""))
	suitekit.NoFault(f.replica.ResetReplica(ctx, ""))
	suitekit.NoFault(f.replica.SetReadOnly(ctx, false))
	at, _, err := f.replica.BinaryLogStatus(ctx)
	suitekit.NoFault(err)
	return at
}

// swapRoles makes the old primary, which runs again, the replica of the new one. What it had written of the
// tool's own tables and nobody has received stays there until the next run drops them.
func (f *fixture) swapRoles(ctx SpecContext, at server.Coordinates) {
	GinkgoHelper()
	before, after := f.Nodes[0], f.Nodes[len(f.Nodes)-1]
	suitekit.NoFault(before.Server.PointTo(ctx, server.Source{Endpoint: after.Sandbox.ReplicationEndpoint(), At: at}))
	suitekit.NoFault(before.Server.StartReplica(ctx, ""))
	before.Sources, after.Sources = []int{len(f.Nodes) - 1}, nil
	f.primary, f.replica = after.Server, before.Server
	f.source = f.account(f.primary.Endpoint)
}
