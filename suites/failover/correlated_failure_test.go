package failover_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
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

	It("of a semi-synchronous primary and a replica, which hang and wake up together, loses nothing", Label(cell.LabelFull), func(ctx SpecContext) {
		s, wake := hangTogether(ctx, nil)
		if underTest().AuditsRefusals {
			s.waitForRefusalWithout(ctx, "replica1")
		} else {
			s.waitForFailover(ctx)
		}
		Expect(wake()).To(Succeed(), "the write is not acknowledged, so that nothing can be lost")
		Eventually(ctx, s.writable).WithArguments(ctx).WithTimeout(recoveryLimit).WithPolling(auditPoll).Should(HaveLen(1))
		Expect(s.hasAside(ctx, s.writable(ctx)[0])).To(BeTrue(), "an acknowledged write is lost")
	})

	It("of a semi-synchronous primary and a replica promotes nobody until every acknowledged write is there", inPRTier(fastManagers), func(ctx SpecContext) {
		if !underTest().AuditsRefusals {
			suitekit.Unsupported("the manager has no such policy: it promotes what is left")
		}
		s := dieTogether(ctx, nil)
		s.waitForRefusalWithout(ctx, "replica1")
		Expect(s.writable(ctx)).To(BeEmpty(), "a replica was promoted though the other one may have acknowledged more")
		s.heal(ctx, fault.Kill{Node: s.named("replica1")})
		var account workload.Account
		if suitekit.Flavor(sandbox.ProfileDurable).StartDeletesRelayLogs() {
			// It comes back without what it had acknowledged and not applied: only the old primary is sure to have it.
			s.waitForAudit(ctx, "no refusal", func(a failover.Audit) bool {
				return a.Plan.Action == failover.Refuse && strings.Contains(a.Plan.Reason, "started again with empty relay logs (replica1)")
			})
			Expect(s.writable(ctx)).To(BeEmpty(), "a replica was promoted though an acknowledged write may be lost")
			s.heal(ctx, fault.Kill{Node: s.Primary()})
			s.finishWrites(ctx)
			back := cluster{primary: s.Primary()}
			Eventually(ctx, s.check).WithArguments(ctx, back).WithTimeout(catchUpLimit).WithPolling(auditPoll).Should(BeEmpty())
			account = s.expectCluster(ctx, back)
		} else {
			audit := s.waitForFailover(ctx)
			s.finishWrites(ctx)
			account = s.expectAfterFailover(ctx, audit)
		}
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("of a semi-synchronous primary and a replica promotes the other one where loss is allowed", Label(cell.LabelFull), func(ctx SpecContext) {
		if !underTest().AuditsRefusals {
			suitekit.Unsupported("the manager has no such policy: it promotes what is left")
		}
		s := dieTogether(ctx, func(c *embedded.Config) { c.Policy.AllowLoss = true })
		audit := s.waitForFailover(ctx)
		Expect(audit.Plan.Promote).To(Equal("replica2"), describeOne(audit))
		s.finishWrites(ctx)
		c := s.clusterAfter(audit)
		c.gone = append(c.gone, "replica1")
		s.expectCluster(ctx, c)
	})

	It("of a semi-synchronous primary and a replica that was dead before promotes the other one", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
		s.manage(ctx, nil)
		s.write(ctx)
		s.inject(ctx, fault.Kill{Node: s.named("replica1")})
		s.waitForWrites(ctx, rate*int(underTest().DetectsWithin.Seconds())) // until the manager has missed it
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		Expect(audit.Plan.Promote).To(Equal("replica2"), describeOne(audit))
		s.finishWrites(ctx)
		c := s.clusterAfter(audit)
		c.gone = append(c.gone, "replica1")
		account := s.expectCluster(ctx, c)
		Expect(account.Lost).To(BeEmpty(), account.String())
	})
})

// dieTogether has a semi-synchronous primary and one of its two replicas die at once.
func dieTogether(ctx SpecContext, change func(*embedded.Config)) *fixture {
	GinkgoHelper()
	s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
	s.manage(ctx, change)
	s.write(ctx)
	s.killWith(ctx, s.named("replica1"))
	return s
}

// killWith crashes the primary and a replica at once: the primary says nothing between the two.
func (s *fixture) killWith(ctx context.Context, replica *topology.Node) {
	GinkgoHelper()
	s.inject(ctx, fault.Pause{Node: s.Primary()})
	s.inject(ctx, fault.Kill{Node: replica})
	s.inject(ctx, fault.Kill{Node: s.Primary()})
}

// hangTogether has a semi-synchronous primary hang with a write that only a replica has received which hangs as well. The other
// replica is there again. wake lets both go on, and returns what the application is told of its write.
func hangTogether(ctx SpecContext, change func(*embedded.Config)) (s *fixture, wake func() error) {
	GinkgoHelper()
	s = deploy(ctx, topology.Options{GTID: true, SemiSync: true})
	primary := s.Primary().Server
	suitekit.NoFault(primary.Exec(ctx, "CREATE TABLE "+aside.String()+" (id BIGINT PRIMARY KEY)"))
	suitekit.NoFault(s.WaitCaughtUp(ctx))
	s.manage(ctx, change)
	apart, hung := fault.Kill{Node: s.named("replica2")}, []fault.Fault{fault.Pause{Node: s.named("replica1")}, fault.Pause{Node: s.Primary()}}
	s.inject(ctx, apart)
	s.inject(ctx, hung[0])
	written := make(chan error, 1)
	go func() {
		written <- primary.Exec(context.WithoutCancel(ctx), "INSERT INTO "+aside.String()+" VALUES (1)")
	}()
	Eventually(ctx, primary.StatusVariable).WithArguments(ctx, primary.Dialect.SemiSync.StatusWaiting).WithTimeout(writeLimit).WithPolling(auditPoll).
		Should(Equal("1"), "the write does not wait for an acknowledgement")
	s.inject(ctx, hung[1])
	s.heal(ctx, apart)
	return s, func() error {
		for _, f := range hung {
			s.heal(ctx, f)
		}
		return <-written
	}
}

// hasAside says whether a server has the write that was made aside.
func (s *fixture) hasAside(ctx context.Context, name string) (bool, error) {
	rows, err := s.named(name).Server.Rows(ctx, "SELECT id FROM "+aside.String())
	return len(rows) == 1, err
}

// waitForRefusalWithout waits until the manager refuses to promote a replica, since another one that does not answer may have
// acknowledged more.
func (s *fixture) waitForRefusalWithout(ctx context.Context, missing string) {
	GinkgoHelper()
	s.waitForAudit(ctx, "no refusal without "+missing, func(a failover.Audit) bool {
		return a.Plan.Action == failover.Refuse && strings.Contains(a.Plan.Reason, "acknowledged writes may be lost") && strings.Contains(a.Plan.Reason, missing)
	})
}
