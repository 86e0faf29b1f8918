//go:build planted

package failover_test

import (
	"context"
	"errors"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/failover/oracle"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// A manager with a fault in it must be caught, or the specs above prove nothing.
var _ = Describe("the oracle", func() {
	if !underTest().PlantsBugs {
		return // there is nothing to plant a fault in
	}
	DescribeTable("detects a manager that", func(ctx SpecContext, plant func(*fixture, *embedded.Config), want oracle.Check) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, func(c *embedded.Config) { plant(s, c) })
		s.write(ctx)
		s.stopReceiving(ctx, "replica1")
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		Expect(s.load.Stop()).To(Succeed())
		Expect(s.checkAfterFailover(ctx, audit)).To(HaveKey(want))
	},
		Entry("promotes the replica with less data", func(_ *fixture, c *embedded.Config) { embedded.PromotingTheOther(c) }, oracle.CheckLoss),
		Entry("leaves the new primary read-only", leaveReadOnly, oracle.CheckReadOnly),
		Entry("leaves a replica writable", leaveWritable, oracle.CheckReadOnly),
		Entry("forgets a replica", func(_ *fixture, c *embedded.Config) { embedded.ForgettingFollowers(c) }, oracle.CheckReplication),
	)

	It("detects a manager that leaves a replica with the dead primary", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		unseen := s.named("replica1")
		link, err := fault.LinkTo("manager", unseen.Sandbox.Endpoint())
		suitekit.NoFault(err)
		DeferCleanup(link.Close)
		s.manage(ctx, func(c *embedded.Config) {
			at := slices.IndexFunc(c.Members, func(m failover.Member) bool { return m.Name == unseen.Name })
			c.Members[at].Endpoint, err = link.Through(c.Members[at].Endpoint)
			suitekit.NoFault(err)
		})
		s.write(ctx)
		s.inject(ctx, fault.Cut{Link: link})
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		Expect(s.load.Stop()).To(Succeed())
		Expect(s.checkAfterFailover(ctx, audit)).To(HaveKey(oracle.CheckReplication))
	})

	It("detects a manager that ignores what the replicas say", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, embedded.BelievingNobody)
		s.write(ctx)
		cut := fault.Refuse{Node: s.Primary(), User: sandbox.User}
		s.inject(ctx, cut)
		s.waitForAudit(ctx, "it does not fail over", func(a failover.Audit) bool { return acts(a) && a.Done })
		Expect(s.load.Stop()).To(Succeed())
		s.heal(ctx, cut)
		Expect(s.check(ctx, cluster{primary: s.Primary()})).To(HaveKey(oracle.CheckReadOnly))
	})
})

