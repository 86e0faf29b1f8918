package failover_test

import (
	"context"
	"errors"
	"fmt"
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
	"mysqlmatrix/harness/workload"
)

// longDelay is a delay that no failover can wait for.
const longDelay = time.Hour

// passedOver are replicas that are not to be promoted while another one has the same data.
type passedOver struct {
	what    string
	options topology.Options
	// prepare makes replica1 such a replica, under load.
	prepare func(*fixture, context.Context)
	change  func(*embedded.Config)
	also    func(*fixture, context.Context) // what else is to be so afterwards
	labels  Labels
	// unlogged is a replica1 that logs nothing of what it applies.
	unlogged bool
}

var passedOverReplicas = []passedOver{
	{what: "a replica that is delayed by an hour, which keeps its delay", labels: inPRTier(fastManagers),
		prepare: func(s *fixture, ctx context.Context) {
			s.inject(ctx, fault.Delay{Node: s.named("replica1"), By: longDelay})
		},
		also: func(s *fixture, ctx context.Context) {
			statuses, err := s.named("replica1").Server.ReplicaStatus(ctx)
			suitekit.NoFault(err)
			Expect(statuses).To(HaveLen(1))
			Expect(statuses[0].Raw).To(HaveKeyWithValue("SQL_Delay", fmt.Sprint(int(longDelay.Seconds()))))
		}},
	{what: "a preferred replica whose applier waits for a table lock", labels: Label(cell.LabelFull),
		prepare: func(s *fixture, ctx context.Context) { s.lockTable(ctx, s.named("replica1"), table) },
		change:  func(c *embedded.Config) { prefer(c, "replica1") }},
	{what: "a preferred replica with a replication filter", labels: inPRTier(fastManagers),
		options: topology.Options{PerNode: map[int][]string{1: {"replicate-ignore-table=" + aside.String()}}},
		change:  func(c *embedded.Config) { prefer(c, "replica1") },
		prepare: func(s *fixture, ctx context.Context) {
			s.notPromotable = "replica1"
			suitekit.NoFault(s.Primary().Server.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (id BIGINT PRIMARY KEY)", aside)))
			suitekit.NoFault(s.Primary().Server.Exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES (1), (2), (3)", aside)))
			suitekit.NoFault(s.WaitCaughtUp(ctx))
		}},
	{what: "a preferred replica whose binary log leaves a database out", labels: Label(cell.LabelFull),
		options: topology.Options{PerNode: map[int][]string{1: {"binlog-ignore-db=audit"}}},
		change:  func(c *embedded.Config) { prefer(c, "replica1") }},
	{what: "a preferred replica without a binary log of what it applies", labels: Label(cell.LabelFull),
		options: topology.Options{PerNode: map[int][]string{1: {noLogUpdates}}}, unlogged: true,
		change: func(c *embedded.Config) { prefer(c, "replica1") }},
}

// noLogUpdates is the option that every server knows; newer ones take it as another name of log_replica_updates.
const noLogUpdates = "log_slave_updates=0"

var _ = Describe("a failover does not promote", func() {
	for _, c := range passedOverReplicas {
		It(c.what, c.labels, func(ctx SpecContext) {
			options := c.options
			options.GTID = true
			if c.unlogged && suitekit.Flavor(sandbox.ProfileDurable).GTIDNeedsLogUpdates() {
				suitekit.Unsupported("a server of this version that logs nothing of what it applies does not start with GTIDs")
			}
			s := deploy(ctx, options)
			audit := s.failOverPast(ctx, c, nil)
			Expect(audit.Plan.Promote).To(Equal("replica2"), "the replica that is to be passed over was promoted: %s", describeOne(audit))
			if c.also != nil {
				c.also(s, ctx)
			}
		})
	}

	It("a replica that cannot wait for acknowledgements, under semi-synchronous replication", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
		s.removeSourcePlugin(ctx, "replica1")
		s.manage(ctx, func(c *embedded.Config) { prefer(c, "replica1") })
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		Expect(audit.Plan.Promote).To(Equal("replica2"), "the replica that is to be passed over was promoted: %s", describeOne(audit))
		account := s.expectAfterFailover(ctx, audit)
		Expect(account.Lost).To(BeEmpty(), account.String())
	})
})

// failOverPast kills the primary when replica1 is one that is to be passed over.
func (s *fixture) failOverPast(ctx context.Context, c passedOver, plant func(*embedded.Config)) failover.Audit {
	GinkgoHelper()
	s.manage(ctx, func(config *embedded.Config) {
		if c.change != nil {
			c.change(config)
		}
		if plant != nil {
			plant(config)
		}
	})
	s.write(ctx)
	if c.prepare != nil {
		c.prepare(s, ctx)
	}
	s.waitForWrites(ctx, some)
	s.killPrimary(ctx)
	audit := s.waitForFailover(ctx)
	s.finishWrites(ctx)
	return audit
}

// removeSourcePlugin takes the plug-in away by which a server's commits could wait for replicas.
func (s *fixture) removeSourcePlugin(ctx context.Context, name string) {
	GinkgoHelper()
	plugin := suitekit.Flavor(sandbox.ProfileDurable).Dialect().SemiSync.SourcePlugin
	if plugin == "" {
		suitekit.Unsupported("semi-synchronous replication is built in: it cannot be missing")
	}
	suitekit.NoFault(s.named(name).Server.Unlogged(ctx, "UNINSTALL PLUGIN "+plugin))
}

// lockTable locks a table on a node, in a session that is ended with the spec or by the function that it
// returns.
func (s *fixture) lockTable(ctx context.Context, n *topology.Node, t workload.Table) (unlock func() error) {
	GinkgoHelper()
	conn, err := n.Server.DB.Conn(ctx)
	suitekit.NoFault(err)
	_, err = conn.ExecContext(ctx, "LOCK TABLES "+t.String()+" WRITE")
	suitekit.NoFault(err)
	released := false
	unlock = func() error {
		if released {
			return nil
		}
		released = true
		_, err := conn.ExecContext(context.WithoutCancel(ctx), "UNLOCK TABLES")
		return errors.Join(err, conn.Close())
	}
	DeferCleanup(unlock)
	return unlock
}
