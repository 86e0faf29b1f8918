package failover_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// quiet is how long a manager is watched that is to do nothing: longer than it takes to detect a death.
func quiet() time.Duration {
	if isEmbedded() {
		return 2 * time.Second
	}
	return 6 * time.Second
}

// named is a node by name.
func (s *scene) named(name string) *topology.Node {
	GinkgoHelper()
	n, err := s.Node(name)
	suitekit.NoFault(err)
	return n
}

// acts says whether an audit is of something that was done to the cluster.
func acts(a failover.Audit) bool {
	return a.Plan.Action == failover.Promote || a.Plan.Action == failover.Relocate
}

// unmoved holds that the manager changes nothing.
func (s *scene) unmoved(ctx context.Context) {
	GinkgoHelper()
	Consistently(ctx, func() bool { return slices.ContainsFunc(s.manager.Audits(), acts) }).WithTimeout(quiet()).WithPolling(auditPoll).
		Should(BeFalse(), func() string { return "the manager moves what it must leave alone: " + describe(s.manager.Audits()) })
}

// reported waits until the manager has reported one of the problems.
func (s *scene) reported(ctx context.Context, problems ...failover.Problem) failover.Audit {
	GinkgoHelper()
	return s.audited(ctx, "no report of any of the problems", func(a failover.Audit) bool {
		return a.Plan.Action != failover.Promote && slices.Contains(problems, a.Plan.Problem)
	})
}

// movedFrom waits for the end of a recovery from the death of a server.
func (s *scene) movedFrom(ctx context.Context, n *topology.Node) failover.Audit {
	GinkgoHelper()
	audit := s.audited(ctx, "no recovery from the death of "+n.Name, func(a failover.Audit) bool {
		return acts(a) && a.Done && a.Plan.Dead == n.Name
	})
	Expect(audit.Error).To(BeEmpty(), "the recovery has failed")
	return audit
}

func (s *scene) audited(ctx context.Context, otherwise string, is func(failover.Audit) bool) (found failover.Audit) {
	GinkgoHelper()
	Eventually(ctx, func() bool {
		for _, a := range s.manager.Audits() {
			if is(a) {
				found = a
				return true
			}
		}
		return false
	}).WithTimeout(recoveryLimit).WithPolling(auditPoll).Should(BeTrue(), func() string {
		return otherwise + "; the manager's audits: " + describe(s.manager.Audits())
	})
	return found
}

// breaks injects a fault.
func (s *scene) breaks(ctx context.Context, f fault.Fault) {
	GinkgoHelper()
	suitekit.NoFault(f.Inject(ctx))
}

// heals mends a fault.
func (s *scene) heals(ctx context.Context, f fault.Fault) {
	GinkgoHelper()
	suitekit.NoFault(f.Heal(ctx))
}

// fetching waits until the replicas are connected to their sources again.
func (s *scene) fetching(ctx context.Context) {
	GinkgoHelper()
	for _, n := range s.Replicas() {
		var last []server.ReplicaStatus
		Eventually(ctx, func() (healthy bool, err error) {
			last, err = n.Server.ReplicaStatus(ctx)
			return err == nil && len(last) == 1 && last[0].Healthy(), err
		}).WithTimeout(recoveryLimit).WithPolling(statePoll).Should(BeTrue(), func() string { return fmt.Sprintf("%s does not replicate again: %v", n.Name, last) })
	}
}

// writing says how many live servers take writes.
func (s *scene) writing(ctx context.Context) (names []string) {
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
func (s *scene) sources(ctx context.Context) map[string]string {
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

// point makes a replica fetch from its source at another address.
func (s *scene) point(ctx context.Context, n *topology.Node, endpoint server.Endpoint) {
	GinkgoHelper()
	suitekit.NoFault(n.Server.StopReplica(ctx, ""))
	suitekit.NoFault(n.Server.PointTo(ctx, server.Source{Endpoint: endpoint, GTID: s.GTID, Heartbeat: time.Second}))
	suitekit.NoFault(n.Server.StartReplica(ctx, ""))
	Eventually(ctx, func() (bool, error) {
		statuses, err := n.Server.ReplicaStatus(ctx)
		return len(statuses) == 1 && statuses[0].Healthy(), err
	}).WithTimeout(catchUpLimit).WithPolling(auditPoll).Should(BeTrue(), "%s does not replicate through the link", n.Name)
}

func describeOne(a failover.Audit) string { return describe([]failover.Audit{a}) }
