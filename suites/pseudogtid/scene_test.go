package pseudogtid_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
	"mysqlmatrix/harness/workload"
)

const (
	rows    = 500
	writers = 4
	rate    = 400 // writes a second over all writers
)

var table = workload.Table{Database: "shop", Name: "orders"}

// scene is a topology without GTID, with a table to write to, and who replicates from whom at present.
type scene struct {
	*topology.Topology
	root   int
	source map[int]int // of each replica, as moved about
	ledger *workload.Ledger
	load   *workload.Load
}

// deploy gives a spec a topology that others may have as well, since the spec stops no server.
func deploy(ctx SpecContext, shape string, options topology.Options) *scene {
	GinkgoHelper()
	options.Shape = topology.MustShape(shape)
	return stage(ctx, suitekit.Share(ctx, sandbox.ProfileFast, options, table.Database, "pseudo_gtid", "other", "scratch"))
}

// deployOwn gives a spec servers of its own, which it may stop.
func deployOwn(ctx SpecContext, shape string, options topology.Options) *scene {
	GinkgoHelper()
	options.Shape = topology.MustShape(shape)
	return stage(ctx, suitekit.Deploy(ctx, sandbox.ProfileFast, options))
}

func stage(ctx SpecContext, t *topology.Topology) *scene {
	GinkgoHelper()
	s := &scene{Topology: t, source: map[int]int{}, ledger: workload.NewLedger(rows)}
	for i, n := range s.Nodes {
		if len(n.Sources) > 0 {
			s.source[i] = n.Sources[0]
		}
	}
	suitekit.NoFault(workload.Create(ctx, s.at(0), table))
	suitekit.NoFault(workload.Fill(ctx, s.at(0), table, rows))
	return s
}

// at is the i-th server.
func (s *scene) at(i int) *server.Server { return s.Nodes[i].Server }

// write puts the table under load until the spec ends or rest is called.
func (s *scene) write(ctx SpecContext) {
	GinkgoHelper()
	s.load = workload.Start(ctx, workload.Config{Table: table, Ledger: s.ledger, Rows: rows, Writers: writers, Rate: rate,
		Seed: suitekit.Cell().Seed, Endpoint: func() server.Endpoint { return s.at(s.root).Endpoint }})
	DeferCleanup(s.load.Stop)
	s.waitForWrites(ctx, 50)
}

// waitForWrites waits until so many more writes are acknowledged.
func (s *scene) waitForWrites(ctx SpecContext, more int) {
	GinkgoHelper()
	want := s.ledger.Acknowledged() + more
	Expect(wait.State{What: fmt.Sprintf("%d writes are acknowledged", want), Limit: 30 * time.Second}.
		Until(ctx, func(context.Context) (string, bool, error) {
			have := s.ledger.Acknowledged()
			return strconv.Itoa(have), have >= want, nil
		})).To(Succeed())
}

func (s *scene) rest() {
	GinkgoHelper()
	Expect(s.load.Stop()).To(Succeed(), "the writers met an error")
}

// run executes statements on the i-th server.
func (s *scene) run(ctx context.Context, i int, statements ...string) {
	GinkgoHelper()
	suitekit.NoFault(s.at(i).Exec(ctx, statements...))
}

// catchUp waits until every replica has what its present source has, from the root down.
func (s *scene) catchUp(ctx context.Context) error {
	done := map[int]bool{s.root: true}
	for range s.Nodes {
		for i := range s.Nodes {
			from, ok := s.source[i]
			if !ok || done[i] || !done[from] {
				continue
			}
			at, _, err := s.at(from).BinaryLogStatus(ctx)
			if err == nil {
				err = s.at(i).WaitForCoordinates(ctx, at, "")
			}
			if err != nil {
				return fmt.Errorf("%s catches up with %s: %w", s.Nodes[i].Name, s.Nodes[from].Name, err)
			}
			done[i] = true
		}
	}
	return nil
}

// caughtUp is catchUp where it must succeed.
func (s *scene) caughtUp(ctx context.Context) {
	GinkgoHelper()
	Expect(s.catchUp(ctx)).To(Succeed())
}

// agreed is the oracle: every server that replicates holds what the ledger says.
func (s *scene) agreed(ctx context.Context) {
	GinkgoHelper()
	s.caughtUp(ctx)
	Expect(s.objections(ctx)).To(Succeed())
}

