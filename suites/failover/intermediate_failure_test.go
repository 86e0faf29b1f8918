package failover_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"time"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/failover/oracle"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("a dead server", func() {
	It("in the middle of a chain is bypassed by its replica, and no write is lost", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Shape: topology.MustShape("chain:3")})
		s.manage(ctx, nil)
		s.write(ctx)
		middle := s.named("replica1")
		s.injectAtRandom(ctx, fault.Kill{Node: middle})
		audit := s.waitForRecoveryFrom(ctx, middle)
		s.finishWrites(ctx)
		Expect(audit.Succeeded()).To(BeTrue(), describeOne(audit))
		account := s.expectCluster(ctx, cluster{primary: s.Primary(), gone: []string{"replica1"}, source: map[string]string{"replica3": "replica2"}})
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("in the middle of a tree is bypassed by both of its replicas, and no write is lost", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Shape: topology.MustShape("tree")})
		s.manage(ctx, nil)
		s.write(ctx)
		middle := s.named("intermediate1")
		s.injectAtRandom(ctx, fault.Kill{Node: middle})
		audit := s.waitForRecoveryFrom(ctx, middle)
		s.finishWrites(ctx)
		Expect(audit.Succeeded()).To(BeTrue(), describeOne(audit))
		// To the primary or below the other intermediate primary: what the server itself says is taken, and
		// held against those that are alive.
		found := s.sources(ctx)
		for _, name := range []string{"replica1", "replica2"} {
			Expect(found[name]).NotTo(BeElementOf("intermediate1", ""), "%s was forgotten", name)
		}
		account := s.expectCluster(ctx, cluster{primary: s.Primary(), gone: []string{"intermediate1"}, source: found})
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("in a ring is replaced by its partner", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Shape: topology.MustShape("ring:2")})
		s.manage(ctx, nil)
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForRecoveryFrom(ctx, s.Primary())
		s.finishWrites(ctx)
		Expect(audit.Plan.Promote).To(Equal("primary2"), describeOne(audit))
		s.expectCluster(ctx, cluster{primary: s.named("primary2"), gone: []string{"primary1"}})
	})

	It("that is one of two replicas causes no recovery", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		s.injectAtRandom(ctx, fault.Kill{Node: s.named("replica1")})
		s.expectNoRecovery(ctx)
		s.finishWrites(ctx)
		account := s.expectCluster(ctx, cluster{primary: s.Primary(), gone: []string{"replica1"}})
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("that lost its disk is rebuilt, and is promoted when the primary dies", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, func(c *embedded.Config) { prefer(c, "replica1") })
		s.write(ctx)
		lost := fault.DataLost{Topology: s.Topology, Node: s.named("replica1"), Golden: suitekit.Golden(sandbox.ProfileDurable), Source: s.Primary()}
		s.injectAtRandom(ctx, lost)
		s.expectNoRecovery(ctx)
		s.heal(ctx, lost)
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		s.noteSample(oracle.Sample{At: time.Now(), Node: "replica1", Rebuilt: true})
		s.waitForWrites(ctx, rate)       // until the manager has seen it
		s.stopReceiving(ctx, "replica2") // which would have to be promoted if it had one transaction more
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		Expect(audit.Plan.Promote).To(Equal("replica1"), describeOne(audit))
		s.expectAfterFailover(ctx, audit)
	})
})
