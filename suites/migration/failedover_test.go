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
// and what it leaves on the new primary, to which its tables were replicated, must not be in the way of the
// next run.
var _ = forTool("interruption", func(tool migration.Tool) {
	mode := disturbed[tool.Name()][0]
	It(fmt.Sprintf("%s: the source dies in the copy, and its replica is promoted", mode), Label(cell.LabelFull, cell.LabelWaiting), func(ctx SpecContext) {
		s := setUp(ctx, tool, mode, plan{profile: sandbox.ProfileDurable})
		load := s.traffic(ctx, &traffic{})
		a := s.slowly(ctx, fewRetries[tool.Name()]...)
		inCopy.reach(ctx, a)
		Expect(load.halt()).To(Succeed()) // what an asynchronous replica loses is another suite's matter
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		inject(ctx, fault.Kill{Node: s.Primary()})
		at := s.promote(ctx)
		a.goOn(ctx)
		result, err := a.end(ctx)
		Expect(err).To(HaveOccurred(), "the tool succeeded: it did not notice")
		suitekit.NoFault(fault.Kill{Node: s.Primary()}.Heal(ctx))
		s.exchange(ctx, at)
		Expect(s.honest(ctx, result)).To(Succeed())
		Expect(s.whole(ctx, original, s.handle.leaves...)).To(Succeed(), "after the failover")
		s.again(ctx)
	})
})

// promote makes a primary of the replica, and says from where in its log another one is to follow it.
func (s *stage) promote(ctx SpecContext) server.Coordinates {
	GinkgoHelper()
	suitekit.NoFault(s.replica.StopReplica(ctx, ""))
	suitekit.NoFault(s.replica.ResetReplica(ctx, ""))
	suitekit.NoFault(s.replica.SetReadOnly(ctx, false))
	at, _, err := s.replica.BinaryLogStatus(ctx)
	suitekit.NoFault(err)
	return at
}

// exchange makes the old primary, which runs again, the replica of the new one. What it had written of the
// tool's own tables and nobody has received stays there until the next run drops them.
func (s *stage) exchange(ctx SpecContext, at server.Coordinates) {
	GinkgoHelper()
	before, after := s.Nodes[0], s.Nodes[len(s.Nodes)-1]
	suitekit.NoFault(before.Server.PointTo(ctx, server.Source{Endpoint: after.Sandbox.ReplicationEndpoint(), At: at}))
	suitekit.NoFault(before.Server.StartReplica(ctx, ""))
	before.Sources, after.Sources = []int{len(s.Nodes) - 1}, nil
	s.primary, s.replica = after.Server, before.Server
	s.source = s.account(s.primary.Endpoint)
}
