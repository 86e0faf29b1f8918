package migration_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// phase is where in its work a tool is held when it is interrupted.
type phase uint8

const (
	duringCopy    phase = iota // some chunks are copied, others are not
	atLock                     // at the cut-over: its statement for the table's lock waits
	atRename                   // the lock was let go, and the RENAME waits for another connection
	beforeCutOver              // all is copied, and the cut-over is postponed
)

// outcome is how the tool must end.
type outcome uint8

const (
	fails    outcome = iota // with an error, by itself or by the signal
	succeeds                // in success
	either                  // the one or the other; a hang is neither
)

// interruption is something that happens to a tool at work.
type interruption struct {
	when    string // completes the spec's name: "after SIGKILL during the copy"
	phase   phase
	mode    migration.Mode // where the mode makes no difference, the tool's first one on the primary
	flags   []string
	setup   setup
	prepare func(SpecContext, *fixture)
	inject  func(SpecContext, *fixture, *toolRun)
	heal    func(SpecContext, *fixture) // after the tool has ended
	outcome outcome
	leaves  state
	prints  string // what the tool must have printed when it fails
	traffic *traffic
	inPR    bool // in the pr tier
}

// name is the spec's: what is expected, and when.
func (i interruption) name() string {
	switch i.leaves {
	case changed:
		return "succeeds " + i.when
	case unchangedOrChanged:
		return "leaves one whole table " + i.when
	default:
		return "leaves the table unchanged " + i.when
	}
}

// The server's errors that writers meet in some of these specs.
const (
	readOnlyServer = 1290
	tableFull      = 1114
)

func kill(sig syscall.Signal) func(SpecContext, *fixture, *toolRun) {
	return func(ctx SpecContext, _ *fixture, r *toolRun) {
		r.signal(ctx, func(p *proc.Process) error { return p.Signal(sig) })
	}
}

// signals are the interruptions by a signal to the tool.
func signals(tool *migration.Descriptor) []interruption {
	list := []interruption{
		{when: "after SIGKILL during the copy", inject: kill(syscall.SIGKILL)},
		{when: "after SIGTERM during the copy", inject: kill(syscall.SIGTERM), inPR: tool.Triggers},
	}
	if tool.CutOver.Lock != "" {
		list = append(list,
			// A RENAME that waits goes on in the server after its client is gone.
			interruption{when: "after SIGKILL while it waits for the cut-over lock", phase: atLock, inject: kill(syscall.SIGKILL), leaves: unchangedOrChanged, inPR: true},
			interruption{when: "after SIGTERM while it waits for the cut-over lock", phase: atLock, inject: kill(syscall.SIGTERM), outcome: either, leaves: unchangedOrChanged})
	}
	if tool.CutOver.Unlocked != "" {
		list = append(list, interruption{when: "after SIGKILL while its RENAME waits", phase: atRename, inject: kill(syscall.SIGKILL), leaves: unchangedOrChanged})
	}
	return list
}

// faultsOfPrimary are what happens to the primary.
func faultsOfPrimary(tool *migration.Descriptor) []interruption {
	few := tool.Flags.FewRetries
	list := []interruption{
		{
			when: "when the primary turns read-only during the copy", flags: few, prints: "(?i)read[-_]only",
			prepare: limitAccount, inject: readOnly, heal: writable,
			// Triggers write as the tool's account does.
			traffic: &traffic{allowed: []uint16{readOnlyServer}},
		},
		{
			when: "when the primary crashes during the copy", flags: few, setup: setup{profile: sandbox.ProfileDurable},
			inject:  func(ctx SpecContext, f *fixture, _ *toolRun) { inject(ctx, fault.Kill{Node: f.Primary()}) },
			heal:    func(ctx SpecContext, f *fixture) { suitekit.NoFault(fault.Kill{Node: f.Primary()}.Heal(ctx)) },
			traffic: &traffic{severed: true},
		},
		{
			when: "when it loses the primary during the copy", flags: few, inPR: !tool.Triggers,
			prepare: throughLink,
			inject:  func(ctx SpecContext, f *fixture, _ *toolRun) { inject(ctx, fault.Cut{Link: f.link}) },
			heal:    func(ctx SpecContext, f *fixture) { suitekit.NoFault(fault.Cut{Link: f.link}.Heal(ctx)) },
		},
		{
			when: "when all its packets to and from the primary are lost", flags: slices.Concat(tool.Flags.ReadTimeout, few),
			prepare: throughLink,
			inject: func(ctx SpecContext, f *fixture, _ *toolRun) {
				inject(ctx, fault.Drop{Link: f.link, Direction: fault.BothWays})
			},
			heal: func(ctx SpecContext, f *fixture) {
				suitekit.NoFault(fault.Drop{Link: f.link, Direction: fault.BothWays}.Heal(ctx))
			},
		},
		{
			when: "when the primary's disk fills during the copy", flags: few, prints: "is full",
			setup: setup{Options: topology.Options{PerNode: map[int][]string{0: fault.LimitedSpace}}},
			inject: func(ctx SpecContext, f *fixture, r *toolRun) {
				inject(ctx, fault.FullSpace{Node: f.Primary()})
				r.stillCopies(ctx)
			},
			heal: func(ctx SpecContext, f *fixture) { suitekit.NoFault(fault.FullSpace{Node: f.Primary()}.Heal(ctx)) },
			// Writers meet it as well where the server keeps its undo logs in the same file.
			traffic: &traffic{allowed: []uint16{tableFull}},
		},
		{when: "when the primary purges its binary logs during the copy", outcome: succeeds, leaves: changed, inject: rotateAndPurge},
	}
	if tool.Postpone != nil {
		list = append(list, interruption{
			when: "when the primary turns read-only before the cut-over", phase: beforeCutOver, flags: few, prints: "(?i)read[-_]only",
			prepare: limitAccount,
			inject: func(ctx SpecContext, f *fixture, r *toolRun) {
				readOnly(ctx, f, r)
				suitekit.NoFault(os.Remove(postponeFile()))
			},
			heal: writable,
		})
	}
	return list
}