func (s *scene) objections(ctx context.Context) error {
	var errs []error
	for i, n := range s.Nodes {
		if _, replicates := s.source[i]; !replicates && i != s.root {
			continue
		}
		differences, err := s.ledger.Verify(ctx, n.Server, table)
		if err == nil && len(differences) > 0 {
			err = errors.New(n.Name + ": " + differences.String())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// inject writes an entry on the root and waits until it is everywhere.
func (s *scene) inject(ctx context.Context) {
	GinkgoHelper()
	_, err := pseudogtid.Inject(ctx, s.at(s.root))
	suitekit.NoFault(err)
	s.caughtUp(ctx)
}

// injecting has entries written all the time, and waits until the first one is everywhere.
func (s *scene) injecting(ctx SpecContext) *pseudogtid.Injector {
	GinkgoHelper()
	s.inject(ctx)
	injector := pseudogtid.StartInjector(ctx, s.at(s.root), 50*time.Millisecond)
	// Specs that kill its server expect its error; the others ask for it themselves.
	DeferCleanup(func() { _ = injector.Stop() })
	return injector
}

// relocate moves one server below another.
func (s *scene) relocate(ctx context.Context, replica, target int, m pseudogtid.Matcher) error {
	begin := time.Now()
	at, err := m.Relocate(ctx, s.at(replica), s.at(target), s.Nodes[target].Sandbox.ReplicationEndpoint())
	if err == nil {
		s.source[replica] = target
		suitekit.Detail("relocation", "ms", float64(time.Since(begin).Milliseconds()))
		AddReportEntry("coordinates", at.String())
	}
	return err
}

// moves is a relocation that must succeed.
func (s *scene) moves(ctx context.Context, replica, target int) {
	GinkgoHelper()
	Expect(s.relocate(ctx, replica, target, pseudogtid.Matcher{})).To(Succeed(), "%s below %s", s.Nodes[replica].Name, s.Nodes[target].Name)
}

// end is where a server's binary log ends.
func (s *scene) end(ctx context.Context, i int) server.Coordinates {
	GinkgoHelper()
	at, _, err := s.at(i).BinaryLogStatus(ctx)
	suitekit.NoFault(err)
	return at
}

// matchesAtEnd is an oracle without GTIDs: once both have everything, a replica continues at the end of the
// other's log.
func (s *scene) matchesAtEnd(ctx context.Context, replica, target int) {
	GinkgoHelper()
	var at, end server.Coordinates
	var matchErr error
	// A session that has ended may log the end of its temporary tables a moment later.
	idle := wait.State{What: "no server writes any more", Limit: 30 * time.Second, Poll: 20 * time.Millisecond}
	suitekit.NoFault(idle.Until(ctx, func(ctx context.Context) (string, bool, error) {
		s.caughtUp(ctx)
		end = s.end(ctx, target)
		at, matchErr = pseudogtid.Match(ctx, s.at(replica), s.at(target))
		var refusal *pseudogtid.RefusalError
		moving := errors.As(matchErr, &refusal) && refusal.Why == pseudogtid.Moving
		now := s.end(ctx, target)
		return fmt.Sprintf("%s's log went from %s to %s", s.Nodes[target].Name, end, now), !moving && end == now, nil
	}))
	Expect(matchErr).NotTo(HaveOccurred())
	// Nothing but what heads a log, or a checkpoint, may stand between.
	Expect(nothingBetween(ctx, s.at(target), at, end)).To(Succeed(), "%s has all that %s has", s.Nodes[replica].Name, s.Nodes[target].Name)
}

// nothingBetween asks the server itself whether there is a transaction between two positions of its logs.
func nothingBetween(ctx context.Context, on *server.Server, from, to server.Coordinates) error {
	if from == to {
		return nil
	}
	logs, err := on.BinaryLogs(ctx)
	if err != nil {
		return err
	}
	for _, l := range logs {
		if (server.Coordinates{File: l.Name}).Compare(server.Coordinates{File: from.File}) < 0 {
			continue
		}
		query := "SHOW BINLOG EVENTS IN " + server.Quote(l.Name)
		if l.Name == from.File {
			query += fmt.Sprintf(" FROM %d", from.Pos)
		}
		events, err := on.Rows(ctx, query)
		if err != nil {
			return err
		}
		for _, e := range events {
			switch e["Event_type"] {
			case "Format_desc", "Previous_gtids", "Rotate", "Stop", "Gtid_list", "Binlog_checkpoint", "Start_encryption":
			default:
				return fmt.Errorf("between %s and %s there is a %s: %s", from, to, e["Event_type"], e["Info"])
			}
		}
	}
	return nil
}

// refused is the refusal that a relocation must meet.
func (s *scene) refused(ctx context.Context, replica, target int, why ...pseudogtid.Refusal) *pseudogtid.RefusalError {
	GinkgoHelper()
	err := s.relocate(ctx, replica, target, pseudogtid.Matcher{})
	return isRefusal(err, why...)
}

func isRefusal(err error, why ...pseudogtid.Refusal) *pseudogtid.RefusalError {
	GinkgoHelper()
	var refusal *pseudogtid.RefusalError
	Expect(errors.As(err, &refusal)).To(BeTrue(), "want a refusal, got %v", err)
	Expect(why).To(ContainElement(refusal.Why), refusal.Error())
	suitekit.Detail("refused: "+refusal.Why.String(), "", 1)
	AddReportEntry("refusal", refusal.Error())
	return refusal
}
