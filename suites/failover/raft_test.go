package failover_test

import (
	"context"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/failover/orchestrator"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// raftFlapping is for how long a recovery that a leader has begun keeps the next leader from its own. When it is
// shorter than a recovery takes, orchestrator begins a second one beside the first.
const raftFlapping = 20 * time.Second

var _ = Describe("three managers in a raft cluster", func() {
	if !underTest().FormsRaft {
		return // it is one
	}

	It("complete a failover whose leader dies during it", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		var raft *orchestrator.Raft
		var once sync.Once
		raft = s.manageByRaft(ctx, func(c *orchestrator.Config) {
			c.Hooks.Detected = func(ctx context.Context, _ failover.Audit) error {
				s.noteReceived(ctx)
				var err error
				once.Do(func() { err = raft.Kill(raft.Leader(ctx)) })
				return err
			}
		})
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.measure(audit)
		s.expectAfterFailover(ctx, audit)
	})

	It("do nothing without a majority", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		raft := s.manageByRaft(ctx, nil)
		s.write(ctx)
		leader := raft.Leader(ctx)
		suitekit.NoFault(raft.Kill(leader))
		suitekit.NoFault(raft.Kill((leader + 1) % 3))
		s.killPrimary(ctx)
		Consistently(ctx, s.writable).WithArguments(ctx).WithTimeout(2*underTest().DetectsWithin).WithPolling(auditPoll).
			Should(BeEmpty(), "a minority promotes")
		Expect(s.load.Stop()).To(Succeed())
	})

	It("accept a node back that lost its data", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		raft := s.manageByRaft(ctx, nil)
		s.write(ctx)
		follower := (raft.Leader(ctx) + 1) % 3
		suitekit.NoFault(raft.WipeData(ctx, follower))
		suitekit.NoFault(raft.Rejoin(ctx, follower))
		Eventually(ctx, func() (int, error) { return raft.SnapshotIndex(ctx, follower) }).WithTimeout(recoveryLimit).WithPolling(auditPoll).
			Should(Equal(len(s.Nodes)), "it does not learn of the servers")
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.expectAfterFailover(ctx, audit)
	})
})

// manageByRaft starts three orchestrators.
func (s *fixture) manageByRaft(ctx context.Context, change func(*orchestrator.Config)) *orchestrator.Raft {
	GinkgoHelper()
	c := embedded.Config{Policy: embedded.Policy{AntiFlapping: raftFlapping}, Members: s.members()}
	c.Hooks.Promoted = s.redirect
	config := s.orchestratorConfig(c)
	if change != nil {
		change(&config)
	}
	raft, err := orchestrator.NewRaft(config)
	suitekit.NoFault(err)
	for _, path := range raft.LogPaths() {
		suitekit.Attach(path)
	}
	s.start(ctx, raft)
	return raft
}