var _ = Describe("the oracle", func() {
	if !underTest().PlantsBugs {
		return
	}
	It("detects a manager that takes receivers stopped by an operator for witnesses", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, embedded.TrustingStoppedReceivers)
		s.write(ctx)
		heal := s.loseWitnesses(ctx)
		s.waitForAudit(ctx, "it does not fail over", func(a failover.Audit) bool { return acts(a) && a.Done })
		Expect(s.load.Stop()).To(Succeed())
		suitekit.NoFault(heal(ctx))
		Expect(s.writable(ctx)).To(HaveLen(2))
	})

	It("detects a manager that stops receivers before it starts appliers", Label(cell.LabelFull), func(ctx SpecContext) {
		if !suitekit.Flavor(sandbox.ProfileDurable).StartDeletesRelayLogs() {
			suitekit.Unsupported("the server keeps its relay logs when an applier starts")
		}
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
		s.killWithStoppedAppliers(ctx, embedded.StoppingReceiversFirst, "replica1", "replica2")
		Eventually(ctx, func() error { return errors.Join(s.samples.LostBy("replica1"), s.samples.LostBy("replica2")) }).WithTimeout(recoveryLimit).WithPolling(auditPoll).
			Should(HaveOccurred(), "no replica has lost what it had received")
		Expect(s.load.Stop()).To(Succeed())
	})

	It("detects a manager that prefers candidates by name", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		c := passedOverReplicas[0]
		s.manage(ctx, embedded.ChoosingByName)
		s.write(ctx)
		c.prepare(s, ctx)
		suitekit.NoFault(s.Primary().Server.Exec(ctx, "CREATE TABLE "+aside.String()+" (id BIGINT PRIMARY KEY)"))
		s.killPrimary(ctx)
		s.waitForAudit(ctx, "no failed candidate", func(a failover.Audit) bool {
			_, failed := a.State.Failed["replica1"]
			return failed
		})
		Expect(s.load.Stop()).To(Succeed())
	})

	It("detects a manager that forgets whom it has replaced when it is started again", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		restart := s.manageRestartablyWith(ctx, embedded.ForgettingDemoted)
		s.write(ctx)
		s.killPrimary(ctx)
		s.waitForFailover(ctx)
		s.finishWrites(ctx)
		restart(ctx)
		s.heal(ctx, fault.Kill{Node: s.Primary()})
		Consistently(ctx, s.writable).WithArguments(ctx).WithTimeout(fenceLimit).WithPolling(auditPoll).Should(HaveLen(2))
	})

	It("detects a manager that points replicas anew without TLS", Label(cell.LabelFull), func(ctx SpecContext) {
		if suitekit.Flavor(sandbox.ProfileDurable).Dialect().PlainTransport == "" {
			suitekit.Unsupported("a replica keeps its TLS options here unless it is told otherwise")
		}
		s, audit := failOverWithTLS(ctx, embedded.ForgettingTLS)
		// It may be refused, or connect with TLS of its own accord.
		Expect(s.usesTLS(ctx, s.named(audit.Plan.Repoint[0]))).To(BeFalse())
	})

	It("detects a manager that does not look at the other sources of a replica", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deployOneOfTwo(ctx, embedded.IgnoringOtherSources)
		s.killPrimary(ctx)
		audit := s.waitForAudit(ctx, "no decision", func(a failover.Audit) bool { return a.Done && a.Plan.Problem == failover.DeadPrimary })
		Expect(audit.Followers).NotTo(ContainElement("replica"), describeOne(audit))
	})

	It("detects a manager that waits for commits of a replaced primary", Label(cell.LabelFull), func(ctx SpecContext) {
		for range 2 * purgedRounds { // it resumes with a commit that waits, or with none
			s := resumeSemiSync(ctx, embedded.FencingPolitely)
			readOnly := false
			for begin := time.Now(); !readOnly && time.Since(begin) < fenceLimit; {
				var err error
				readOnly, err = s.Primary().Server.ReadOnly(ctx)
				suitekit.NoFault(err)
			}
			if !readOnly {
				Expect(s.load.Stop()).To(Succeed())
				return
			}
			s.end(ctx)
		}
		Fail("no commit of a replaced primary waited")
	})

	It("detects a manager that promotes a replica that has lost what it had acknowledged", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true, Shape: topology.MustShape("star:1"), Server: []string{"relay_log_recovery=1"}})
		s.crashWithRelayLogs(ctx, embedded.ForgettingReceived)
		s.waitForFailover(ctx)
		Expect(s.load.Stop()).To(Succeed())
		account, err := s.ledger.Account(ctx, s.named("replica1").Server, table)
		suitekit.NoFault(err)
		Expect(account.Lost).NotTo(BeEmpty())
	})

	It("detects a manager that promotes though a replica that hangs may acknowledge the old primary's commits", Label(cell.LabelFull), func(ctx SpecContext) {
		s, wake := hangTogether(ctx, embedded.ForgettingMissing)
		audit := s.waitForFailover(ctx)
		Expect(wake()).To(Succeed())
		Expect(s.hasAside(ctx, audit.Plan.Promote)).To(BeFalse())
	})

	It("detects a manager that takes a receiver that runs for one that receives", Label(cell.LabelFull), Label(cell.LabelLong), func(ctx SpecContext) {
		if suitekit.Flavor(sandbox.ProfileDurable).IsMariaDB() {
			suitekit.Unsupported("a receiver runs here only once the source has begun to send")
		}
		for range 4 * purgedRounds { // it is a race
			s, audit := failOverToPurged(ctx, embedded.BelievingFirstYes)
			if slices.Contains(audit.Followers, "replica2") {
				Expect(s.checkAfterFailover(ctx, audit)).To(HaveKey(oracle.CheckReplication))
				return
			}
			s.end(ctx)
		}
		Fail("no receiver ran before the error arrived")
	})

	It("detects a manager that keeps the count of acknowledgements whoever is left", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploySemiSyncCount(ctx)
		s.manage(ctx, embedded.SkippingSemiSyncCounts)
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		Expect(s.named(audit.Plan.Promote).Server.Variable(ctx, s.Flavor.Dialect().SemiSync.WaitCount)).To(Equal("2"))
		before := s.ledger.Acknowledged()
		Consistently(ctx, s.ledger.Acknowledged).WithTimeout(2*time.Second).WithPolling(auditPoll).
			Should(BeNumerically("<=", before+writers), "writes are acknowledged by a replica that is not there")
	})
})

func leaveReadOnly(s *fixture, c *embedded.Config) {
	c.Hooks.Promoted = func(ctx context.Context, a failover.Audit) error { return s.setReadOnly(ctx, a.Plan.Promote, true) }
}

func leaveWritable(s *fixture, c *embedded.Config) {
	c.Hooks.Finished = func(ctx context.Context, a failover.Audit) error { return s.setReadOnly(ctx, a.Plan.Repoint[0], false) }
}

func (s *fixture) setReadOnly(ctx context.Context, name string, on bool) error {
	n, err := s.Node(name)
	if err != nil {
		return err
	}
	return n.Server.SetReadOnly(ctx, on)
}
