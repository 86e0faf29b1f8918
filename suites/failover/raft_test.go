package failover_test

import (
	"context"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// raftFlapping is for how long a recovery that a leader has begun keeps the next leader from its own. When it is
// shorter than a recovery takes, orchestrator begins a second one beside the first.
const raftFlapping = 20 * time.Second

var _ = Describe("three managers that agree by raft", func() {
	if isEmbedded() {
		return // it is one
	}

	It("recover though the leader dies in the middle of it", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		var raft *failover.Raft
		var once sync.Once
		raft = s.manageByRaft(ctx, func(c *failover.OrchestratorConfig) {
			c.Hooks.Detected = func(ctx context.Context, _ failover.Audit) error {
				s.noteFetched(ctx)
				var err error
				once.Do(func() { err = raft.Kill(raft.Leader(ctx)) })
				return err
			}
		})
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.settle(ctx)
		s.measure(audit)
		s.judge(ctx, audit)
	})

	It("do nothing when two of them are gone", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		raft := s.manageByRaft(ctx, nil)
		s.write(ctx)
		leader := raft.Leader(ctx)
		suitekit.NoFault(raft.Kill(leader))
		suitekit.NoFault(raft.Kill((leader + 1) % 3))
		s.killPrimary(ctx)
		Consistently(ctx, s.writing).WithArguments(ctx).WithTimeout(2*quiet()).WithPolling(auditPoll).
			Should(BeEmpty(), "a minority promotes")
		Expect(s.load.Stop()).To(Succeed())
	})

	It("take back one that has lost its data", quick(), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		raft := s.manageByRaft(ctx, nil)
		s.write(ctx)
		follower := (raft.Leader(ctx) + 1) % 3
		suitekit.NoFault(raft.Lose(ctx, follower))
		suitekit.NoFault(raft.Return(ctx, follower))
		Eventually(ctx, func() (int, error) { return raft.Knows(ctx, follower) }).WithTimeout(recoveryLimit).WithPolling(auditPoll).
			Should(Equal(len(s.Nodes)), "it does not learn of the servers")
		s.killPrimary(ctx)
		audit := s.recovered(ctx)
		s.settle(ctx)
		s.judge(ctx, audit)
	})
})

// manageByRaft starts three orchestrators.
func (s *scene) manageByRaft(ctx context.Context, change func(*failover.OrchestratorConfig)) *failover.Raft {
	GinkgoHelper()
	c := failover.Config{Policy: failover.Policy{AntiFlapping: raftFlapping}, Members: s.members()}
	c.Hooks.Promoted = s.redirect
	config := s.orchestratorConfig(c)
	if change != nil {
		change(&config)
	}
	raft, err := failover.NewRaft(config)
	suitekit.NoFault(err)
	for _, path := range raft.LogPaths() {
		suitekit.Attach(path)
	}
	s.start(ctx, raft)
	return raft
}
