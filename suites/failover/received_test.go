package failover_test

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("received transactions", func() {
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
		// replica1 may have received more when the primary died, or have applied all by the time of the decision.
		Expect(readier(audit)).To(BeEmpty(), "%s was promoted, which had not applied what it had received, and another one had: %s", audit.Plan.Promote, describeOne(audit))
		account := s.expectAfterFailover(ctx, audit)
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("that a replica has acknowledged and lost keep it from being promoted", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		if !underTest().AuditsRefusals {
			suitekit.Unsupported("the manager does not say what it refuses")
		}
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true, Shape: topology.MustShape("star:1"), Server: []string{"relay_log_recovery=1"}})
		s.crashWithRelayLogs(ctx, nil)
		s.waitForAudit(ctx, "no refusal", func(a failover.Audit) bool {
			return a.Plan.Action == failover.Refuse && strings.Contains(a.Plan.Reason, "acknowledged writes would be lost")
		})
		Expect(s.writable(ctx)).To(BeEmpty(), "a replica was promoted that has lost acknowledged writes")
		s.heal(ctx, fault.Kill{Node: s.Primary()})
		s.finishWrites(ctx)
		account := s.expectCluster(ctx, cluster{primary: s.Primary()})
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("of a replica whose threads are both stopped survive the death of the primary", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		cut := s.lagging(ctx, "replica2")
		s.manage(ctx, nil)
		s.write(ctx)
		s.inject(ctx, fault.StopThread{Node: s.named("replica1"), Thread: fault.SQLThread})
		cut() // what is written now replica1 alone receives
		s.inject(ctx, fault.StopThread{Node: s.named("replica1"), Thread: fault.IOThread})
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		Expect(audit.Plan.Promote).To(Equal("replica1"), "the replica with less data was promoted: %s", describeOne(audit))
		s.expectAfterFailover(ctx, audit)
	})
})

// crashWithRelayLogs crashes both servers of a star of two while the replica has acknowledged what it has not applied, and starts
// the replica, which throws its relay logs away.
func (s *fixture) crashWithRelayLogs(ctx context.Context, change func(*embedded.Config)) {
	GinkgoHelper()
	s.manage(ctx, change)
	s.write(ctx)
	s.inject(ctx, fault.StopThread{Node: s.named("replica1"), Thread: fault.SQLThread})
	s.waitForWrites(ctx, rate*int(underTest().DetectsWithin.Seconds())) // until the manager has seen them received
	crash := fault.Kill{Node: s.named("replica1")}
	s.inject(ctx, crash)
	s.inject(ctx, fault.Kill{Node: s.Primary()})
	s.heal(ctx, crash)
}

// readier is a replica that had received all that the promoted one had, and had applied it, when the promoted one had not; by
// what the manager saw after it had stopped their receivers. "" when there was none.
func readier(audit failover.Audit) string {
	i := slices.IndexFunc(audit.State.Servers, func(o failover.Observation) bool { return o.Name == audit.Plan.Promote })
	if i < 0 {
		return ""
	}
	promoted := audit.State.Servers[i]
	if promoted.Executed.Contains(promoted.Received()) {
		return ""
	}
	for _, o := range audit.State.Servers {
		if o.Reachable && o.Executed.Contains(promoted.Received()) {
			return o.Name
		}
	}
	return ""
}

// failOverWithStoppedAppliers stops the appliers of some replicas as an operator does, and kills the primary once they have
// received more.
func (s *fixture) failOverWithStoppedAppliers(ctx context.Context, change func(*embedded.Config), replicas ...string) failover.Audit {
	GinkgoHelper()
	s.killWithStoppedAppliers(ctx, change, replicas...)
	return s.waitForFailover(ctx)
}

// killWithStoppedAppliers is failOverWithStoppedAppliers up to the death of the primary.
func (s *fixture) killWithStoppedAppliers(ctx context.Context, change func(*embedded.Config), replicas ...string) {
	GinkgoHelper()
	s.manage(ctx, change)
	s.write(ctx)
	for _, name := range replicas {
		s.inject(ctx, fault.StopThread{Node: s.named(name), Thread: fault.SQLThread})
	}
	s.waitForWrites(ctx, some)
	s.killPrimary(ctx)
}
