package failover_test

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// A manager with a fault in it must be caught, or the specs above prove nothing.
var _ = Describe("the oracle", func() {
	if !isEmbedded() {
		return // there is nothing to plant a fault in
	}
	DescribeTable("catches a manager that", func(ctx SpecContext, plant func(*scene, *failover.Config), want check) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, func(c *failover.Config) { plant(s, c) })
		s.write(ctx)
		s.lag(ctx, "replica1")
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		Expect(s.load.Stop()).To(Succeed())
		Expect(s.objections(ctx, audit)).To(HaveKey(want))
	},
		Entry("promotes the wrong replica", promoteTheOther, checkLoss),
		Entry("leaves the new primary read-only", leaveReadOnly, checkReadOnly),
		Entry("leaves a replica writable", leaveWritable, checkReadOnly),
		Entry("forgets a replica", forgetOne, checkReplication),
	)

	It("catches a manager that has lost sight of a replica, which waits for the dead primary to come back", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		unseen := s.named("replica1")
		link, err := fault.LinkTo("manager", unseen.Sandbox.Endpoint())
		suitekit.NoFault(err)
		DeferCleanup(link.Close)
		s.manage(ctx, func(c *failover.Config) {
			at := slices.IndexFunc(c.Members, func(m failover.Member) bool { return m.Name == unseen.Name })
			c.Members[at].Endpoint, err = link.Through(c.Members[at].Endpoint)
			suitekit.NoFault(err)
		})
		s.write(ctx)
		s.breaks(ctx, fault.Cut{Link: link})
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		Expect(s.load.Stop()).To(Succeed())
		Expect(s.objections(ctx, audit)).To(HaveKey(checkReplication))
	})

	It("catches a manager that believes only itself", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, func(c *failover.Config) { c.Decide = believeNobody })
		s.write(ctx)
		cut := fault.Refuse{Node: s.Primary(), User: sandbox.User}
		s.breaks(ctx, cut)
		s.audited(ctx, "it does not fail over", func(a failover.Audit) bool { return acts(a) && a.Done })
		Expect(s.load.Stop()).To(Succeed())
		s.heals(ctx, cut)
		Expect(s.unlike(ctx, cluster{primary: s.Primary()})).To(HaveKey(checkReadOnly))
	})
})

func promoteTheOther(_ *scene, c *failover.Config) {
	c.Decide = func(state failover.State, policy failover.Policy) failover.Plan {
		plan := failover.Decide(state, policy)
		if plan.Action == failover.Promote && len(plan.Rewire) > 0 {
			plan.Promote, plan.Rewire[0] = plan.Rewire[0], plan.Promote
		}
		return plan
	}
}

// believeNobody takes a primary that the manager cannot reach for dead, whatever the replicas say.
func believeNobody(state failover.State, policy failover.Policy) failover.Plan {
	for i, o := range state.Servers {
		state.Servers[i].Links = slices.Clone(o.Links)
		for j := range o.Links {
			state.Servers[i].Links[j].Fetch = failover.Connecting
		}
	}
	return failover.Decide(state, policy)
}

func leaveReadOnly(s *scene, c *failover.Config) {
	c.Hooks.Promoted = func(ctx context.Context, a failover.Audit) error { return s.setReadOnly(ctx, a.Plan.Promote, true) }
}

func leaveWritable(s *scene, c *failover.Config) {
	c.Hooks.Finished = func(ctx context.Context, a failover.Audit) error { return s.setReadOnly(ctx, a.Plan.Rewire[0], false) }
}

func forgetOne(_ *scene, c *failover.Config) {
	c.Decide = func(state failover.State, policy failover.Policy) failover.Plan {
		plan := failover.Decide(state, policy)
		plan.Rewire = nil
		return plan
	}
}

func (s *scene) setReadOnly(ctx context.Context, name string, on bool) error {
	n, err := s.Node(name)
	if err != nil {
		return err
	}
	return n.Server.SetReadOnly(ctx, on)
}
