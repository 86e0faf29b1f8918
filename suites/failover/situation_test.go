package failover_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// A situation is one value of each axis, by its place in the lists below. A value that is added to a list is tried with one of
// each of the others.
type situation struct{ death, moment, shape, mode int }

// death is what befalls the primary.
type death struct {
	what string
	with string // the replica that dies with it; "" for none
	of   func(*topology.Node) fault.Fault
}

var deaths = []death{
	{"is killed", "", func(n *topology.Node) fault.Fault { return fault.Kill{Node: n} }},
	{"hangs", "", func(n *topology.Node) fault.Fault { return fault.Pause{Node: n} }},
	{"is shut down", "", func(n *topology.Node) fault.Fault { return fault.Shutdown{Node: n} }},
	{"is killed with a replica", "replica1", func(n *topology.Node) fault.Fault { return fault.Kill{Node: n} }},
}

// moment is what goes on when it dies.
type moment struct {
	what string
	// lags says that a replica lacks some data then: another one must be there that has it.
	lags  bool
	begin func(*fixture, context.Context)
}

var moments = []moment{
	{"under load", false, func(*fixture, context.Context) {}},
	{"while nobody writes", false, func(s *fixture, ctx context.Context) {
		s.pauseWrites(ctx)
		suitekit.NoFault(s.WaitCaughtUp(ctx))
	}},
	{"while a replica's applier is stopped", false, func(s *fixture, ctx context.Context) {
		s.inject(ctx, fault.StopThread{Node: s.named("replica1"), Thread: fault.SQLThread})
		s.waitForWrites(ctx, some)
	}},
	{"while a replica receives nothing", true, func(s *fixture, ctx context.Context) { s.stopReceiving(ctx, "replica1") }},
	{"while a transaction of many rows is written", false, func(s *fixture, ctx context.Context) {
		suitekit.NoFault(s.Primary().Server.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (id BIGINT PRIMARY KEY AUTO_INCREMENT, batch BIGINT NOT NULL)", aside)))
		s.writeBatches(ctx)
	}},
}

var shapes = []string{"star:2", "star:3", "chain:2"}

// mode is how replicas follow.
type mode struct {
	what    string
	options topology.Options
}

var modes = []mode{
	{"GTID", topology.Options{GTID: true}},
	{"semi-synchronous replication", topology.Options{GTID: true, SemiSync: true}},
	{"Pseudo-GTID", topology.Options{}},
}

// possible says whether a failover can be asked for: a chain has one direct replica, which must be there, have lost the primary by
// itself, and is followed by another one in its own coordinates.
func (s situation) possible() bool {
	if shapes[s.shape] != "chain:2" {
		return modes[s.mode].options.GTID || moments[s.moment].what == "under load" || moments[s.moment].what == "while nobody writes"
	}
	return deaths[s.death].with == "" && !moments[s.moment].lags && modes[s.mode].options.GTID
}

func (s situation) String() string {
	return fmt.Sprintf("a primary that %s %s, in a %s with %s, is replaced", deaths[s.death].what, moments[s.moment].what, shapes[s.shape], modes[s.mode].what)
}

// pairs are the pairs of values that a situation has.
func (s situation) pairs() (list [][4]int) {
	values := []int{s.death, s.moment, s.shape, s.mode}
	for a := range values {
		for b := a + 1; b < len(values); b++ {
			list = append(list, [4]int{a, values[a], b, values[b]})
		}
	}
	return list
}

// drawSituations draws situations in which each possible pair of values is.
func drawSituations(seed int64) (drawn []situation) {
	var every []situation
	for d := range deaths {
		for m := range moments {
			for sh := range shapes {
				for mo := range modes {
					if one := (situation{d, m, sh, mo}); one.possible() {
						every = append(every, one)
					}
				}
			}
		}
	}
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	random.Shuffle(len(every), func(i, j int) { every[i], every[j] = every[j], every[i] })
	covered := map[[4]int]bool{}
	fresh := func(s situation) (n int) {
		for _, pair := range s.pairs() {
			if !covered[pair] {
				n++
			}
		}
		return n
	}
	for {
		best := slices.MaxFunc(every, func(a, b situation) int { return fresh(a) - fresh(b) })
		if fresh(best) == 0 {
			return drawn
		}
		for _, pair := range best.pairs() {
			covered[pair] = true
		}
		drawn = append(drawn, best)
	}
}

var _ = suitekit.WithCell(func() {
	if !underTest().PollsFast {
		return // what another manager does in each was not watched
	}
	Describe("drawn:", func() {
		for _, one := range drawSituations(suitekit.Cell().Seed) {
			It(one.String(), Label(cell.LabelFull), func(ctx SpecContext) { failOverIn(ctx, one, nil) })
		}
	})
})

// failOverIn has the primary die in a situation, and puts every oracle to what is left.
func failOverIn(ctx SpecContext, one situation, plant func(*embedded.Config)) {
	GinkgoHelper()
	options := modes[one.mode].options
	options.Shape = topology.MustShape(shapes[one.shape])
	s := deploy(ctx, options)
	entries := func() error { return nil }
	if !options.GTID {
		entries = pseudogtid.StartInjector(ctx, s.Primary().Server, entryInterval).Stop
	}
	s.manage(ctx, func(c *embedded.Config) {
		if !options.GTID {
			c.FindPosition = pseudogtid.Match
		}
		if plant != nil {
			plant(c)
		}
	})
	s.write(ctx)
	moments[one.moment].begin(s, ctx)
	suitekit.NoFault(entries())
	d := deaths[one.death]
	f := d.of(s.Primary())
	if d.with != "" {
		s.killWith(ctx, s.named(d.with))
	} else {
		s.inject(ctx, f)
	}
	s.gate.open()
	if d.with != "" && options.SemiSync {
		s.waitForRefusalWithout(ctx, d.with)
		s.heal(ctx, fault.Kill{Node: s.named(d.with)})
	}
	audit := s.waitForFailover(ctx)
	s.finishWrites(ctx)
	c := s.clusterAfter(audit)
	if pause, ok := f.(fault.Pause); ok {
		s.heal(ctx, pause)
		Eventually(ctx, s.Primary().Server.ReadOnly).WithTimeout(fenceLimit).WithPolling(statePoll).Should(BeTrue(), "the old primary takes writes again")
		c.gone, c.excluded = nil, append(c.excluded, s.Primary().Name)
	}
	if d.with != "" && !options.SemiSync {
		c.gone = append(c.gone, d.with)
		c.excluded = slices.DeleteFunc(c.excluded, func(name string) bool { return name == d.with })
	}
	c.source = s.sources(ctx)
	for name, source := range c.source {
		if slices.Contains(c.excluded, name) {
			continue
		}
		Expect(source).NotTo(BeElementOf(append([]string{""}, c.gone...)), "%s still has a dead source", name)
	}
	account := s.expectCluster(ctx, c)
	if options.SemiSync {
		Expect(account.Lost).To(BeEmpty(), account.String())
	}
}
