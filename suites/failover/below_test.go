package failover_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("a dead server that is not the primary", func() {
	It("is passed by when it is in the middle of a chain, and nothing is lost", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Shape: topology.MustShape("chain:3")})
		s.manage(ctx, nil)
		s.write(ctx)
		middle := s.named("replica1")
		s.inject(ctx, fault.Kill{Node: middle})
		audit := s.movedFrom(ctx, middle)
		s.settle(ctx)
		Expect(audit.Succeeded()).To(BeTrue(), describeOne(audit))
		account := s.expect(ctx, cluster{primary: s.Primary(), gone: []string{"replica1"}, source: map[string]string{"replica3": "replica2"}})
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("is passed by when it is in the middle of a tree, by both of its replicas", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Shape: topology.MustShape("tree")})
		s.manage(ctx, nil)
		s.write(ctx)
		middle := s.named("intermediate1")
		s.inject(ctx, fault.Kill{Node: middle})
		audit := s.movedFrom(ctx, middle)
		s.settle(ctx)
		Expect(audit.Succeeded()).To(BeTrue(), describeOne(audit))
		// To the primary or below the other intermediate primary: what the server itself says is taken, and
		// held against those that are alive.
		found := s.sources(ctx)
		for _, name := range []string{"replica1", "replica2"} {
			Expect(found[name]).NotTo(BeElementOf("intermediate1", ""), "%s was forgotten", name)
		}
		account := s.expect(ctx, cluster{primary: s.Primary(), gone: []string{"intermediate1"}, source: found})
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("leaves its partner in a ring as the primary", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Shape: topology.MustShape("ring:2")})
		s.manage(ctx, nil)
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.movedFrom(ctx, s.Primary())
		s.settle(ctx)
		Expect(audit.Plan.Promote).To(Equal("primary2"), describeOne(audit))
		s.expect(ctx, cluster{primary: s.named("primary2"), gone: []string{"primary1"}})
	})

	It("changes nothing when it is one of two replicas", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		s.inject(ctx, fault.Kill{Node: s.named("replica1")})
		s.unmoved(ctx)
		s.settle(ctx)
		account := s.expect(ctx, cluster{primary: s.Primary(), gone: []string{"replica1"}})
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("is built anew from nothing when its disk was lost, and then takes over from the primary", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, func(c *failover.Config) { prefer(c, "replica1") })
		s.write(ctx)
		lost := fault.DataLost{Topology: s.Topology, Node: s.named("replica1"), Golden: suitekit.Golden(sandbox.ProfileDurable), Source: s.Primary()}
		s.inject(ctx, lost)
		s.unmoved(ctx)
		s.heals(ctx, lost)
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		s.awaitWrites(ctx, rate) // until the manager has seen it
		s.lag(ctx, "replica2")   // which would have to be promoted if it had one transaction more
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.settle(ctx)
		Expect(audit.Plan.Promote).To(Equal("replica1"), describeOne(audit))
		s.judge(ctx, audit)
	})
})
