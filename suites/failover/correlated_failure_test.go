package failover_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("a correlated failure", func() {
	It("of the primary and an intermediate primary leaves every other server below the new primary", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Shape: topology.MustShape("tree")})
		s.manage(ctx, nil)
		s.write(ctx)
		s.inject(ctx, fault.Kill{Node: s.named("intermediate1")})
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		Eventually(ctx, s.sources).WithArguments(ctx).WithTimeout(recoveryLimit).WithPolling(auditPoll).
			ShouldNot(ContainElement(BeElementOf("primary", "intermediate1", "")), "a server still has a dead source")
		s.finishWrites(ctx)
		s.expectCluster(ctx, cluster{primary: s.named(audit.Plan.Promote), gone: []string{"primary", "intermediate1"}, source: s.sources(ctx)})
	})

	It("of the primary and its preferred replica promotes the replica that is left", inPRTier(fastManagers), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, func(c *embedded.Config) { prefer(c, "replica1") })
		s.write(ctx)
		s.inject(ctx, fault.Kill{Node: s.named("replica1")})
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		Expect(audit.Plan.Promote).To(Equal("replica2"), describeOne(audit))
		c := s.clusterAfter(audit)
		c.gone = append(c.gone, "replica1")
		s.expectCluster(ctx, c)
	})
})
