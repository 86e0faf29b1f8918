package failover_test

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/oracle"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

const (
	rows    = 2_000
	writers = 4
	rate    = 400 // writes a second over all writers
	// some is how many writes make a difference that cannot be overlooked.
	some = 60
	// writeLimit is how long some writes may take.
	writeLimit = 20 * time.Second
	// recoveryLimit is how long a failover may take at all; how long it does take is measured.
	recoveryLimit = 90 * time.Second
	// writerLimit bounds each read and write of a writer's connection.
	writerLimit = 3 * time.Second
	statePoll   = time.Millisecond
	auditPoll   = 5 * time.Millisecond
	// pollWrites is how many writes the application makes from one poll of the manager to the next.
	pollWrites = rate / 4
)

var table = workload.Table{Database: "shop", Name: "orders"}

// fixture is a cluster that is written to by an application, which is told of a new primary by the manager.
type fixture struct {
	*topology.Topology
	ledger   *workload.Ledger
	load     *workload.Load
	rate     float64  // of writes, where it is not the usual one
	session  []string // statements at the start of the application's sessions
	gate     gate     // where the application can be held between two writes
	manager  failover.Manager
	samplers sync.WaitGroup
	samples  *oracle.Samples // what the servers said of themselves while the manager watched
	crashed  time.Time
	// watchers look at what the manager does until over is closed.
	watchers sync.WaitGroup
	over     chan struct{}
	ended    sync.Once
	// patience is how long a recovery may take, where that is not recoveryLimit.
	patience time.Duration
	// round is which of the spec's failovers this is: each comes at another moment.
	round uint64
	// lossless says that nothing that was acknowledged may be lost.
	lossless bool

	mu         sync.Mutex
	target     server.Endpoint // where the application writes
	moved      bool            // it was told of a new primary
	lastBefore time.Time       // last acknowledged write before that
	firstAfter time.Time       // first one after it
	following  time.Time       // all replicas were seen to follow it
	// received is how far each replica had received the primary's log before anything was touched.
	received      map[string]server.Coordinates
	seen          *oracle.Judged // what was seen when the cluster was last judged; nil when it was not
	notPromotable string         // a replica that is not to be promoted: the spec has given it a transaction of its own, or a newer server
}

// deploy makes a topology, a star of three unless told otherwise, with a filled table.
func deploy(ctx context.Context, options topology.Options) *fixture {
	GinkgoHelper()
	if options.Shape == (topology.Shape{}) {
		options.Shape = topology.MustShape("star:2")
	}
	s := &fixture{Topology: suitekit.Deploy(ctx, sandbox.ProfileDurable, options), ledger: workload.NewLedger(rows), over: make(chan struct{}), samples: oracle.NewSamples(suitekit.Flavor(sandbox.ProfileDurable).Dialect().GTID)}
	primary := s.Primary().Server
	suitekit.NoFault(workload.Create(ctx, primary, table))
	suitekit.NoFault(workload.CreateJournal(ctx, primary, table))
	suitekit.NoFault(workload.Fill(ctx, primary, table, rows))
	suitekit.NoFault(s.WaitCaughtUp(ctx))
	s.target = application(s.Primary())
	return s
}

// application is how the application connects: with an account of dbdeployer's that may not write where
// read_only is on, as an administrator may.
func application(n *topology.Node) server.Endpoint {
	endpoint := n.Sandbox.Endpoint()
	endpoint.User, endpoint.Password, endpoint.Limit = "msandbox_rw", "msandbox", writerLimit
	return endpoint
}

// write starts the application.
func (s *fixture) write(ctx context.Context) {
	GinkgoHelper()
	s.load = workload.Start(ctx, workload.Config{
		Table: table, Ledger: s.ledger, Rows: rows, Writers: writers, Rate: cmp.Or(s.rate, rate), Seed: suitekit.Cell().Seed, Journal: true, Session: s.session,
		Endpoint: func() server.Endpoint {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.target
		},
		OnAcknowledged: func(at time.Time) {
			s.noteWrite(at)
			s.gate.pass()
		},
	})
	DeferCleanup(s.load.Stop)
	s.waitForWrites(ctx, some)
}

func (s *fixture) noteWrite(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.moved:
		s.lastBefore = at
	case s.firstAfter.IsZero():
		s.firstAfter = at
	}
}

