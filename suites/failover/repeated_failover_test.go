package failover_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("after a failover", func() {
	It("the death of the new primary leaves at most one writable server", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Shape: topology.MustShape("star:3")})
		s.manage(ctx, func(c *embedded.Config) {
			c.Hooks.Promoted = func(ctx context.Context, a failover.Audit) error {
				n, err := s.Node(a.Plan.Promote)
				if err != nil {
					return err
				}
				return fault.Kill{Node: n}.Inject(ctx)
			}
		})
		s.write(ctx)
		s.killPrimary(ctx)
		s.waitForAudit(ctx, "no end of the recovery", func(a failover.Audit) bool { return a.Plan.Action == failover.Promote && a.Done })
		Consistently(ctx, s.writable).WithArguments(ctx).WithTimeout(underTest().DetectsWithin).WithPolling(auditPoll).Should(Or(BeEmpty(), HaveLen(1)), "two servers take writes")
		Expect(s.load.Stop()).To(Succeed())
	})

	It("a second failover succeeds once the anti-flapping period is over", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Shape: topology.MustShape("star:3")})
		s.manage(ctx, func(c *embedded.Config) {
			if underTest().PollsFast {
				c.Policy.AntiFlapping = time.Second
			}
		})
		s.write(ctx)
		s.killPrimary(ctx)
		first := s.waitForFailover(ctx)
		s.waitForWrites(ctx, some)
		second := s.named(first.Plan.Promote)
		s.watchers.Wait() // until all follow
		if o, ok := s.manager.(failover.Acknowledger); ok {
			// Its period begins with the recovery: one shorter than a recovery would allow two at once.
			suitekit.NoFault(o.Acknowledge(ctx))
		}
		s.inject(ctx, fault.Kill{Node: second})
		audit := s.waitForRecoveryFrom(ctx, second)
		s.finishWrites(ctx)
		c := s.clusterAfter(audit)
		c.gone = append(c.gone, s.Primary().Name)
		for _, one := range first.Excluded { // it did not answer in time, and its source is gone
			c.excluded = append(c.excluded, one.Name)
		}
		s.expectCluster(ctx, c)
	})

	It("an old primary without transactions of its own rejoins as a replica", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, func(c *embedded.Config) { c.Readmit = true })
		s.write(ctx)
		Expect(s.load.Stop()).To(Succeed())
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.heal(ctx, fault.Kill{Node: s.Primary()})
		Eventually(ctx, func() map[string]string { return s.sources(ctx) }).WithTimeout(fenceLimit).WithPolling(auditPoll).
			Should(HaveKeyWithValue("primary", audit.Plan.Promote), "the old primary does not follow")
		Eventually(ctx, s.check).WithArguments(ctx, cluster{primary: s.named(audit.Plan.Promote)}).WithTimeout(catchUpLimit).
			WithPolling(auditPoll).Should(BeEmpty())
	})

	for _, c := range []struct {
		what string
		seen bool
	}{{"that the manager has never seen", false}, {"that died before the primary", true}} {
		if !underTest().Fences {
			break // the old primary would go on with the replica as its own
		}
		It("a replica "+c.what+" follows the new primary, even when the old primary comes back first", Label(cell.LabelFull), func(ctx SpecContext) {
			s := deploy(ctx, topology.Options{GTID: true})
			away := fault.Kill{Node: s.named("replica2")}
			if !c.seen {
				s.inject(ctx, away)
			}
			s.manage(ctx, func(c *embedded.Config) { c.Readmit = true })
			s.write(ctx)
			if c.seen {
				s.inject(ctx, away)
			}
			Expect(s.load.Stop()).To(Succeed())
			at, _, err := s.Primary().Server.BinaryLogStatus(ctx)
			suitekit.NoFault(err)
			suitekit.NoFault(s.named("replica1").Server.WaitForCoordinates(ctx, at, ""))
			s.killPrimary(ctx)
			s.waitForFailover(ctx)
			follow := func(name string) {
				Eventually(ctx, func() map[string]string { return s.sources(ctx) }).WithTimeout(fenceLimit).WithPolling(auditPoll).
					Should(HaveKeyWithValue(name, "replica1"), "%s does not follow the new primary: %s", name, describe(s.manager.Audits()))
			}
			s.heal(ctx, fault.Kill{Node: s.Primary()})
			follow("primary")
			s.heal(ctx, away)
			follow("replica2")
			Eventually(ctx, s.check).WithArguments(ctx, cluster{primary: s.named("replica1")}).WithTimeout(catchUpLimit).
				WithPolling(auditPoll).Should(BeEmpty())
		})
	}

	It("an old primary with transactions of its own is kept read-only and reported", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		cut := s.lagging(ctx, "replica1", "replica2")
		s.manage(ctx, func(c *embedded.Config) { c.Readmit = true })
		s.write(ctx)
		cut()
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.heal(ctx, fault.Kill{Node: s.Primary()})
		Eventually(ctx, s.Primary().Server.ReadOnly).WithTimeout(fenceLimit).WithPolling(statePoll).Should(BeTrue(), "the old primary takes writes again")
		s.waitForAudit(ctx, "no report of what the old primary has", func(a failover.Audit) bool {
			return a.Plan.Problem == failover.ErrantServer && a.Plan.Dead == "primary" && a.Plan.Source == audit.Plan.Promote
		})
		s.expectCluster(ctx, cluster{primary: s.named(audit.Plan.Promote), excluded: []string{"primary"}})
	})
})
