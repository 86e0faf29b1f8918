package pseudogtid_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

const (
	rows    = 2000
	writers = 4
	rate    = 400 // writes a second over all writers
)

var table = workload.Table{Database: "shop", Name: "orders"}

// scene is a star:2 without GTID, written to and injected into.
type scene struct {
	*topology.Topology
	primary, replica1, replica2 *server.Server
	ledger                      *workload.Ledger
	load                        *workload.Load
}

func deploy(ctx SpecContext, options topology.Options) *scene {
	options.Shape = topology.MustShape("star:2")
	t := suitekit.Deploy(ctx, sandbox.ProfileFast, options)
	s := &scene{Topology: t, primary: t.Nodes[0].Server, replica1: t.Nodes[1].Server, replica2: t.Nodes[2].Server,
		ledger: workload.NewLedger(rows)}
	suitekit.NoFault(workload.Create(ctx, s.primary, table))
	suitekit.NoFault(workload.Fill(ctx, s.primary, table, rows))
	return s
}

// write puts the table under load until the spec ends or rest is called.
func (s *scene) write(ctx SpecContext) {
	s.load = workload.Start(ctx, workload.Config{Table: table, Ledger: s.ledger, Rows: rows, Writers: writers, Rate: rate,
		Seed: suitekit.Cell().Seed, Endpoint: func() server.Endpoint { return s.primary.Endpoint }})
	DeferCleanup(s.load.Stop)
	s.awaitWrites(ctx, 100)
}

// awaitWrites waits until so many more writes are acknowledged.
func (s *scene) awaitWrites(ctx SpecContext, more int) {
	GinkgoHelper()
	Eventually(ctx, s.ledger.Acknowledged).WithTimeout(30*time.Second).WithPolling(5*time.Millisecond).
		Should(BeNumerically(">=", s.ledger.Acknowledged()+more), "the writers do not write")
}

func (s *scene) rest() {
	GinkgoHelper()
	Expect(s.load.Stop()).To(Succeed(), "the writers met an error")
}

// caughtUp waits until replica1 has what the primary has, and replica2 what its present source has.
func (s *scene) caughtUp(ctx context.Context, source *server.Server) error {
	at, _, err := s.primary.BinaryLogStatus(ctx)
	if err != nil {
		return err
	}
	if err := s.replica1.WaitForCoordinates(ctx, at, ""); err != nil {
		return err
	}
	if at, _, err = source.BinaryLogStatus(ctx); err != nil {
		return err
	}
	return s.replica2.WaitForCoordinates(ctx, at, "")
}

