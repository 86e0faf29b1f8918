package failover_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/failover/oracle"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// fenceLimit is how long an old primary that comes back may take writes.
const fenceLimit = oracle.FenceLimit

// entryInterval is how often a Pseudo-GTID entry is written. A replica must have applied one to be found.
const entryInterval = 50 * time.Millisecond

var _ = Describe("a dead primary under load", func() {
	It("is replaced by a replica, and the other replica follows it", inPRTier(everyManager), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.measure(audit)
		s.expectAfterFailover(ctx, audit)
	})

	It("with a preferred replica that lags, loses no write that the other replica has received", inPRTier(fastManagers), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, func(c *embedded.Config) { prefer(c, "replica1") })
		s.write(ctx)
		s.stopReceiving(ctx, "replica1")
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.measure(audit)
		s.expectAfterFailover(ctx, audit)
	})

	It("with both replicas lagging, loses exactly the writes that neither has received", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		cut := s.lagging(ctx, "replica1", "replica2")
		s.manage(ctx, nil)
		s.write(ctx)
		cut()
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		account := s.expectAfterFailover(ctx, audit)
		// replica2 had received nothing since.
		Expect(len(account.Lost)).To(BeNumerically(">=", some), account.String())
	})

	It("with semi-synchronous replication, loses no acknowledged write", inPRTier(everyManager), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
		s.manage(ctx, nil)
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.measure(audit)
		account := s.expectAfterFailover(ctx, audit)
		Expect(account.Lost).To(BeEmpty(), account.String())
		Expect(s.waitsForReplicas(ctx, audit.Plan.Promote)).To(BeTrue(), "the new primary does not wait for its replica")
	})

	It("without GTID, is replaced, and the other replica is repointed by Pseudo-GTID", inPRTier(fastManagers), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.manage(ctx, func(c *embedded.Config) { c.FindPosition = pseudogtid.Match })
		entries := pseudogtid.StartInjector(ctx, s.Primary().Server, entryInterval)
		s.write(ctx)
		s.stopReceiving(ctx, "replica1")
		suitekit.NoFault(entries.Stop())
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.measure(audit)
		s.expectAfterFailover(ctx, audit)
	})

	It("whose Pseudo-GTID clock was set back, is replaced, and the other replica is repointed", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.manage(ctx, func(c *embedded.Config) { c.FindPosition = pseudogtid.Match })
		clock := new(fault.Clock)
		entries := pseudogtid.StartInjectorBy(ctx, s.Primary().Server, entryInterval, clock.Now)
		s.write(ctx)
		s.inject(ctx, fault.ClockStep{Clock: clock, By: -time.Hour})
		s.waitForWrites(ctx, some)
		suitekit.NoFault(entries.Stop())
		s.stopReceiving(ctx, "replica1")
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.expectAfterFailover(ctx, audit)
	})

	It("killed during a commit, leaves the transaction complete or absent on every replica", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		suitekit.NoFault(s.Primary().Server.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (id BIGINT PRIMARY KEY)", aside)))
		s.manage(ctx, nil)
		s.write(ctx)
		const rows = 3
		dies := fault.KillCommitting{Node: s.Primary(), Statements: []string{fmt.Sprintf("INSERT INTO %s VALUES (1), (2)", aside), fmt.Sprintf("INSERT INTO %s VALUES (3)", aside)}}
		s.injectAtRandom(ctx, dies)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.expectAfterFailoverIgnoringLoss(ctx, audit)
		for _, n := range s.Replicas() {
			found, err := n.Server.Rows(ctx, fmt.Sprintf("SELECT COUNT(*) AS count FROM %s", aside))
			suitekit.NoFault(err)
			Expect(found[0]["count"]).To(BeElementOf("0", fmt.Sprint(rows)), n.Name)
		}
	})

	It("that hangs is replaced, and is read-only when it resumes", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		hang := fault.Pause{Node: s.Primary()}
		s.injectAtRandom(ctx, hang)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.measure(audit)
		resumed := time.Now()
		suitekit.NoFault(hang.Heal(ctx))
		Eventually(ctx, s.Primary().Server.ReadOnly).WithTimeout(fenceLimit).WithPolling(statePoll).Should(BeTrue(), "the old primary takes writes again")
		suitekit.Detail("old primary fenced", "ms", float64(time.Since(resumed).Milliseconds()))
		s.waitForAudit(ctx, "the return of the old primary is not reported", func(a failover.Audit) bool { return a.Plan.Problem == failover.ErrantServer })
		s.expectAfterFailover(ctx, audit)
	})

	It("that hangs with commits that wait for acknowledgements is read-only when it resumes", Label(cell.LabelFull), func(ctx SpecContext) {
		s := resumeSemiSync(ctx, nil)
		Eventually(ctx, s.Primary().Server.ReadOnly).WithTimeout(fenceLimit).WithPolling(statePoll).Should(BeTrue(), "the old primary takes writes again")
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		account := s.expectAfterFailover(ctx, audit)
		Expect(account.Lost).To(BeEmpty(), account.String())
	})

	It("without GTID, is replaced, and replicas that cannot be repointed are reported", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.manage(ctx, func(c *embedded.Config) { prefer(c, "replica2") })
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		Expect(len(audit.Followers)+len(audit.Excluded)).To(Equal(1), "the other replica is forgotten: %v, %v", audit.Followers, audit.Excluded)
		s.expectAfterFailover(ctx, audit)
	})
})

// resumeSemiSync has a semi-synchronous primary hang under load until it is replaced, and resumes it.
func resumeSemiSync(ctx SpecContext, plant func(*embedded.Config)) *fixture {
	GinkgoHelper()
	s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
	s.manage(ctx, plant)
	s.write(ctx)
	hang := fault.Pause{Node: s.Primary()}
	s.injectAtRandom(ctx, hang)
	s.waitForFailover(ctx)
	s.heal(ctx, hang)
	return s
}

// prefer gives one server the rule prefer.
func prefer(c *embedded.Config, name string) {
	for i := range c.Members {
		if c.Members[i].Name == name {
			c.Members[i].Rule = failover.Prefer
		}
	}
}

// waitsForReplicas says whether semi-synchronous replication is in force on a node.
func (s *fixture) waitsForReplicas(ctx context.Context, name string) (bool, error) {
	n, err := s.Node(name)
	if err != nil {
		return false, err
	}
	state, err := n.Server.StatusVariable(ctx, n.Server.Dialect.SemiSync.StatusActive)
	return state == "ON", err
}
