package failover_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// lateAnswer is longer each way than the embedded manager waits.
const lateAnswer = 400 * time.Millisecond

var _ = Describe("a primary that somebody cannot reach", func() {
	It("is left alone when only the manager is cut off", quick(embedded), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		cut := fault.Refuse{Node: s.Primary(), User: sandbox.User}
		s.breaks(ctx, cut)
		s.reported(ctx, failover.UnreachablePrimary)
		s.unmoved(ctx)
		s.heals(ctx, cut)
		s.settle(ctx)
		s.expect(ctx, cluster{primary: s.Primary()})
	})

	It("is left alone when the manager's packets vanish", quick(), Label(cell.LabelWaiting), func(ctx SpecContext) {
		if !isEmbedded() {
			suitekit.Unsupported("orchestrator reaches a server by the address that its replicas name: one link cannot be cut without the other")
		}
		s := deploy(ctx, topology.Options{GTID: true})
		link := s.manageThroughLink(ctx)
		s.write(ctx)
		drop := fault.Drop{Link: link, Direction: fault.BothWays}
		s.breaks(ctx, drop)
		s.reported(ctx, failover.UnreachablePrimary)
		s.unmoved(ctx)
		s.heals(ctx, drop)
		s.settle(ctx)
		s.expect(ctx, cluster{primary: s.Primary()})
	})

	It("is left alone when it answers the manager late", quick(), Label(cell.LabelWaiting), func(ctx SpecContext) {
		if !isEmbedded() {
			suitekit.Unsupported("orchestrator reaches a server by the address that its replicas name: one link cannot be slowed without the other")
		}
		s := deploy(ctx, topology.Options{GTID: true})
		link := s.manageThroughLink(ctx)
		s.write(ctx)
		slow := fault.Slow{Link: link, Direction: fault.BothWays, Delay: lateAnswer}
		s.breaks(ctx, slow)
		s.reported(ctx, failover.UnreachablePrimary) // it is longer than the manager waits
		s.unmoved(ctx)
		s.heals(ctx, slow)
		s.settle(ctx)
		s.expect(ctx, cluster{primary: s.Primary()})
	})

	It("is left alone and reported when only the manager reaches it", quick(), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		link := s.link("application")
		var err error
		s.target, err = link.Through(s.target)
		suitekit.NoFault(err)
		s.write(ctx)
		cuts := []fault.Fault{fault.Refuse{Node: s.Primary(), User: sandbox.ReplicaUser}, fault.Cut{Link: link}}
		for _, cut := range cuts {
			s.breaks(ctx, cut)
		}
		s.reported(ctx, failover.ReplicasNotReplicating)
		s.unmoved(ctx)
		for _, cut := range cuts {
			s.heals(ctx, cut)
		}
		s.fetching(ctx) // a replica tries again within a second
		s.settle(ctx)
		s.expect(ctx, cluster{primary: s.Primary()})
	})

	It("is replaced when everybody's packets vanish, and takes no writes when they come again", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		link := s.link("primary")
		through, err := link.Through(s.Primary().Sandbox.ReplicationEndpoint())
		suitekit.NoFault(err)
		for _, n := range s.Replicas() {
			s.point(ctx, n, through)
		}
		s.manage(ctx, func(c *failover.Config) {
			c.Members[0].Replication = through
			c.Members[0].Endpoint, err = link.Through(c.Members[0].Endpoint)
			suitekit.NoFault(err)
		})
		s.target, err = link.Through(s.target)
		suitekit.NoFault(err)
		s.write(ctx)
		drop := fault.Drop{Link: link, Direction: fault.BothWays}
		s.inject(ctx, drop)
		audit := s.recovered(ctx)
		s.settle(ctx)
		s.measure(audit)
		s.heals(ctx, drop)
		Eventually(ctx, s.Primary().Server.ReadOnly).WithTimeout(fenceLimit).WithPolling(statePoll).Should(BeTrue(), "the old primary takes writes again")
		s.reported(ctx, failover.ErrantServer)
		s.judge(ctx, audit)
	})
})

// manageThroughLink starts the manager, which reaches the primary by a link of its own.
func (s *scene) manageThroughLink(ctx SpecContext) *fault.Link {
	GinkgoHelper()
	link := s.link("manager")
	s.manage(ctx, func(c *failover.Config) {
		var err error
		c.Members[0].Endpoint, err = link.Through(c.Members[0].Endpoint)
		suitekit.NoFault(err)
	})
	return link
}

// link is a way to the primary that can be cut.
func (s *scene) link(name string) *fault.Link {
	GinkgoHelper()
	link, err := fault.LinkTo(name, s.Primary().Sandbox.Endpoint())
	suitekit.NoFault(err)
	DeferCleanup(link.Close)
	return link
}
