package failover_test

import (
	"context"
	"errors"
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
		s.rotateAndPurge(ctx, "primary")
		suitekit.NoFault(s.named("replica1").Server.StartIOThread(ctx, ""))
	}, failover.BrokenReplica, "replica1"},
	{"a replica with an errant transaction", func(s *fixture, ctx context.Context) {
		suitekit.NoFault(s.named("replica1").Server.Exec(ctx, "CREATE DATABASE errant"))
	}, failover.ErrantServer, "replica1"},
	{"a replica whose applier was stopped", func(s *fixture, ctx context.Context) {
		s.inject(ctx, fault.StopThread{Node: s.named("replica1"), Thread: fault.SQLThread})
	}, failover.StoppedReplica, "replica1"},
	{"a replica with the default network time-out", func(s *fixture, ctx context.Context) {
		n := s.named("replica1").Server
		suitekit.NoFault(n.Exec(ctx, "SET GLOBAL "+n.Dialect.ReplicaNetTime+" = 60"))
	}, failover.SlowToNotice, "replica1"},
	{"a replica that takes writes", func(s *fixture, ctx context.Context) {
		suitekit.NoFault(s.named("replica1").Server.SetReadOnly(ctx, false))
	}, failover.ErrantServer, "replica1"},
	{"a replica that runs events of its own", func(s *fixture, ctx context.Context) {
		suitekit.NoFault(s.named("replica1").Server.Unlogged(ctx, "SET GLOBAL event_scheduler = ON", "CREATE EVENT "+table.Database+".tick ON SCHEDULE EVERY 1 DAY DO SET @a = 1"))
	}, failover.MisplacedEvents, "replica1"},
	{"a primary whose writes wait for a lock of all tables", func(s *fixture, ctx context.Context) {
		suitekit.NoFault(s.Primary().Server.Exec(ctx, "CREATE TABLE "+aside.String()+" (id BIGINT PRIMARY KEY)"))
		lock := &fault.GlobalLock{Node: s.Primary()}
		s.inject(ctx, lock)
		written := make(chan error, 1) // by a client that has no limit: MariaDB ends a statement whose client is gone
		go func() {
			written <- s.Primary().Server.Exec(context.WithoutCancel(ctx), "INSERT INTO "+aside.String()+" VALUES (1)")
		}()
		DeferCleanup(func(ctx context.Context) error { return errors.Join(lock.Heal(ctx), <-written) })
	}, failover.StalledWrites, "primary"},
	{"a primary that is read-only", func(s *fixture, ctx context.Context) {
		Expect(s.load.Stop()).To(Succeed())
		suitekit.NoFault(s.Primary().Server.SetReadOnly(ctx, true))
	}, failover.ReadOnlyPrimary, "primary"},
}

var _ = Describe("while every server answers, the manager reports", func() {
	if !underTest().ReportsLiveFaults {
		return
	}
	for _, c := range liveFaults {
		It(c.what, Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
			s := deploy(ctx, topology.Options{GTID: true})
			s.expectReport(ctx, c)
		})
	}

	It("a primary whose disk is full", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s := deploy(ctx, onSmallDisk(ctx))
		full := fault.FullDisk{Node: s.Primary()}
		s.expectReport(ctx, liveFault{inject: func(s *fixture, ctx context.Context) {
			s.inject(ctx, full)
			DeferCleanup(full.Heal)
		}, problem: failover.StalledWrites, server: "primary"})
	})

	It("events that run nowhere after a failover", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, Server: []string{"event_scheduler=ON"}})
		suitekit.NoFault(s.Primary().Server.Exec(ctx, "CREATE EVENT "+table.Database+".tick ON SCHEDULE EVERY 1 SECOND DO SET @a = 1"))
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		s.manage(ctx, nil)
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.waitForAudit(ctx, "no report of the events", func(a failover.Audit) bool {
			return a.Plan.Problem == failover.MisplacedEvents && a.Plan.Dead == audit.Plan.Promote
		})
		s.finishWrites(ctx)
		s.expectAfterFailover(ctx, audit)
	})

	It("a primary that has lost the end of its binary log", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		suitekit.NoFault(s.Primary().Server.Exec(ctx, "CREATE TABLE "+aside.String()+" (id BIGINT PRIMARY KEY)"))
		lost := &fault.DataReverted{Node: s.Primary()}
		suitekit.NoFault(lost.Snapshot(ctx))
		s.waitForReceivers(ctx)
		suitekit.NoFault(s.Primary().Server.Exec(ctx, "INSERT INTO "+aside.String()+" VALUES (1)"))
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		s.inject(ctx, lost)
		s.manage(ctx, nil)
		s.waitForAudit(ctx, "no report of the primary", func(a failover.Audit) bool {
			return a.Plan.Problem == failover.LostBinlogEnd && a.Plan.Dead == "primary"
		})
		Expect(s.manager.Audits()).NotTo(ContainElement(Satisfy(acts)))
	})

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

// expectReport injects a fault of servers that answer, and wants it reported and nobody promoted.
func (s *fixture) expectReport(ctx context.Context, c liveFault) {
	GinkgoHelper()
	s.manage(ctx, nil)
	s.write(ctx)
	c.inject(s, ctx)
	s.waitForAudit(ctx, "no report", func(a failover.Audit) bool { return a.Plan.Problem == c.problem && a.Plan.Dead == c.server })
	s.expectNoRecovery(ctx)
}

// manageRestartably starts the manager; the function that it returns stops it and starts another one in its place.
func (s *fixture) manageRestartably(ctx context.Context) (restart func(context.Context)) {
	GinkgoHelper()
	return s.manageRestartablyWith(ctx, nil)
}

// manageRestartablyWith is manageRestartably with other settings.
func (s *fixture) manageRestartablyWith(ctx context.Context, change func(*embedded.Config)) (restart func(context.Context)) {
	GinkgoHelper()
	var config embedded.Config
	stateFile := s.stateFile()
	s.manage(ctx, func(c *embedded.Config) {
		if change != nil {
			change(c)
		}
		c.StateFile = stateFile
		config = *c
	})
	return func(ctx context.Context) {
		GinkgoHelper()
		suitekit.NoFault(s.manager.Stop(ctx))
		s.manager = underTest().make(s, config)
		suitekit.NoFault(s.manager.Start(ctx))
	}
}

// stateFile is where the embedded manager keeps what it must know when it is started again.
func (s *fixture) stateFile() string { return filepath.Join(s.Dir, "failover-state.json") }