// objections is the oracle: every server holds what the ledger says.
func (s *scene) objections(ctx context.Context) error {
	var errs []error
	for _, one := range []*server.Server{s.primary, s.replica1, s.replica2} {
		differences, err := s.ledger.Verify(ctx, one, table)
		if err == nil && len(differences) > 0 {
			err = errors.New(one.Endpoint.Addr() + ": " + differences.String())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// inject writes an entry and waits until both replicas have it.
func (s *scene) inject(ctx SpecContext) {
	GinkgoHelper()
	_, err := pseudogtid.Inject(ctx, s.primary)
	suitekit.NoFault(err)
	suitekit.NoFault(s.WaitCaughtUp(ctx))
}

// relocate moves replica2 below replica1.
func (s *scene) relocate(ctx SpecContext, m pseudogtid.Matcher) error {
	begin := time.Now()
	at, err := m.Relocate(ctx, s.replica2, s.replica1, s.Nodes[1].Sandbox.ReplicationEndpoint())
	if err == nil {
		suitekit.Measure("relocation", "ms", float64(time.Since(begin).Milliseconds()))
		AddReportEntry("coordinates", at.String())
	}
	return err
}

var _ = Describe("Pseudo-GTID", func() {
	It("moves a replica below its sibling while both are written to, and back below the primary", func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		injector := pseudogtid.StartInjector(ctx, s.primary, 50*time.Millisecond)
		DeferCleanup(injector.Stop)
		s.write(ctx)
		Expect(s.relocate(ctx, pseudogtid.Matcher{})).To(Succeed())
		s.awaitWrites(ctx, 100)
		Expect(s.caughtUp(ctx, s.replica1)).To(Succeed())
		_, err := pseudogtid.Relocate(ctx, s.replica2, s.primary, s.Nodes[0].Sandbox.ReplicationEndpoint())
		Expect(err).NotTo(HaveOccurred())
		s.awaitWrites(ctx, 100)
		s.rest()
		Expect(injector.Stop()).To(Succeed())
		Expect(s.caughtUp(ctx, s.primary)).To(Succeed())
		Expect(s.objections(ctx)).To(Succeed())
	})

	It("moves a replica when logs were rotated between the last entry and the end, on each side apart", func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.write(ctx)
		s.inject(ctx)
		for _, one := range []*server.Server{s.replica1, s.replica2, s.replica1} {
			s.awaitWrites(ctx, 20)
			Expect(one.Exec(ctx, "FLUSH BINARY LOGS")).To(Succeed())
		}
		s.awaitWrites(ctx, 20)
		Expect(s.relocate(ctx, pseudogtid.Matcher{})).To(Succeed())
		s.rest()
		Expect(s.caughtUp(ctx, s.replica1)).To(Succeed())
		Expect(s.objections(ctx)).To(Succeed())
	})

	It("finds the same coordinates as GTID does", func(ctx SpecContext) {
		suitekit.Require(sandbox.ProfileFast, flavor.CapGTID)
		s := deploy(ctx, topology.Options{GTID: true})
		s.write(ctx)
		s.inject(ctx)
		s.awaitWrites(ctx, 50)
		suitekit.NoFault(s.replica2.StopReplica(ctx, ""))
		executed, err := s.replica2.GTIDExecuted(ctx)
		suitekit.NoFault(err)
		s.awaitWrites(ctx, 50)
		s.rest()
		suitekit.NoFault(s.replica1.WaitForCoordinates(ctx, must(s.primary.BinaryLogStatus(ctx)), ""))
		at, err := pseudogtid.Match(ctx, s.replica2, s.replica1)
		Expect(err).NotTo(HaveOccurred())
		Expect(executedAt(ctx, s.replica1, at)).To(Equal(executed), "GTIDs that precede %s on the target", at)
	})

	It("refuses a replica with an errant transaction, and shows where the histories part", func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.write(ctx)
		s.inject(ctx)
		s.awaitWrites(ctx, 20)
		s.rest()
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		suitekit.NoFault(s.replica2.Exec(ctx, "UPDATE "+table.String()+" SET counter = 4711 WHERE id = (SELECT * FROM (SELECT MIN(id) FROM "+table.String()+") AS one)"))
		suitekit.NoFault(s.primary.Exec(ctx, "INSERT INTO "+table.String()+" (id, seq, payload) VALUES (1000000, 0, 'x')"))
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		var refusal *pseudogtid.RefusalError
		Expect(errors.As(s.relocate(ctx, pseudogtid.Matcher{}), &refusal)).To(BeTrue(), "an errant transaction must be refused")
		Expect(refusal.Why).To(Equal(pseudogtid.Diverged))
		Expect(refusal.OnReplica.Text).To(ContainSubstring("4711"))
		Expect(refusal.OnTarget.Text).To(ContainSubstring("1000000"))
	})

	It("refuses when the target's logs were purged, and when the replica is ahead", func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.write(ctx)
		s.inject(ctx)
		s.awaitWrites(ctx, 20)
		suitekit.NoFault(s.replica1.StopReplica(ctx, ""))
		s.awaitWrites(ctx, 50)
		s.rest()
		suitekit.NoFault(s.replica2.WaitForCoordinates(ctx, must(s.primary.BinaryLogStatus(ctx)), ""))
		var refusal *pseudogtid.RefusalError
		Expect(errors.As(s.relocate(ctx, pseudogtid.Matcher{}), &refusal)).To(BeTrue(), "a replica that is ahead must be refused")
		Expect(refusal.Why).To(Equal(pseudogtid.ReplicaAhead))
		suitekit.NoFault(s.replica1.StartReplica(ctx, ""))
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		suitekit.NoFault(s.replica1.Exec(ctx, "FLUSH BINARY LOGS"))
		now := must(s.replica1.BinaryLogStatus(ctx))
		// MariaDB leaves a log alone, and says nothing, until its binary log checkpoint has moved on.
		Eventually(ctx, func() (int, error) {
			err := s.replica1.Exec(ctx, "PURGE BINARY LOGS TO "+server.Quote(now.File))
			logs, listErr := s.replica1.BinaryLogs(ctx)
			return len(logs), errors.Join(err, listErr)
		}).WithTimeout(10 * time.Second).WithPolling(20 * time.Millisecond).Should(Equal(1))
		Expect(errors.As(s.relocate(ctx, pseudogtid.Matcher{}), &refusal)).To(BeTrue(), "purged logs must be refused")
		Expect(refusal.Why).To(Equal(pseudogtid.NotFound))
	})

	It("has an oracle that catches a matcher which is off by one transaction", func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.write(ctx)
		s.inject(ctx)
		s.rest()
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		suitekit.NoFault(s.replica2.StopReplica(ctx, ""))
		// A random write may be written over by a later one, and its loss with it.
		for _, id := range []string{"1000001", "1000002"} {
			suitekit.NoFault(s.primary.Exec(ctx, "INSERT INTO "+table.String()+" (id, seq, payload) VALUES ("+id+", 0, 'x')"))
		}
		suitekit.NoFault(s.replica1.WaitForCoordinates(ctx, must(s.primary.BinaryLogStatus(ctx)), ""))
		Expect(s.relocate(ctx, pseudogtid.Matcher{OffByOne: true})).To(Succeed())
		suitekit.NoFault(s.caughtUp(ctx, s.replica1))
		differences, err := workload.Compare(ctx, workload.Side{Server: s.primary, Table: table}, workload.Side{Server: s.replica2, Table: table}, []string{"id"}, 10)
		suitekit.NoFault(err)
		Expect(differences).To(HaveLen(1), "a transaction was skipped, and nobody noticed")
		Expect(differences[0].Left).To(ContainSubstring("1000001"))
	})

	It("has specs that catch a matcher which ignores the contents of rows", func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{})
		s.inject(ctx)
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		suitekit.NoFault(s.replica1.StopReplica(ctx, ""))
		suitekit.NoFault(s.replica2.StopReplica(ctx, ""))
		for _, change := range []struct {
			on      *server.Server
			counter string
		}{{s.replica1, "1"}, {s.replica2, "2"}} {
			suitekit.NoFault(change.on.Exec(ctx, "UPDATE "+table.String()+" SET counter = "+change.counter+" WHERE id = 1"))
		}
		_, err := pseudogtid.Matcher{IgnoreContents: true}.Match(ctx, s.replica2, s.replica1)
		Expect(err).NotTo(HaveOccurred(), "the planted fault does not do what it is for")
		var refusal *pseudogtid.RefusalError
		_, err = pseudogtid.Match(ctx, s.replica2, s.replica1)
		Expect(errors.As(err, &refusal)).To(BeTrue(), "differing rows must be refused")
		Expect(refusal.Why).To(Equal(pseudogtid.Diverged))
	})
})

// must is the coordinates of a status that cannot fail but by the harness's fault.
func must(at server.Coordinates, _ string, err error) server.Coordinates {
	GinkgoHelper()
	suitekit.NoFault(err)
	return at
}

// executedAt is the GTID set that a server had executed at a place of its binary log, as the server itself
// tells it.
func executedAt(ctx context.Context, s *server.Server, at server.Coordinates) (string, error) {
	if s.Dialect.GTID == flavor.GTIDMariaDB {
		var position string
		err := s.DB.QueryRowContext(ctx, "SELECT BINLOG_GTID_POS(?, ?)", at.File, at.Pos).Scan(&position)
		return position, err
	}
	return executedBefore(ctx, s, at)
}
