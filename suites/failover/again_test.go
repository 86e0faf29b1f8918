package failover_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("after a failover", func() {
	It("never has two primaries when the new one dies at once", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Shape: topology.MustShape("star:3")})
		s.manage(ctx, func(c *failover.Config) {
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
		s.audited(ctx, "no end of the recovery", func(a failover.Audit) bool { return a.Plan.Action == failover.Promote && a.Done })
		Consistently(ctx, s.writing).WithArguments(ctx).WithTimeout(quiet()).WithPolling(auditPoll).Should(Or(BeEmpty(), HaveLen(1)), "two servers take writes")
		Expect(s.load.Stop()).To(Succeed())
	})

	It("recovers a second time when the anti-flapping period is over", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Shape: topology.MustShape("star:3")})
		s.manage(ctx, func(c *failover.Config) { c.Policy.AntiFlapping = time.Second })
		s.write(ctx)
		s.killPrimary(ctx)
		first := s.recovered(ctx)
		s.awaitWrites(ctx, some)
		second := s.named(first.Plan.Promote)
		s.watchers.Wait() // until all follow
		s.breaks(ctx, fault.Kill{Node: second})
		audit := s.movedFrom(ctx, second)
		s.settle(ctx)
		c := s.after(audit)
		c.gone = append(c.gone, s.Primary().Name)
		s.expect(ctx, c)
	})

	It("has the old primary as a replica when it lacks nothing of the old one's", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, func(c *failover.Config) { c.Readmit = true })
		s.write(ctx)
		Expect(s.load.Stop()).To(Succeed())
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.heals(ctx, fault.Kill{Node: s.Primary()})
		Eventually(ctx, func() map[string]string { return s.sources(ctx) }).WithTimeout(fenceLimit).WithPolling(auditPoll).
			Should(HaveKeyWithValue("primary", audit.Plan.Promote), "the old primary does not follow")
		s.expect(ctx, cluster{primary: s.named(audit.Plan.Promote)})
	})

	It("keeps the old primary out that has what nobody else has, and says what", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, func(c *failover.Config) { c.Readmit = true })
		s.write(ctx)
		s.lag(ctx, "replica1")
		s.lag(ctx, "replica2")
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.settle(ctx)
		s.heals(ctx, fault.Kill{Node: s.Primary()})
		Eventually(ctx, s.Primary().Server.ReadOnly).WithTimeout(fenceLimit).WithPolling(statePoll).Should(BeTrue(), "the old primary takes writes again")
		s.audited(ctx, "nobody says what the old primary has", func(a failover.Audit) bool {
			return a.Plan.Problem == failover.ErrantServer && a.Plan.Dead == "primary" && a.Plan.Above == audit.Plan.Promote
		})
		s.expect(ctx, cluster{primary: s.named(audit.Plan.Promote), apart: []string{"primary"}})
	})
})
