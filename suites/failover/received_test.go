package failover_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("received transactions", func() {
	if !underTest().PollsFast {
		return // not watched with orchestrator yet
	}
	It("with semi-synchronous replication and both appliers stopped, survive the death of the primary", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
		audit := s.failOverWithStoppedAppliers(ctx, nil, "replica1", "replica2")
		s.finishWrites(ctx)
		account := s.expectAfterFailover(ctx, audit)
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("are not waited for when another replica has applied them", inPRTier(fastManagers), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
		audit := s.failOverWithStoppedAppliers(ctx, nil, "replica1")
		s.finishWrites(ctx)
		Expect(audit.Plan.Promote).To(Equal("replica2"), describeOne(audit))
		account := s.expectAfterFailover(ctx, audit)
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("of a replica whose threads are both stopped survive the death of the primary", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		link := s.replicateThroughLink(ctx, "replica2")
		s.manage(ctx, nil)
		s.write(ctx)
		s.inject(ctx, fault.StopThread{Node: s.named("replica1"), Thread: fault.SQLThread})
		s.inject(ctx, fault.Cut{Link: link})
		s.waitForWrites(ctx, some) // which replica1 alone receives
		s.inject(ctx, fault.StopThread{Node: s.named("replica1"), Thread: fault.IOThread})
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		Expect(audit.Plan.Promote).To(Equal("replica1"), describeOne(audit))
		s.expectAfterFailover(ctx, audit)
	})
})

// failOverWithStoppedAppliers stops the appliers of some replicas as an operator does, and kills the primary once they have
// received more.
func (s *fixture) failOverWithStoppedAppliers(ctx context.Context, change func(*embedded.Config), replicas ...string) failover.Audit {
	GinkgoHelper()
	s.manage(ctx, change)
	s.write(ctx)
	for _, name := range replicas {
		s.inject(ctx, fault.StopThread{Node: s.named(name), Thread: fault.SQLThread})
	}
	s.waitForWrites(ctx, some)
	s.killPrimary(ctx)
	return s.waitForFailover(ctx)
}