// faultsOfReplica are what happens to a replica whose binary log the tool reads.
func faultsOfReplica(tool *migration.Descriptor) []interruption {
	if !slices.Contains(tool.PrimaryModes, migration.ModeReplica) {
		return nil
	}
	last := func(f *fixture) *topology.Node { return f.Nodes[len(f.Nodes)-1] }
	return []interruption{
		{
			when: "when the replica that it reads restarts during the copy", mode: migration.ModeReplica, outcome: either, leaves: unchangedOrChanged, flags: tool.Flags.FewRetries,
			inject: func(ctx SpecContext, f *fixture, r *toolRun) {
				down := fault.Shutdown{Node: last(f)}
				inject(ctx, down)
				suitekit.NoFault(down.Heal(ctx))
			},
		},
		{
			when: "when the replica that it reads is killed during the copy", mode: migration.ModeReplica,
			flags: slices.Concat(tool.Flags.FewReconnects, tool.Flags.FewRetries),
			// By GTID: the coordinates that a replica has reached are not crash-safe, in MariaDB and in MySQL's relay-log.info.
			setup:  setup{profile: sandbox.ProfileDurable, Options: topology.Options{GTID: true}},
			inject: func(ctx SpecContext, f *fixture, _ *toolRun) { inject(ctx, fault.Kill{Node: last(f)}) },
			heal:   func(ctx SpecContext, f *fixture) { suitekit.NoFault(fault.Kill{Node: last(f)}.Heal(ctx)) },
		},
		{
			when: "when the replica that it reads stops applying and starts again", mode: migration.ModeReplica, outcome: succeeds, leaves: changed,
			inject: func(ctx SpecContext, f *fixture, r *toolRun) {
				stopped := fault.StopThread{Node: last(f), Thread: fault.SQLThread}
				inject(ctx, stopped)
				r.continues(ctx)
				r.prints(ctx, tool.Throttle.Waiting)
				suitekit.NoFault(stopped.Heal(ctx))
			},
		},
	}
}

var _ = forTool("interruption", func(driver migration.Tool) {
	tool := driver.Describe()
	if tool.Immediate {
		return // it has no process, and no copy that could be held
	}
	for _, i := range slices.Concat(signals(tool), faultsOfPrimary(tool), faultsOfReplica(tool)) {
		if i.mode == migration.ModeUnknown {
			i.mode = tool.PrimaryModes[0]
		}
		if i.traffic == nil {
			i.traffic = &traffic{}
		}
		It(fmt.Sprintf("%s: %s", i.mode, i.name()), Label(cell.LabelWaiting), labelsOf(!i.inPR), func(ctx SpecContext) { i.run(ctx, driver) })
	}
})

