package failover_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// named is a node by name.
func (s *fixture) named(name string) *topology.Node {
	GinkgoHelper()
	n, err := s.Node(name)
	suitekit.NoFault(err)
	return n
}

// writable says how many live servers take writes.
func (s *fixture) writable(ctx context.Context) (names []string) {
	GinkgoHelper()
	for _, n := range s.Nodes {
		if !n.Sandbox.Running() {
			continue
		}
		on, err := n.Server.ReadOnly(ctx)
		suitekit.NoFault(err)
		if !on {
			names = append(names, n.Name)
		}
	}
	return names
}

// sources are the names of the servers that the live replicas replicate from; "" for one that is dead or
// unknown.
func (s *fixture) sources(ctx context.Context) map[string]string {
	GinkgoHelper()
	found := map[string]string{}
	for _, n := range s.Nodes {
		if !n.Sandbox.Running() {
			continue
		}
		statuses, err := n.Server.ReplicaStatus(ctx)
		suitekit.NoFault(err)
		for _, status := range statuses {
			found[n.Name] = ""
			for _, source := range s.Nodes {
				if source.Sandbox.Port() == status.SourcePort {
					found[n.Name] = source.Name
				}
			}
		}
	}
	return found
}

// replicateThroughLink has a replica reach the primary by a link of its own.
func (s *fixture) replicateThroughLink(ctx context.Context, name string) *fault.Link {
	GinkgoHelper()
	link := s.link(name)
	through, err := link.Through(s.Primary().Sandbox.ReplicationEndpoint())
	suitekit.NoFault(err)
	s.point(ctx, s.named(name), through)
	return link
}

// lagging prepares replicas to receive nothing any more when the function that it returns is called. By a cut link they
// lose the primary, which is no act of an operator: a receiver that was stopped by hand says nothing of it.
func (s *fixture) lagging(ctx context.Context, replicas ...string) (cut func()) {
	GinkgoHelper()
	if !underTest().OwnAddresses {
		return func() {
			for _, name := range replicas {
				s.stopReceiving(ctx, name)
			}
		}
	}
	var links []*fault.Link
	for _, name := range replicas {
		links = append(links, s.replicateThroughLink(ctx, name))
	}
	return func() {
		for _, link := range links {
			s.inject(ctx, fault.Cut{Link: link})
			s.waitForWrites(ctx, some)
		}
	}
}

// point makes a replica fetch from its source at another address.
func (s *fixture) point(ctx context.Context, n *topology.Node, endpoint server.Endpoint) {
	GinkgoHelper()
	suitekit.NoFault(n.Server.StopReplica(ctx, ""))
	suitekit.NoFault(n.Server.PointTo(ctx, server.Source{Endpoint: endpoint, GTID: s.GTID, Heartbeat: time.Second}))
	suitekit.NoFault(n.Server.StartReplica(ctx, ""))
	Eventually(ctx, func() (bool, error) {
		statuses, err := n.Server.ReplicaStatus(ctx)
		return len(statuses) == 1 && statuses[0].Healthy(), err
	}).WithTimeout(catchUpLimit).WithPolling(auditPoll).Should(BeTrue(), "%s does not replicate through the link", n.Name)
}
