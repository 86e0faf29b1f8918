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

// arrangements are topologies, and the flags that a tool needs in them. A tool that reads a replica reads the last
// node, the leaf of a chain.
var arrangements = []struct {
	topology topology.Options
	mode     migration.Mode // for tools that have it; others take their first one on the primary
	flags    func(migration.Flags) []string
	named    bool // the spec names the first flag, which the version must know; tools without it have no such spec
}{
	{topology: topology.Options{Shape: topology.MustShape("star:2")}, mode: migration.ModeReplica},
	{topology: topology.Options{Shape: topology.MustShape("chain:2")}, mode: migration.ModeReplica},
	{topology: topology.Options{Shape: topology.MustShape("chain:2"), GTID: true}, mode: migration.ModeReplica},
	{topology: topology.Options{Shape: topology.MustShape("star:2"), GTID: true, SemiSync: true}},
	// Without the flags, tools refuse a primary that is a replica of another one.
	{topology: topology.Options{Shape: topology.MustShape("ring:2")}, flags: func(f migration.Flags) []string { return f.Ring }},
	{topology: topology.Options{Shape: topology.MustShape("ring:2"), GTID: true}, flags: func(f migration.Flags) []string { return f.Ring }},
	{
		topology: topology.Options{Shape: topology.MustShape("star:1"), GTID: true},
		flags:    func(f migration.Flags) []string { return f.GTID }, named: true,
	},
}

// sample is how many rows were copied at a time after the replica stopped applying, which is its lag.
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

var _ = forTool("topology", func(driver migration.Tool) {
	tool := driver.Describe()
	for _, a := range arrangements {
		var flags []string
		if a.flags != nil {
			flags = a.flags(tool.Flags)
		}
		if a.named && len(flags) == 0 {
			continue
		}
		mode := tool.PrimaryModes[0]
		if slices.Contains(tool.PrimaryModes, a.mode) {
			mode = a.mode
		}
		what := a.topology.Shape.String()
		if a.topology.GTID {
			what += " by GTID"
		}
		if a.topology.SemiSync {
			what += ", semi-synchronous"
		}
		if a.named {
			what += ", with " + flags[0]
		}
		It(fmt.Sprintf("%s: changes the table on %s", mode, what), Label(cell.LabelFull), func(ctx SpecContext) {
			f := setUp(ctx, driver, mode, setup{Options: a.topology})
			if a.named {
				f.needs(ctx, flags[0])
			}
			load := f.traffic(ctx, &traffic{})
			result := f.begin(ctx, flags...).succeed(ctx)
			Expect(load.halt()).To(Succeed())
			measure(result, load.stall)
			Expect(f.verify(ctx, changed)).To(Succeed())
		})
	}
	if tool.Throttle.On == nil {
		return
	}
	mode := tool.PrimaryModes[0]
	It(fmt.Sprintf("%s: stops copying while a replica lags, and then goes on", mode), Label(cell.LabelWaiting), func(ctx SpecContext) {
		f, run, samples := lagging(ctx, driver, mode, true)
		Expect(stoodStill(samples)).To(Succeed())
		before := samples[len(samples)-1].copied
		suitekit.NoFault(f.stoppedApplier().Heal(ctx))
		run.fullSpeed(ctx)
		run.reaches(ctx, "the copy goes on", func(ctx context.Context) (string, bool, error) {
			n, err := run.copied(ctx)
			return fmt.Sprintf("%d rows", n), n > before+chunk, err
		})
		run.succeed(ctx)
		Expect(f.verify(ctx, changed)).To(Succeed())
	})
	It(fmt.Sprintf("%s: keeps copying while a replica lags that it is not told to watch", mode), Label(cell.LabelWaiting, cell.LabelFull), func(ctx SpecContext) {
		f, run, samples := lagging(ctx, driver, mode, false)
		Expect(stoodStill(samples)).To(MatchError(ContainSubstring("rows were copied")), "the oracle of the other spec cannot fail")
		suitekit.NoFault(f.stoppedApplier().Heal(ctx))
		run.fullSpeed(ctx)
		run.succeed(ctx)
		Expect(f.verify(ctx, changed)).To(Succeed())
	})
})

// stoppedApplier is the fault by which the replica lags.
func (f *fixture) stoppedApplier() fault.StopThread {
	return fault.StopThread{Node: f.Nodes[len(f.Nodes)-1], Thread: fault.SQLThread}
}

// lagging stops the replica's applier during the copy and watches the copy.
func lagging(ctx SpecContext, driver migration.Tool, mode migration.Mode, throttled bool) (*fixture, *toolRun, []sample) {
	f := setUp(ctx, driver, mode, setup{})
	flags := slices.Concat(f.tool.Throttle.Slow, f.tool.Throttle.Off)
	if throttled {
		flags = slices.Concat(f.tool.Throttle.Slow, f.tool.Throttle.On(f.replica.Endpoint.Addr()))
	}
	run := f.begin(ctx, flags...)
	run.copies(ctx)
	inject(ctx, f.stoppedApplier())
	stopped := time.Now()
	var samples []sample
	run.reaches(ctx, "the replica lags", func(ctx context.Context) (string, bool, error) {
		n, err := run.copiedSoFar(ctx)
		if err != nil {
			return "", false, err
		}
		samples = append(samples, sample{time.Since(stopped), n})
		last := samples[len(samples)-1]
		// One that must not stop is seen at its next chunk, whenever that is.
		return fmt.Sprint(last), last.lag > watched && (throttled || stoodStill(samples) != nil), nil
	})
	run.stillCopies(ctx)
	return f, run, samples
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
