//go:build planted

package failover_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

const (
	// A recovery of a star of three passes fewer points than these; each spec has a part of them.
	pointGroups, pointsOfGroup = 4, 8
	// deathLimit is how long a manager may take until it ends at a point, or is past all.
	deathLimit = 60 * time.Second
)

// interrupted is something that a manager does, at one point of which it ends or fails.
type interrupted struct {
	what string
	// do begins it.
	do func(*fixture, context.Context)
	// gone is whether the primary is dead afterwards.
	gone bool
}

var interruptions = []interrupted{
	{"a failover", func(s *fixture, ctx context.Context) { s.killPrimary(ctx) }, true},
	{"a takeover", func(s *fixture, ctx context.Context) {
		// How it ends is seen on the servers.
		_ = s.manager.(failover.Switcher).Takeover(ctx, "replica1")
	}, false},
}

var _ = Describe("a manager that is killed", func() {
	if !underTest().PlantsBugs {
		return // where it is killed is planted
	}
	for _, c := range interruptions {
		for group := range pointGroups {
			first := group*pointsOfGroup + 1
			It(fmt.Sprintf("in %s at points %d to %d is started again, and leaves nothing half done", c.what, first, first+pointsOfGroup-1),
				Label(cell.LabelFull), Label(cell.LabelLong), func(ctx SpecContext) {
					past := false
					for point := first; point < first+pointsOfGroup && !past; point++ {
						past = interrupt(ctx, c, point, nil)
					}
					if group == pointGroups-1 {
						Expect(past).To(BeTrue(), "there are more points than are tried")
					}
				})
		}
	}

	It("and forgets what it was doing is caught", Label(cell.LabelFull), Label(cell.LabelLong), func(ctx SpecContext) {
		c := interruptions[1]
		for point := 1; point < pointsOfGroup; point++ {
			s, ended := beginInterrupted(ctx, c, point, embedded.ForgettingUnfinished)
			Expect(ended).To(BeTrue())
			writable := func() []string { return s.writable(ctx) }
			if len(writable()) == 0 {
				Consistently(ctx, writable).WithTimeout(underTest().DetectsWithin).WithPolling(auditPoll).Should(BeEmpty())
				Expect(s.load.Stop()).To(Succeed())
				return
			}
			Expect(s.load.Stop()).To(Succeed())
			suitekit.NoFault(s.endManager(ctx))
			suitekit.NoFault(s.Close())
		}
		Fail("it left no cluster without a primary, wherever it was killed")
	})
})

// deployInterruptible is a star of three, semi-synchronous where the server can be.
func deployInterruptible(ctx SpecContext) *fixture {
	GinkgoHelper()
	semiSync := suitekit.Golden(sandbox.ProfileDurable).Capabilities[flavor.CapSemiSync]
	return deploy(ctx, topology.Options{GTID: true, SemiSync: semiSync})
}

// interrupt kills the manager at a point of what it does, starts another one in its place, and judges the cluster. It says whether
// the point was past the end.
func interrupt(ctx SpecContext, c interrupted, point int, plant func(*embedded.Config)) (past bool) {
	GinkgoHelper()
	s, ended := beginInterrupted(ctx, c, point, plant)
	what := fmt.Sprintf("%s, killed at point %d", c.what, point)
	s.settled(ctx, c, what)
	s.finishWrites(ctx)
	Eventually(ctx, func() error { return s.check(ctx, s.settled(ctx, c, what)).Err() }).WithTimeout(catchUpLimit).WithPolling(auditPoll).Should(Succeed(), what)
	account := s.expectCluster(ctx, s.settled(ctx, c, what))
	if s.SemiSync {
		Expect(account.Lost).To(BeEmpty(), what+": "+account.String())
	}
	s.end(ctx)
	return !ended
}

// beginInterrupted begins what is to be interrupted, waits for the manager's end or for its own, and starts the next manager.
func beginInterrupted(ctx SpecContext, c interrupted, point int, plant func(*embedded.Config)) (s *fixture, ended bool) {
	GinkgoHelper()
	s = deployInterruptible(ctx)
	stateFile := s.stateFile()
	var config embedded.Config
	var passed func() int
	s.manage(ctx, func(c *embedded.Config) {
		c.StateFile, c.Policy.AntiFlapping = stateFile, time.Millisecond
		config = *c
		passed = embedded.EndingAt(c, point)
	})
	s.write(ctx)
	c.do(s, ctx)
	Eventually(ctx, func() bool {
		ended = passed() >= point
		return ended || slices.ContainsFunc(s.manager.Audits(), func(a failover.Audit) bool { return acts(a) && a.Done })
	}).WithTimeout(deathLimit).WithPolling(statePoll).Should(BeTrue(), "point %d is not reached", point)
	if plant != nil {
		plant(&config)
	}
	suitekit.NoFault(s.manager.Stop(ctx))
	s.manager = underTest().make(s, config)
	suitekit.NoFault(s.manager.Start(ctx))
	return s, ended
}

// settled waits until one server takes writes, and is the cluster that is to be below that.
func (s *fixture) settled(ctx context.Context, c interrupted, what string) cluster {
	GinkgoHelper()
	var names []string
	Eventually(ctx, func() []string { names = s.writable(ctx); return names }).WithTimeout(recoveryLimit).WithPolling(auditPoll).
		Should(HaveLen(1), func() string { return what + ": " + describe(s.manager.Audits()) })
	want := cluster{primary: s.named(names[0])}
	if c.gone {
		want.gone = []string{"primary"}
	}
	return want
}

var _ = Describe("a takeover of which one step fails", func() {
	if !underTest().PlantsBugs {
		return
	}
	for group := range pointGroups {
		first := group*pointsOfGroup + 1
		It(fmt.Sprintf("at points %d to %d leaves one writable server", first, first+pointsOfGroup-1),
			Label(cell.LabelFull), Label(cell.LabelLong), func(ctx SpecContext) {
				past := false
				for point := first; point < first+pointsOfGroup && !past; point++ {
					past = failTakeover(ctx, point)
				}
				if group == pointGroups-1 {
					Expect(past).To(BeTrue(), "there are more points than are tried")
				}
			})
	}
})

// failTakeover has a takeover fail at one point, and judges what is left. It says whether the point was past the end.
func failTakeover(ctx SpecContext, point int) (past bool) {
	GinkgoHelper()
	s := deployInterruptible(ctx)
	var passed func() int
	s.manage(ctx, func(c *embedded.Config) { passed = embedded.FailingAt(c, point) })
	s.write(ctx)
	err := s.manager.(failover.Switcher).Takeover(ctx, "replica1")
	what := fmt.Sprintf("point %d failed: %v", point, err)
	names := s.writable(ctx)
	Expect(names).To(HaveLen(1), what+": "+describe(s.manager.Audits()))
	want := cluster{primary: s.named(names[0])}
	audits := s.manager.Audits()
	last := audits[slices.IndexFunc(audits, acts)]
	for _, one := range last.Excluded {
		want.excluded = append(want.excluded, one.Name)
	}
	if names[0] == "primary" {
		Expect(err).To(HaveOccurred(), what)
	} else {
		s.mu.Lock()
		s.target = application(want.primary) // the hook may be what has failed
		s.mu.Unlock()
	}
	s.finishWrites(ctx)
	account := s.expectCluster(ctx, want)
	Expect(account.Lost).To(BeEmpty(), what+": "+account.String())
	past = passed() < point
	s.end(ctx)
	return past
}
