package failover_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/failover/oracle"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

// delay is how far delayed replicas are behind.
const delay = 3 * time.Second

// aside is a table that the application does not write to.
var aside = workload.Table{Database: table.Database, Name: "aside"}

var _ = Describe("candidate selection", func() {
	It("with every applier stopped by an error, promotes no replica", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		for _, n := range s.Replicas() {
			s.breakApplier(ctx, n)
		}
		s.killPrimary(ctx)
		if underTest().AuditsRefusals {
			s.waitForAudit(ctx, "no refusal", func(a failover.Audit) bool { return a.Plan.Action == failover.Refuse })
		}
		// A promotion takes its time when it waits in vain for the appliers.
		Consistently(ctx, s.writable).WithArguments(ctx).WithTimeout(4*underTest().DetectsWithin).WithPolling(auditPoll).
			Should(BeEmpty(), "a replica was promoted that cannot apply what it has")
		Expect(s.load.Stop()).To(Succeed())
	})

	It("with an errant transaction on one replica, reports it and loses no write", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		// In its own binary log, under its own name.
		s.notPromotable = "replica1"
		suitekit.NoFault(s.named("replica1").Server.Exec(ctx, "CREATE DATABASE errant"))
		s.waitForWrites(ctx, rate*int(underTest().DetectsWithin.Seconds())) // until the manager has seen it
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.expectAfterFailover(ctx, audit)
		Expect(s.manager.Audits()).To(ContainElement(Satisfy(func(a failover.Audit) bool {
			excluded := slices.ContainsFunc(a.Excluded, func(one failover.Exclusion) bool { return one.Name == "replica1" })
			// orchestrator's warning names the primary of the structure.
			return excluded || a.Plan.Problem == failover.ErrantServer && (a.Plan.Dead == "replica1" || !underTest().NamesErrantReplica)
		})), "the errant transaction is not reported")
	})

	It("with a replica that hung during the failover, repoints it when it answers again", inPRTier(fastManagers), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		hung := s.hang(ctx, "replica1")
		// What the kernel has received for a process that hangs may be more than the other replica has.
		s.pauseWrites(ctx)
		at, _, err := s.Primary().Server.BinaryLogStatus(ctx)
		suitekit.NoFault(err)
		suitekit.NoFault(s.named("replica2").Server.WaitForCoordinates(ctx, at, ""))
		s.inject(ctx, fault.Kill{Node: s.Primary()})
		s.gate.open()
		audit := s.waitForFailover(ctx)
		s.waitForWrites(ctx, some)
		s.heal(ctx, hung)
		s.finishWrites(ctx)
		Eventually(ctx, func() map[string]string { return s.sources(ctx) }).WithTimeout(catchUpLimit).WithPolling(auditPoll).
			Should(HaveKeyWithValue("replica1", "replica2"), "it goes on with the dead primary")
		Eventually(ctx, s.check).WithArguments(ctx, cluster{primary: s.named(audit.Plan.Promote), gone: []string{"primary"}}).WithTimeout(catchUpLimit).
			WithPolling(auditPoll).Should(BeEmpty())
	})

	It("with a replica that hung and has more than the new primary, excludes and reports it", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		cut := s.lagging(ctx, "replica2")
		s.manage(ctx, nil)
		s.write(ctx)
		cut()
		hung := s.hang(ctx, "replica1")
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.heal(ctx, hung)
		s.finishWrites(ctx)
		s.heal(ctx, fault.Kill{Node: s.Primary()}) // to which it would go back
		in, err := s.rejoined(ctx, s.named("replica1"), s.named(audit.Plan.Promote))
		Expect(err).NotTo(HaveOccurred())
		Expect(in).To(BeFalse(), "it follows one that lacks what it has")
		if underTest().Fences {
			Eventually(ctx, s.Primary().Server.ReadOnly).WithTimeout(fenceLimit).WithPolling(statePoll).Should(BeTrue(), "the old primary takes writes again")
			s.expectCluster(ctx, cluster{primary: s.named(audit.Plan.Promote), excluded: []string{"primary", "replica1"}})
			s.waitForAudit(ctx, "no report of what the late replica has", func(a failover.Audit) bool {
				return a.Plan.Problem == failover.CannotFollowAfterFailure && a.Plan.Dead == "replica1" && strings.Contains(a.Plan.Reason, "more than the new primary")
			})
		}
	})

	It("with delayed replicas, promotes one only once it has applied what it received", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		for _, n := range s.Replicas() {
			s.inject(ctx, fault.Delay{Node: n, By: delay})
		}
		s.manage(ctx, nil)
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.expectAfterFailover(ctx, audit)
	})

	It("without GTID, attaches no replica that has a row of its own", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		primary := s.Primary().Server
		suitekit.NoFault(primary.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (id BIGINT PRIMARY KEY)", aside)))
		s.manage(ctx, func(c *embedded.Config) { c.FindPosition = pseudogtid.Match; prefer(c, "replica1") })
		entries := pseudogtid.StartInjector(ctx, primary, entryInterval)
		s.write(ctx)
		Expect(s.load.Stop()).To(Succeed())
		suitekit.NoFault(entries.Stop())
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		suitekit.NoFault(s.named("replica1").Server.Exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES (1)", aside)))
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		found := s.checkAfterFailover(ctx, audit)
		for _, name := range audit.Followers {
			if err := workload.Same(ctx, workload.Side{Server: s.named(name).Server, Table: aside},
				workload.Side{Server: s.named(audit.Plan.Promote).Server, Table: aside}, []string{"id"}); err != nil {
				found.Note(oracle.CheckRows, fmt.Errorf("node %s follows %s: %w", name, audit.Plan.Promote, err))
			}
		}
		Expect(found.Err()).NotTo(HaveOccurred())
	})

	It("without GTID and Pseudo-GTID, reports a lagging replica that cannot be repointed", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.manage(ctx, func(c *embedded.Config) { c.FindPosition = pseudogtid.Match; prefer(c, "replica1") })
		s.write(ctx)
		// No entry is ever written: the replica that is behind has nothing to be found by.
		s.stopReceiving(ctx, "replica2")
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		Expect(len(audit.Followers)+len(audit.Excluded)).To(Equal(1), "the other replica is forgotten: %v, %v", audit.Followers, audit.Excluded)
		s.expectAfterFailover(ctx, audit)
	})

	It("with replicas of two series, promotes the older one", Label(cell.LabelFull), Label(cell.LabelOlder), func(ctx SpecContext) {
		older := suitekit.OlderSource(sandbox.ProfileDurable)
		s := deploy(ctx, topology.Options{GTID: true, Golden: map[int]*sandbox.Golden{0: older, 2: older}})
		AddReportEntry("versions", fmt.Sprintf("replica1 is %s, the others are %s", s.named("replica1").Server.Flavor, older.Flavor))
		s.notPromotable = "replica1"
		s.manage(ctx, func(c *embedded.Config) { prefer(c, "replica1") })
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		Expect(audit.Plan.Promote).To(Equal("replica2"), "the newer server was promoted above the older one")
		s.finishWrites(ctx)
		s.expectAfterFailover(ctx, audit)
	})

	It("with a transaction of 10,000 rows, leaves it complete or absent on every replica", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		suitekit.NoFault(s.Primary().Server.Exec(ctx,
			fmt.Sprintf("CREATE TABLE %s (id BIGINT PRIMARY KEY AUTO_INCREMENT, batch BIGINT NOT NULL)", aside)))
		s.manage(ctx, nil)
		s.write(ctx)
		batches := s.writeBatches(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		<-batches
		s.expectAfterFailoverIgnoringLoss(ctx, audit)
		for _, n := range s.Replicas() {
			rows, err := n.Server.Rows(ctx, fmt.Sprintf("SELECT batch, COUNT(*) AS count FROM %s GROUP BY batch", aside))
			suitekit.NoFault(err)
			for _, row := range rows {
				Expect(row["count"]).To(Equal(fmt.Sprint(batchRows)), "batch %s on %s", row["batch"], n.Name)
			}
			suitekit.Detail("whole batches on "+n.Name, "", float64(len(rows)))
		}
	})
})

