package failover_test

import (
	"context"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// liveFault is one of a cluster whose servers all answer.
type liveFault struct {
	what    string
	inject  func(*fixture, context.Context)
	problem failover.Problem
	server  string // that the report is about
}

var liveFaults = []liveFault{
	{"a replica whose source has purged what it needs", func(s *fixture, ctx context.Context) {
		s.stopReceiving(ctx, "replica1")
		primary := s.Primary().Server
		suitekit.NoFault(primary.Exec(ctx, "FLUSH BINARY LOGS"))
		at, _, err := primary.BinaryLogStatus(ctx)
		suitekit.NoFault(err)
		suitekit.NoFault(primary.Exec(ctx, "PURGE BINARY LOGS TO '"+at.File+"'"))
		suitekit.NoFault(s.named("replica1").Server.StartIOThread(ctx, ""))
	}, failover.BrokenReplica, "replica1"},
	{"a replica with an errant transaction", func(s *fixture, ctx context.Context) {
		suitekit.NoFault(s.named("replica1").Server.Exec(ctx, "CREATE DATABASE errant"))
	}, failover.ErrantServer, "replica1"},
	{"a replica whose applier was stopped", func(s *fixture, ctx context.Context) {
		s.inject(ctx, fault.StopThread{Node: s.named("replica1"), Thread: fault.SQLThread})
	}, failover.StoppedReplica, "replica1"},
	{"a primary that is read-only", func(s *fixture, ctx context.Context) {
		Expect(s.load.Stop()).To(Succeed())
		suitekit.NoFault(s.Primary().Server.SetReadOnly(ctx, true))
	}, failover.ReadOnlyPrimary, "primary"},
}

var _ = Describe("while every server answers, the manager reports", func() {
	if !underTest().PollsFast {
		return // not watched with orchestrator yet
	}
	for _, c := range liveFaults {
		It(c.what, Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
			s := deploy(ctx, topology.Options{GTID: true})
			s.manage(ctx, nil)
			s.write(ctx)
			c.inject(s, ctx)
			s.waitForAudit(ctx, "no report", func(a failover.Audit) bool { return a.Plan.Problem == c.problem && a.Plan.Dead == c.server })
			s.expectNoRecovery(ctx)
		})
	}

	It("an old primary that comes back writable, also after its restart", inPRTier(fastManagers), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		restart := s.manageRestartably(ctx)
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		restart(ctx)
		s.heal(ctx, fault.Kill{Node: s.Primary()})
		s.waitForAudit(ctx, "no report of the old primary", func(a failover.Audit) bool {
			return a.Plan.Problem == failover.ErrantServer && a.Plan.Dead == "primary"
		})
		Eventually(ctx, s.writable).WithArguments(ctx).WithTimeout(fenceLimit).WithPolling(auditPoll).
			Should(Equal([]string{audit.Plan.Promote}), "two servers take writes")
	})
})

// manageRestartably starts the manager; the function that it returns stops it and starts another one in its place.
func (s *fixture) manageRestartably(ctx context.Context) (restart func(context.Context)) {
	GinkgoHelper()
	var config embedded.Config
	stateFile := s.stateFile()
	s.manage(ctx, func(c *embedded.Config) { c.StateFile = stateFile; config = *c })
	return func(ctx context.Context) {
		GinkgoHelper()
		suitekit.NoFault(s.manager.Stop(ctx))
		s.manager = underTest().make(s, config)
		suitekit.NoFault(s.manager.Start(ctx))
	}
}

// stateFile is where the embedded manager keeps what it must know when it is started again.
func (s *fixture) stateFile() string { return filepath.Join(s.Dir, "failover-state.json") }
