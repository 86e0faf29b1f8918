package failover_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// fenceLimit is how long an old primary that comes back may take writes.
const fenceLimit = 5 * time.Second

// entryInterval is how often a Pseudo-GTID entry is written. A replica must have applied one to be found.
const entryInterval = 50 * time.Millisecond

var _ = Describe("a dead primary of star:2 under load", func() {
	It("is replaced by a replica, and the other one follows", quick(embedded, orchestrator), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.settle(ctx)
		s.measure(audit)
		s.judge(ctx, audit)
	})

	It("is replaced without loss though the preferred replica lags behind", quick(embedded), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, func(c *failover.Config) { prefer(c, "replica1") })
		s.write(ctx)
		s.lag(ctx, "replica1")
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.settle(ctx)
		s.measure(audit)
		s.judge(ctx, audit)
	})

	It("takes with it exactly what no survivor had received", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		s.lag(ctx, "replica1")
		s.lag(ctx, "replica2")
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.settle(ctx)
		account := s.judge(ctx, audit)
		// replica2 had fetched nothing since.
		Expect(len(account.Lost)).To(BeNumerically(">=", some), account.String())
	})

	It("loses no acknowledged write with semi-synchronous replication", quick(embedded, orchestrator), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
		s.manage(ctx, nil)
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.settle(ctx)
		s.measure(audit)
		account := s.judge(ctx, audit)
		Expect(account.Lost).To(BeEmpty(), account.String())
		Expect(s.waitsForReplicas(ctx, audit.Plan.Promote)).To(BeTrue(), "the new primary does not wait for its replica")
	})

	It("is replaced without GTID, and the other replica finds its place by Pseudo-GTID", quick(embedded), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.manage(ctx, func(c *failover.Config) { c.Rewire = pseudogtid.Match })
		entries := pseudogtid.StartInjector(ctx, s.Primary().Server, entryInterval)
		s.write(ctx)
		s.lag(ctx, "replica1")
		suitekit.NoFault(entries.Stop())
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.settle(ctx)
		s.measure(audit)
		s.judge(ctx, audit)
	})

	It("is replaced by Pseudo-GTID though the clock that its entries have was set back", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.manage(ctx, func(c *failover.Config) { c.Rewire = pseudogtid.Match })
		clock := new(fault.Clock)
		entries := pseudogtid.StartInjectorBy(ctx, s.Primary().Server, entryInterval, clock.Now)
		s.write(ctx)
		s.breaks(ctx, fault.ClockStep{Clock: clock, By: -time.Hour})
		s.awaitWrites(ctx, some)
		suitekit.NoFault(entries.Stop())
		s.lag(ctx, "replica1")
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.settle(ctx)
		s.judge(ctx, audit)
	})

	It("is replaced when it dies in a commit, and has the transaction whole or not at all", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		suitekit.NoFault(s.Primary().Server.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (id BIGINT PRIMARY KEY)", aside)))
		s.manage(ctx, nil)
		s.write(ctx)
		const rows = 3
		dies := fault.KillCommitting{Node: s.Primary(), Statements: []string{fmt.Sprintf("INSERT INTO %s VALUES (1), (2)", aside), fmt.Sprintf("INSERT INTO %s VALUES (3)", aside)}}
		s.inject(ctx, dies)
		audit := s.recovered(ctx)
		s.settle(ctx)
		s.judgeKept(ctx, audit)
		for _, n := range s.Replicas() {
			found, err := n.Server.Rows(ctx, fmt.Sprintf("SELECT COUNT(*) AS count FROM %s", aside))
			suitekit.NoFault(err)
			Expect(found[0]["count"]).To(BeElementOf("0", fmt.Sprint(rows)), n.Name)
		}
	})

	It("is replaced when it hangs, and is kept from taking writes when it comes back", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		hang := fault.Pause{Node: s.Primary()}
		s.inject(ctx, hang)
		audit := s.recovered(ctx)
		s.settle(ctx)
		s.measure(audit)
		resumed := time.Now()
		suitekit.NoFault(hang.Heal(ctx))
		Eventually(ctx, s.Primary().Server.ReadOnly).WithTimeout(fenceLimit).WithPolling(statePoll).Should(BeTrue(), "the old primary takes writes again")
		suitekit.Detail("old primary fenced", "ms", float64(time.Since(resumed).Milliseconds()))
		s.audited(ctx, "the return of the old primary is not reported", func(a failover.Audit) bool { return a.Plan.Problem == failover.ErrantServer })
		s.judge(ctx, audit)
	})

	It("leaves no replica unnoticed that cannot find its place without GTID", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.manage(ctx, func(c *failover.Config) { prefer(c, "replica2") })
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.settle(ctx)
		Expect(len(audit.Followers)+len(audit.Apart)).To(Equal(1), "the other replica is forgotten: %v, %v", audit.Followers, audit.Apart)
		s.judge(ctx, audit)
	})
})

// prefer gives one server the rule prefer.
func prefer(c *failover.Config, name string) {
	for i := range c.Members {
		if c.Members[i].Name == name {
			c.Members[i].Rule = failover.Prefer
		}
	}
}

// waitsForReplicas says whether semi-synchronous replication is in force on a node.
func (s *scene) waitsForReplicas(ctx context.Context, name string) (bool, error) {
	n, err := s.Node(name)
	if err != nil {
		return false, err
	}
	state, err := n.Server.StatusVariable(ctx, n.Server.Dialect.SemiSync.StatusActive)
	return state == "ON", err
}
