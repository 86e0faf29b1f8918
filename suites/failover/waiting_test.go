package failover_test

import (
	"context"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// acts says whether an audit is of something that was done to the cluster.
func acts(a failover.Audit) bool {
	return a.Plan.Action == failover.Promote || a.Plan.Action == failover.Relocate
}

// expectNoRecovery holds that the manager changes nothing.
func (s *fixture) expectNoRecovery(ctx context.Context) {
	GinkgoHelper()
	Consistently(ctx, func() bool { return slices.ContainsFunc(s.manager.Audits(), acts) }).WithTimeout(underTest().DetectsWithin).WithPolling(auditPoll).
		Should(BeFalse(), func() string { return "the manager moves what it must leave alone: " + describe(s.manager.Audits()) })
}

// waitForReport waits until the manager has reported one of the problems.
func (s *fixture) waitForReport(ctx context.Context, problems ...failover.Problem) failover.Audit {
	GinkgoHelper()
	return s.waitForAudit(ctx, "no report of any of the problems", func(a failover.Audit) bool {
		return a.Plan.Action != failover.Promote && slices.Contains(problems, a.Plan.Problem)
	})
}

// waitForRecoveryFrom waits for the end of a recovery from the death of a server.
func (s *fixture) waitForRecoveryFrom(ctx context.Context, n *topology.Node) failover.Audit {
	GinkgoHelper()
	audit := s.waitForAudit(ctx, "no recovery from the death of "+n.Name, func(a failover.Audit) bool {
		return acts(a) && a.Done && a.Plan.Dead == n.Name
	})
	Expect(audit.Error).To(BeEmpty(), "the recovery has failed")
	return audit
}

func (s *fixture) waitForAudit(ctx context.Context, otherwise string, is func(failover.Audit) bool) (found failover.Audit) {
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

// inject injects a fault.
func (s *fixture) inject(ctx context.Context, f fault.Fault) {
	GinkgoHelper()
	suitekit.NoFault(f.Inject(ctx))
}

// heal heals a fault.
func (s *fixture) heal(ctx context.Context, f fault.Fault) {
	GinkgoHelper()
	suitekit.NoFault(f.Heal(ctx))
}

// waitForReceivers waits until the replicas are connected to their sources again.
func (s *fixture) waitForReceivers(ctx context.Context) {
	GinkgoHelper()
	for _, n := range s.Replicas() {
		var last []server.ReplicaStatus
		Eventually(ctx, func() (healthy bool, err error) {
			last, err = n.Server.ReplicaStatus(ctx)
			return err == nil && len(last) == 1 && last[0].Healthy(), err
		}).WithTimeout(recoveryLimit).WithPolling(statePoll).Should(BeTrue(), func() string { return fmt.Sprintf("%s does not replicate again: %v", n.Name, last) })
	}
}

func describeOne(a failover.Audit) string { return describe([]failover.Audit{a}) }
