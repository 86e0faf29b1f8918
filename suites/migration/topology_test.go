package migration_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// inRing are flags without which the tools refuse a source that is a replica of another one.
var inRing = map[string][]string{migration.NameGhost: {"--allow-master-master"}, migration.NamePTOSC: {"--force"}}

// arrangements are topologies, and the flags that a tool needs in them. gh-ost reads from the last node, the
// leaf of a chain.
var arrangements = []struct {
	topology topology.Options
	mode     migration.Mode // gh-ost's
	flags    map[string][]string
	needs    string // a flag that gh-ost must know
	only     string // the tool that it says something of
}{
	{topology: topology.Options{Shape: topology.MustShape("star:2")}, mode: migration.ModeReplica},
	{topology: topology.Options{Shape: topology.MustShape("chain:2")}, mode: migration.ModeReplica},
	{topology: topology.Options{Shape: topology.MustShape("chain:2"), GTID: true}, mode: migration.ModeReplica},
	{topology: topology.Options{Shape: topology.MustShape("star:2"), GTID: true, SemiSync: true}, mode: migration.ModePrimary},
	{
		topology: topology.Options{Shape: topology.MustShape("ring:2")}, mode: migration.ModePrimary,
		flags: inRing,
	},
	{
		topology: topology.Options{Shape: topology.MustShape("ring:2"), GTID: true}, mode: migration.ModePrimary,
		flags: inRing,
	},
	{
		topology: topology.Options{Shape: topology.MustShape("star:1"), GTID: true}, mode: migration.ModePrimary,
		flags: map[string][]string{migration.NameGhost: {"--gtid"}}, needs: "--gtid", only: migration.NameGhost,
	},
}

// sample is how many rows were copied at a time after the replica stopped to apply, which is its lag.
type sample struct {
	lag    time.Duration
	copied int
}

const (
	// noticed is the lag by which a tool with a limit of a second must have stopped: it asks every second,
	// and may be in the middle of a chunk.
	noticed = 4 * time.Second
	watched = 7 * time.Second
)

// throttles are flags by which a tool holds the lag of a replica under a second, and by which it does not ask.
var throttles = map[string]struct{ on, off, slow []string }{
	// It sleeps for 100 times what a chunk took, the most there is: a quick server must not have copied all before the lag is seen.
	migration.NameGhost: {slow: []string{"--chunk-size=50", "--nice-ratio=100"}}, // on: the replica's address, once it is known
	migration.NamePTOSC: {
		on: []string{"--max-lag=1", "--check-interval=1"}, off: []string{"--recursion-method=none"},
		slow: []string{"--chunk-size=50", "--sleep=0.2"},
	},
}

var _ = forTool("topology", func(tool migration.Tool) {
	for _, a := range arrangements {
		if a.only != "" && a.only != tool.Name() {
			continue
		}
		mode := a.mode
		if tool.Name() == migration.NamePTOSC {
			mode = migration.ModeTriggers
		}
		what := a.topology.Shape.String()
		if a.topology.GTID {
			what += " by GTID"
		}
		if a.topology.SemiSync {
			what += ", semi-synchronous"
		}
		if a.needs != "" {
			what += ", " + a.needs
		}
		It(fmt.Sprintf("%s: %s", mode, what), Label(cell.LabelFull), func(ctx SpecContext) {
			s := setUp(ctx, tool, mode, plan{Options: a.topology})
			if a.needs != "" && tool.Name() == migration.NameGhost && !s.knows(ctx, a.needs) {
				suitekit.Unsupported(fmt.Sprintf("%s %s has no %s", tool.Name(), suitekit.Cell().Tool.Version, a.needs))
			}
			load := s.traffic(ctx, &traffic{})
			result := s.begin(ctx, a.flags[tool.Name()]...).succeed(ctx)
			Expect(load.halt()).To(Succeed())
			measure(result, load.stall)
			Expect(s.whole(ctx, changed)).To(Succeed())
		})
	}
	mode := disturbed[tool.Name()][0]
	It(fmt.Sprintf("%s: the copy stops while a replica is late, and goes on after", mode), Label(cell.LabelWaiting), func(ctx SpecContext) {
		s, a, samples := lagging(ctx, tool, mode, true)
		Expect(stoodStill(samples)).To(Succeed())
		before := samples[len(samples)-1].copied
		suitekit.NoFault(s.late().Heal(ctx))
		a.unpace(ctx)
		a.await(ctx, "the copy goes on", func(ctx context.Context) (string, bool) {
			n, err := a.copied(ctx)
			return fmt.Sprintf("%d rows, %v", n, err), err == nil && n > before+chunk
		})
		a.succeed(ctx)
		Expect(s.whole(ctx, changed)).To(Succeed())
	})
	It(fmt.Sprintf("%s: the copy does not stop for a late replica when it is not told to", mode), Label(cell.LabelWaiting, cell.LabelFull), func(ctx SpecContext) {
		s, a, samples := lagging(ctx, tool, mode, false)
		Expect(stoodStill(samples)).To(MatchError(ContainSubstring("rows were copied")), "the oracle of the other spec cannot fail")
		suitekit.NoFault(s.late().Heal(ctx))
		a.unpace(ctx)
		a.succeed(ctx)
		Expect(s.whole(ctx, changed)).To(Succeed())
	})
})

// unpace lets gh-ost copy as fast as it can.
func (a *attempt) unpace(ctx context.Context) {
	if a.stage.handle.hurry != "" {
		suitekit.NoFault(a.command(ctx, "nice-ratio=0"))
	}
}

// late is the replica that stops to apply.
func (s *stage) late() fault.StopThread {
	return fault.StopThread{Node: s.Nodes[len(s.Nodes)-1], Thread: fault.SQLThread}
}

// lagging stops the replica in mid copy and watches the copy.
func lagging(ctx SpecContext, tool migration.Tool, mode migration.Mode, throttled bool) (*stage, *attempt, []sample) {
	s := setUp(ctx, tool, mode, plan{})
	flags := throttles[tool.Name()]
	extra := append(slices.Clone(flags.slow), flags.off...)
	if throttled {
		extra = append(slices.Clone(flags.slow), flags.on...)
		if tool.Name() == migration.NameGhost {
			extra = append(extra, "--throttle-control-replicas="+s.replica.Endpoint.Addr(), "--max-lag-millis=1000")
		}
	}
	a := s.begin(ctx, extra...)
	a.copies(ctx)
	inject(ctx, s.late())
	stopped := time.Now()
	var samples []sample
	a.await(ctx, "the replica is late", func(ctx context.Context) (string, bool) {
		n, err := a.progress(ctx)
		suitekit.NoFault(err)
		samples = append(samples, sample{time.Since(stopped), n})
		lag := samples[len(samples)-1].lag
		// One that must not stop is seen at its next chunk, whenever that is.
		return fmt.Sprint(samples[len(samples)-1]), lag > watched && (throttled || stoodStill(samples) != nil)
	})
	a.midway(ctx)
	return s, a, samples
}

// stoodStill is an error when more rows were copied after the lag should have been noticed than the chunk
// that may have been under way.
func stoodStill(samples []sample) error {
	last := samples[len(samples)-1]
	for _, one := range samples {
		if one.lag >= noticed {
			if last.copied > one.copied+chunk {
				return fmt.Errorf("%d rows were copied while the lag went from %s to %s", last.copied-one.copied, one.lag, last.lag)
			}
			return nil
		}
	}
	return fmt.Errorf("no sample with a lag of %s", noticed)
}
