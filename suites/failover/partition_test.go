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
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// lateAnswer is longer each way than the embedded manager waits.
const lateAnswer = 400 * time.Millisecond

var _ = Describe("a primary behind a network fault", func() {
	It("that the manager alone cannot reach is not replaced", inPRTier(fastManagers), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		cut := fault.Refuse{Node: s.Primary(), User: sandbox.User}
		s.inject(ctx, cut)
		s.waitForReport(ctx, failover.UnreachablePrimary)
		s.expectNoRecovery(ctx)
		s.heal(ctx, cut)
		s.finishWrites(ctx)
		s.expectCluster(ctx, cluster{primary: s.Primary()})
	})

	It("that loses the manager's packets is not replaced", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		if !underTest().OwnAddresses {
			suitekit.Unsupported("orchestrator reaches a server by the address that its replicas name: one link cannot be cut without the other")
		}
		s := deploy(ctx, topology.Options{GTID: true})
		link := s.manageThroughLink(ctx)
		s.write(ctx)
		drop := fault.Drop{Link: link, Direction: fault.BothWays}
		s.inject(ctx, drop)
		s.waitForReport(ctx, failover.UnreachablePrimary)
		s.expectNoRecovery(ctx)
		s.heal(ctx, drop)
		s.finishWrites(ctx)
		s.expectCluster(ctx, cluster{primary: s.Primary()})
	})

	It("that answers the manager late is not replaced", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		if !underTest().OwnAddresses {
			suitekit.Unsupported("orchestrator reaches a server by the address that its replicas name: one link cannot be slowed without the other")
		}
		s := deploy(ctx, topology.Options{GTID: true})
		link := s.manageThroughLink(ctx)
		s.write(ctx)
		slow := fault.Slow{Link: link, Direction: fault.BothWays, Delay: lateAnswer}
		s.inject(ctx, slow)
		s.waitForReport(ctx, failover.UnreachablePrimary) // it is longer than the manager waits
		s.expectNoRecovery(ctx)
		s.heal(ctx, slow)
		s.finishWrites(ctx)
		s.expectCluster(ctx, cluster{primary: s.Primary()})
	})

	It("that the manager alone can reach is reported and not replaced", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		link := s.link("application")
		var err error
		s.target, err = link.Through(s.target)
		suitekit.NoFault(err)
		s.write(ctx)
		cuts := []fault.Fault{fault.Refuse{Node: s.Primary(), User: sandbox.ReplicaUser}, fault.Cut{Link: link}}
		for _, cut := range cuts {
			s.inject(ctx, cut)
		}
		s.waitForReport(ctx, failover.ReplicasNotReplicating)
		s.expectNoRecovery(ctx)
		for _, cut := range cuts {
			s.heal(ctx, cut)
		}
		s.waitForReceivers(ctx) // a replica tries again within a second
		s.finishWrites(ctx)
		s.expectCluster(ctx, cluster{primary: s.Primary()})
	})

	It("that loses all packets is replaced, and is read-only when they arrive again", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		link := s.link("primary")
		through, err := link.Through(s.Primary().Sandbox.ReplicationEndpoint())
		suitekit.NoFault(err)
		for _, n := range s.Replicas() {
			s.point(ctx, n, through)
		}
		s.manage(ctx, func(c *embedded.Config) {
			c.Members[0].Replication = through
			c.Members[0].Endpoint, err = link.Through(c.Members[0].Endpoint)
			suitekit.NoFault(err)
		})
		s.target, err = link.Through(s.target)
		suitekit.NoFault(err)
		s.write(ctx)
		drop := fault.Drop{Link: link, Direction: fault.BothWays}
		s.injectAtRandom(ctx, drop)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.measure(audit)
		s.heal(ctx, drop)
		Eventually(ctx, s.Primary().Server.ReadOnly).WithTimeout(fenceLimit).WithPolling(statePoll).Should(BeTrue(), "the old primary takes writes again")
		s.waitForReport(ctx, failover.ErrantServer)
		s.expectAfterFailover(ctx, audit)
	})

	It("with receivers stopped by an operator, is not replaced", inPRTier(fastManagers), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		heal := s.loseWitnesses(ctx)
		s.expectNoRecovery(ctx)
		suitekit.NoFault(heal(ctx))
		Expect(s.writable(ctx)).To(Equal([]string{"primary"}))
		Expect(s.load.Stop()).To(Succeed())
	})
})

// loseWitnesses stops the receivers of all replicas, as for a backup, and then cuts the manager off from the primary.
func (s *fixture) loseWitnesses(ctx SpecContext) (heal func(context.Context) error) {
	GinkgoHelper()
	for _, n := range s.Replicas() {
		s.inject(ctx, fault.StopThread{Node: n, Thread: fault.IOThread})
	}
	cut := fault.Refuse{Node: s.Primary(), User: sandbox.User}
	s.inject(ctx, cut)
	return cut.Heal
}

// manageThroughLink starts the manager, which reaches the primary by a link of its own.
func (s *fixture) manageThroughLink(ctx SpecContext) *fault.Link {
	GinkgoHelper()
	link := s.link("manager")
	s.manage(ctx, func(c *embedded.Config) {
		var err error
		c.Members[0].Endpoint, err = link.Through(c.Members[0].Endpoint)
		suitekit.NoFault(err)
	})
	return link
}

// link is a way to the primary that can be cut.
func (s *fixture) link(name string) *fault.Link {
	GinkgoHelper()
	link, err := fault.LinkTo(name, s.Primary().Sandbox.Endpoint())
	suitekit.NoFault(err)
	DeferCleanup(link.Close)
	return link
}