// run holds the tool at the phase, interrupts it, and judges what there is after.
func (i interruption) run(ctx SpecContext, driver migration.Tool) {
	i.setup.fresh = true // of what is interrupted nothing is handed on
	f := setUp(ctx, driver, i.mode, i.setup)
	if i.prepare != nil {
		i.prepare(ctx, f)
	}
	load := f.traffic(ctx, i.traffic)
	r := f.beginSlowly(ctx, slices.Concat(i.flags, i.phase.flags(f))...)
	release := i.phase.reach(ctx, r)
	i.inject(ctx, f, r)
	if i.phase == duringCopy {
		r.continuesIfItCan(ctx)
	}
	if i.outcome == either {
		release() // a tool that finishes its statement first is not waited for in vain
	}
	result, err := r.end(ctx)
	release()
	if i.heal != nil {
		i.heal(ctx, f)
	}
	switch {
	case i.outcome == fails && err == nil:
		Fail("expected the tool to fail, and it reported success")
	case i.outcome == succeeds && err != nil:
		Fail(err.Error())
	case i.prints != "" && err != nil:
		Expect(result.Output).To(MatchRegexp(i.prints))
	}
	Expect(load.halt()).To(Succeed())
	Expect(f.verifyReport(ctx, result)).To(Succeed())
	left := f.left()
	if i.outcome == succeeds {
		left = nil
	}
	Expect(f.verify(ctx, i.leaves, left...)).To(Succeed(), "after the interruption")
	if text, err := structure(ctx, f.primary, table.Name); err == nil && text == f.original {
		f.source = f.account(f.primary.Endpoint)
		f.runAgain(ctx)
	}
}

// flags are what the tool is given to be held at the phase.
func (p phase) flags(f *fixture) []string {
	switch p {
	case atLock, atRename:
		return f.tool.CutOver.WaitLong
	case beforeCutOver:
		return []string{f.tool.Postpone.Flag + postponeFile()}
	default:
		return nil
	}
}

// reach waits until the tool is at the phase and held there; release lets it go on.
func (p phase) reach(ctx SpecContext, r *toolRun) (release func()) {
	release = func() {}
	r.copies(ctx)
	switch p {
	case duringCopy:
		r.stillCopies(ctx)
	case atLock:
		release = r.hold(ctx, blockers[1].begin, blockers[1].end)
		r.continues(ctx)
		r.isBlocked(ctx, r.tool.CutOver.Lock)
	case atRename:
		release = r.hold(ctx, []string{"BEGIN", "SELECT COUNT(*) FROM " + database + "." + r.tool.Objects.NewTable(table.Name)}, "ROLLBACK")
		r.continues(ctx)
		r.prints(ctx, r.tool.CutOver.Unlocked)
		r.isBlocked(ctx, "rename%")
	case beforeCutOver:
		r.continues(ctx)
		r.prints(ctx, r.tool.Postpone.Waiting)
	}
	return release
}

// postponeFile is the file whose removal the tool waits for before it cuts over.
func postponeFile() string { return filepath.Join(suitekit.WorkDir("flags"), "postpone") }

// throughLink has the tool reach the primary by a link that can be broken.
func throughLink(ctx SpecContext, f *fixture) {
	for _, flag := range f.tool.Flags.OtherPort { // the server does not know the link's port
		f.needs(ctx, flag)
	}
	var err error
	f.link, err = fault.LinkTo("tool-source", f.primary.Endpoint)
	suitekit.NoFault(err)
	DeferCleanup(f.link.Close)
	f.source, err = f.link.Through(f.source)
	suitekit.NoFault(err)
	f.always = append(f.always, f.tool.Flags.OtherPort...)
}

// limitAccount takes from the tool's account what lets it write to a server that is read-only.
func limitAccount(ctx SpecContext, f *fixture) { suitekit.NoFault(f.limitAccount(ctx)) }

func readOnly(ctx SpecContext, f *fixture, _ *toolRun) {
	DeferCleanup(func(ctx SpecContext) error { return f.primary.Exec(ctx, "SET GLOBAL read_only = OFF") })
	suitekit.NoFault(f.primary.Exec(ctx, "SET GLOBAL read_only = ON"))
}

func writable(ctx SpecContext, f *fixture) {
	suitekit.NoFault(f.primary.Exec(ctx, "SET GLOBAL read_only = OFF"))
	suitekit.NoFault(f.unlimitAccount(ctx))
}

// rotateAndPurge has the primary begin new binary logs and remove the old ones, as far as nobody reads them.
func rotateAndPurge(ctx SpecContext, f *fixture, _ *toolRun) {
	for range 3 {
		suitekit.NoFault(f.primary.Exec(ctx, "FLUSH BINARY LOGS"))
	}
	suitekit.NoFault(f.WaitCaughtUp(ctx))
	logs, err := f.primary.BinaryLogs(ctx)
	suitekit.NoFault(err)
	// A log that a reader has open is kept, and readers go on to the next one when they come to its end.
	eventually(ctx, "a binary log is purged", func(ctx context.Context) (string, bool, error) {
		if err := f.primary.Exec(ctx, "PURGE BINARY LOGS TO '"+logs[len(logs)-1].Name+"'"); err != nil {
			return "", false, err
		}
		left, err := f.primary.BinaryLogs(ctx)
		return fmt.Sprintf("%d of %d logs", len(left), len(logs)), len(left) < len(logs), err
	})
}
