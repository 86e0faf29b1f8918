package failover_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("a live primary", func() {
	for _, c := range []struct {
		what   string
		breaks func(*fixture) fault.Fault
	}{
		{"without a free connection is not replaced", func(s *fixture) fault.Fault {
			return &fault.NoConnections{Node: s.Primary(), As: application(s.Primary())}
		}},
		{"behind a global lock is not replaced", func(s *fixture) fault.Fault { return &fault.GlobalLock{Node: s.Primary()} }},
	} {
		It(c.what, Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
			s := deploy(ctx, topology.Options{GTID: true})
			s.manage(ctx, nil)
			s.write(ctx)
			f := c.breaks(s)
			s.inject(ctx, f)
			DeferCleanup(f.Heal)
			s.expectNoRecovery(ctx)
			s.heal(ctx, f)
			s.finishWrites(ctx)
			s.expectCluster(ctx, cluster{primary: s.Primary()})
		})
	}

	It("whose disk is full is not replaced, and goes on when there is space", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s := deploy(ctx, onSmallDisk(ctx))
		s.manage(ctx, nil)
		s.write(ctx)
		full := fault.FullDisk{Node: s.Primary()}
		s.inject(ctx, full)
		DeferCleanup(full.Heal)
		s.waitForStall(ctx)
		s.expectNoRecovery(ctx)
		s.heal(ctx, full)
		s.waitForSpace(ctx)
		s.finishWrites(ctx)
		s.expectCluster(ctx, cluster{primary: s.Primary()})
	})
})

const (
	// smallDisk is in kilobytes: the writes of a spec fill a small part of it.
	smallDisk = 16 << 10
	// spaceLimit is how long a server may take to see that there is space again: it looks once a minute.
	spaceLimit = 100 * time.Second
	// stallFor is how long nothing is acknowledged until writes count as stalled.
	stallFor = 3 * time.Second
)

// onSmallDisk are options by which the primary's binary logs have a small file system.
func onSmallDisk(ctx context.Context) topology.Options {
	GinkgoHelper()
	if err := sandbox.CanMount(ctx); err != nil {
		suitekit.Unsupported(err.Error())
	}
	return topology.Options{GTID: true, LogDisk: map[int]int{0: smallDisk}}
}

// waitForStall waits until no write is acknowledged any more.
func (s *fixture) waitForStall(ctx context.Context) {
	GinkgoHelper()
	last, since := -1, time.Now()
	Eventually(ctx, func() bool {
		if n := s.ledger.Acknowledged(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > stallFor
	}).WithTimeout(writeLimit).WithPolling(auditPoll).Should(BeTrue(), "writes are acknowledged on a full disk")
}

// waitForSpace waits until writes are acknowledged again.
func (s *fixture) waitForSpace(ctx context.Context) {
	GinkgoHelper()
	before := s.ledger.Acknowledged()
	Eventually(ctx, s.ledger.Acknowledged).WithTimeout(spaceLimit).WithPolling(auditPoll).
		Should(BeNumerically(">", before+some), "no write is acknowledged though there is space")
}