// breakApplier takes away a table that the application writes to, and waits until the applier has missed it.
func (s *fixture) breakApplier(ctx context.Context, n *topology.Node) {
	GinkgoHelper()
	suitekit.NoFault(n.Server.Unlogged(ctx, "DROP TABLE "+table.Journal().String()))
	Eventually(ctx, func() (int, error) {
		statuses, err := n.Server.ReplicaStatus(ctx)
		if err != nil || len(statuses) != 1 {
			return 0, err
		}
		return statuses[0].SQLErrno, nil
	}).WithTimeout(catchUpLimit).WithPolling(auditPoll).ShouldNot(BeZero(), "the applier of %s does not miss the table", n.Name)
}

// batchRows is how many rows one big transaction has.
const batchRows = 10_000

// writeBatches writes big transactions on the primary, one after the other, until it dies. The channel is
// closed then.
func (s *fixture) writeBatches(ctx context.Context) <-chan struct{} {
	GinkgoHelper()
	ended, first := make(chan struct{}), make(chan struct{})
	endpoint := application(s.Primary())
	endpoint.Limit = writeLimit
	db, err := endpoint.OpenDB(aside.Database)
	suitekit.NoFault(err)
	numbers := "(SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
	go func() {
		defer close(ended)
		defer db.Close()
		for batch := 1; ; batch++ {
			if _, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (batch) SELECT %d FROM %s a, %s b, %s c, %s d", aside.Name, batch, numbers, numbers, numbers, numbers)); err != nil {
				return // it is dead, which is what this waits for
			}
			if batch == 1 {
				close(first)
			}
		}
	}()
	Eventually(ctx, first).WithTimeout(writeLimit).Should(BeClosed(), "no big transaction is written")
	return ended
}

// expectAfterFailoverIgnoringLoss is judge without the loss held against the dead primary: what counts its transactions knows the
// application's only.
func (s *fixture) expectAfterFailoverIgnoringLoss(ctx context.Context, audit failover.Audit) {
	GinkgoHelper()
	found := s.checkAfterFailover(ctx, audit)
	delete(found, oracle.CheckLoss)
	Expect(found.Err()).NotTo(HaveOccurred())
}

// hang makes a server hang, and returns when the manager has missed it.
func (s *fixture) hang(ctx context.Context, name string) fault.Fault {
	GinkgoHelper()
	hung := fault.Pause{Node: s.named(name)}
	s.inject(ctx, hung)
	s.waitForWrites(ctx, rate*int(underTest().DetectsWithin.Seconds()))
	return hung
}