// waitForWrites waits until so many more writes are acknowledged.
func (s *fixture) waitForWrites(ctx context.Context, more int) {
	GinkgoHelper()
	before := s.ledger.Acknowledged()
	Eventually(ctx, s.ledger.Acknowledged).WithTimeout(writeLimit).WithPolling(statePoll).
		Should(BeNumerically(">=", before+more), "the application does not write")
}

// stopReceiving stops a replica's fetching, so that it misses all that is written from then on.
func (s *fixture) stopReceiving(ctx context.Context, name string) {
	GinkgoHelper()
	n, err := s.Node(name)
	suitekit.NoFault(err)
	suitekit.NoFault(fault.StopThread{Node: n, Thread: fault.IOThread}.Inject(ctx))
	s.waitForWrites(ctx, some)
}

// end stops the application, the manager and the servers, before the spec ends.
func (s *fixture) end(ctx context.Context) {
	GinkgoHelper()
	Expect(s.load.Stop()).To(Succeed())
	suitekit.NoFault(s.endManager(ctx))
	suitekit.NoFault(s.Close())
}

// pauseWrites returns when every writer waits between two writes, until the gate is opened.
func (s *fixture) pauseWrites(ctx context.Context) {
	GinkgoHelper()
	s.gate.close()
	DeferCleanup(s.gate.open)
	Eventually(ctx, s.gate.holds).WithTimeout(writeLimit).WithPolling(auditPoll).Should(Equal(writers), "a writer does not come to rest")
}

// killPrimary crashes the primary.
func (s *fixture) killPrimary(ctx context.Context) {
	GinkgoHelper()
	s.injectAtRandom(ctx, fault.Kill{Node: s.Primary()})
}

// injectAtRandom breaks the primary at a random moment between two polls; times are measured from here.
func (s *fixture) injectAtRandom(ctx context.Context, f fault.Fault) {
	GinkgoHelper()
	random := rand.New(rand.NewPCG(uint64(suitekit.Cell().Seed), s.round))
	if !s.load.Stopped() {
		s.waitForWrites(ctx, random.IntN(pollWrites))
	}
	s.crashed = time.Now()
	suitekit.NoFault(f.Inject(ctx))
}

// waitForFailover waits for the end of the recovery and returns its audit.
func (s *fixture) waitForFailover(ctx context.Context) failover.Audit {
	GinkgoHelper()
	var audit failover.Audit
	Eventually(ctx, func() bool {
		for _, a := range s.manager.Audits() {
			if a.Plan.Action == failover.Promote && a.Done {
				audit = a
				return true
			}
		}
		return false
	}).WithTimeout(cmp.Or(s.patience, recoveryLimit)).WithPolling(auditPoll).Should(BeTrue(), func() string {
		audits := s.manager.Audits()
		lacks := "no failover"
		if slices.ContainsFunc(audits, func(a failover.Audit) bool { return a.Plan.Action == failover.Promote }) {
			lacks = "a failover that has begun does not end" // as orchestrator's, when its raft leader steps down in it
		}
		return lacks + "; the manager's audits: " + describe(audits)
	})
	Expect(audit.Error).To(BeEmpty(), "the recovery has failed")
	return audit
}

// finishWrites lets the application write to the new primary, and ends it.
func (s *fixture) finishWrites(ctx context.Context) {
	GinkgoHelper()
	s.waitForWrites(ctx, some)
	Expect(s.load.Stop()).To(Succeed(), "the application met an error that no failover may cause")
}

// measure keeps the times of the recovery, from the moment of the crash.
func (s *fixture) measure(a failover.Audit) {
	s.watchers.Wait()
	after := func(t time.Time) float64 { return float64(t.Sub(s.crashed).Microseconds()) / 1000 }
	s.mu.Lock()
	defer s.mu.Unlock()
	suitekit.Measure("detected", "ms", after(a.Phases.Detected))
	suitekit.Measure("first write", "ms", after(s.firstAfter))
	suitekit.Measure("all following", "ms", after(s.following))
	for what, at := range map[string]time.Time{
		"suspected": a.Phases.Suspected, "receivers stopped": a.Phases.ReceiversStopped, "relay log applied": a.Phases.Applied, "writable": a.Phases.Writable,
	} {
		if !at.IsZero() { // not every manager says
			suitekit.Detail(what, "ms", after(at))
		}
	}
	suitekit.Detail("longest time without a write", "ms", float64(s.firstAfter.Sub(s.lastBefore).Milliseconds()))
}
