package migration_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// place is where a tool is held when it is interrupted.
type place uint8

const (
	inCopy        place = iota // some chunks are copied, others are not
	atLock                     // at the cut-over: its statement for the table's lock waits
	atRename                   // gh-ost: the lock was let go, and the RENAME waits for another connection
	beforeCutOver              // gh-ost: all is copied, and the cut-over is postponed
)

// ending is how the tool must end.
type ending uint8

const (
	breaksOff ending = iota // with an error, by itself or by the signal
	comesOut                // in success
	anyway                  // the one or the other; a hang is neither
)

// interruption is something that happens to a tool at work.
type interruption struct {
	name    string
	at      place
	mode    migration.Mode // the rule: where the mode makes no difference, the first one of the tool
	flags   map[string][]string
	plan    plan
	prepare func(SpecContext, *stage)
	strike  func(SpecContext, *stage, *attempt)
	mend    func(SpecContext, *stage) // after the tool has ended, or, when it is to succeed, before
	ending  ending
	leaves  state
	says    string // what the tool must have printed when it breaks off
	traffic *traffic
	telling bool // in the pr tier
}

// The server's errors that writers meet in some of these specs.
const (
	readOnlyServer = 1290
	tableFull      = 1114
)

// fewRetries make a tool give up soon that would retry for a minute by default.
var fewRetries = map[string][]string{
	migration.NameGhost: {"--default-retries=3"},
	migration.NamePTOSC: {"--tries=copy_rows:20:0.25,drop_triggers:2:0.5"},
}

func kill(sig syscall.Signal) func(SpecContext, *stage, *attempt) {
	return func(ctx SpecContext, _ *stage, a *attempt) {
		a.signal(ctx, func(p *proc.Process) error { return p.Signal(sig) })
	}
}

// inject breaks something, and heals it when the spec ends at the latest.
func inject(ctx SpecContext, f fault.Fault) {
	DeferCleanup(f.Heal)
	suitekit.NoFault(f.Inject(ctx))
}

// interruptions are those of both tools, and the further ones of gh-ost.
func interruptions(mode migration.Mode) []interruption {
	list := []interruption{
		{name: "SIGKILL in the copy", at: inCopy, strike: kill(syscall.SIGKILL)},
		{name: "SIGTERM in the copy", at: inCopy, strike: kill(syscall.SIGTERM), telling: mode == migration.ModeTriggers},
		{name: "SIGKILL while it waits for the lock of the cut-over", at: atLock, strike: kill(syscall.SIGKILL), leaves: either, telling: true},
		{name: "SIGTERM while it waits for the lock of the cut-over", at: atLock, strike: kill(syscall.SIGTERM), ending: anyway, leaves: either},
		{
			name: "the source turns read-only in the copy", at: inCopy, flags: fewRetries, says: "(?i)read[-_]only",
			prepare: limitAccount, strike: readOnly, mend: writable,
			// The triggers of pt-online-schema-change write as its account does.
			traffic: &traffic{allowed: []uint16{readOnlyServer}},
		},
		{
			name: "the source crashes in the copy", at: inCopy, flags: fewRetries, plan: plan{profile: sandbox.ProfileDurable},
			strike:  func(ctx SpecContext, s *stage, _ *attempt) { inject(ctx, fault.Kill{Node: s.Primary()}) },
			mend:    func(ctx SpecContext, s *stage) { suitekit.NoFault(fault.Kill{Node: s.Primary()}.Heal(ctx)) },
			traffic: &traffic{severed: true},
		},
		{
			name: "the connection to the source is cut in the copy", at: inCopy, flags: fewRetries, telling: mode != migration.ModeTriggers,
			prepare: throughLink,
			strike:  func(ctx SpecContext, s *stage, _ *attempt) { inject(ctx, fault.Cut{Link: s.link}) },
			mend:    func(ctx SpecContext, s *stage) { suitekit.NoFault(fault.Cut{Link: s.link}.Heal(ctx)) },
		},
		{
			name: "all packets to and from the source are lost in the copy", at: inCopy,
			// By default gh-ost waits for an answer without end, as documented.
			flags: map[string][]string{
				migration.NameGhost: append([]string{"--mysql-timeout=5"}, fewRetries[migration.NameGhost]...), migration.NamePTOSC: fewRetries[migration.NamePTOSC],
			},
			prepare: throughLink,
			strike: func(ctx SpecContext, s *stage, _ *attempt) {
				inject(ctx, fault.Drop{Link: s.link, Direction: fault.BothWays})
			},
			mend: func(ctx SpecContext, s *stage) {
				suitekit.NoFault(fault.Drop{Link: s.link, Direction: fault.BothWays}.Heal(ctx))
			},
		},
		{
			name: "the source's disk fills in the copy", at: inCopy, flags: fewRetries, says: "is full",
			plan: plan{Options: topology.Options{PerNode: map[int][]string{0: fault.LimitedSpace}}},
			strike: func(ctx SpecContext, s *stage, a *attempt) {
				inject(ctx, fault.FullSpace{Node: s.Primary()})
				a.midway(ctx)
			},
			mend: func(ctx SpecContext, s *stage) { suitekit.NoFault(fault.FullSpace{Node: s.Primary()}.Heal(ctx)) },
			// Writers meet it as well where the server keeps its undo logs in the same file.
			traffic: &traffic{allowed: []uint16{tableFull}},
		},
		{
			name: "the source rotates and purges its binary logs in the copy", at: inCopy, ending: comesOut, leaves: changed,
			strike: rotateAndPurge,
		},
	}
	if mode == migration.ModeTriggers {
		return list
	}
	return append(list, []interruption{
		{name: "SIGKILL while its RENAME waits", at: atRename, strike: kill(syscall.SIGKILL), leaves: either},
		{
			name: "the source turns read-only before the cut-over", at: beforeCutOver, flags: fewRetries, says: "(?i)read[-_]only",
			prepare: limitAccount,
			strike: func(ctx SpecContext, s *stage, a *attempt) {
				readOnly(ctx, s, a)
				a.unpostpone()
			},
			mend: writable,
		},
		{
			name: "the replica that it reads is restarted in the copy", at: inCopy, mode: migration.ModeReplica, ending: anyway, leaves: either, flags: fewRetries,
			strike: func(ctx SpecContext, s *stage, a *attempt) {
				f := fault.Shutdown{Node: s.Nodes[len(s.Nodes)-1]}
				inject(ctx, f)
				suitekit.NoFault(f.Heal(ctx))
			},
		},
		{
			name: "the replica that it reads is killed in the copy", at: inCopy, mode: migration.ModeReplica,
			// By default it tries for ever, as documented.
			flags: map[string][]string{migration.NameGhost: append([]string{"--binlogsyncer-max-reconnect-attempts=3"}, fewRetries[migration.NameGhost]...)},
			// By GTID: where a replica has got to by coordinates is not crash-safe, in MariaDB and in MySQL's relay-log.info.
			plan:   plan{profile: sandbox.ProfileDurable, Options: topology.Options{GTID: true}},
			strike: func(ctx SpecContext, s *stage, _ *attempt) { inject(ctx, fault.Kill{Node: s.Nodes[len(s.Nodes)-1]}) },
			mend:   func(ctx SpecContext, s *stage) { suitekit.NoFault(fault.Kill{Node: s.Nodes[len(s.Nodes)-1]}.Heal(ctx)) },
		},
		{
			name: "the replica that it reads stops applying in the copy, and goes on", at: inCopy, mode: migration.ModeReplica, ending: comesOut, leaves: changed,
			strike: func(ctx SpecContext, s *stage, a *attempt) {
				f := fault.StopThread{Node: s.Nodes[len(s.Nodes)-1], Thread: fault.SQLThread}
				inject(ctx, f)
				a.hurry(ctx)
				a.says(ctx, "State: throttled, lag=")
				suitekit.NoFault(f.Heal(ctx))
			},
		},
	}...)
}

var _ = forTool("interruption", func(tool migration.Tool) {
	first := disturbed[tool.Name()][0]
	for _, i := range interruptions(first) {
		if i.mode == migration.ModeUnknown {
			i.mode = first
		}
		if i.traffic == nil {
			i.traffic = &traffic{}
		}
		It(fmt.Sprintf("%s: %s", i.mode, i.name), Label(cell.LabelWaiting), labelsOf(!i.telling), func(ctx SpecContext) { i.play(ctx, tool) })
	}
	if tool.Name() == migration.NameGhost {
		It(fmt.Sprintf("%s: SIGKILL after a checkpoint, and the next run resumes from it", first), Label(cell.LabelFull, cell.LabelWaiting), func(ctx SpecContext) {
			resume(ctx, tool, first, nil)
		})
		It(fmt.Sprintf("%s: SIGKILL after a checkpoint, and the next run, which its hook detains, misses no write meanwhile", first), Label(cell.LabelFull, cell.LabelWaiting), func(ctx SpecContext) {
			resume(ctx, tool, first, detain)
		})
	}
})

// play holds the tool at the place, strikes, and judges what there is after.
func (i interruption) play(ctx SpecContext, tool migration.Tool) {
	s := setUp(ctx, tool, i.mode, i.plan)
	if i.prepare != nil {
		i.prepare(ctx, s)
	}
	load := s.traffic(ctx, i.traffic)
	a := s.slowly(ctx, slices.Concat(i.flags[tool.Name()], i.at.flags(s))...)
	release := i.at.reach(ctx, a)
	i.strike(ctx, s, a)
	if i.at == inCopy {
		a.goOn(ctx)
	}
	if i.ending == anyway {
		release() // a tool that finishes its statement first is not waited for in vain
	}
	result, err := a.end(ctx)
	release()
	if i.mend != nil {
		i.mend(ctx, s)
	}
	switch {
	case i.ending == breaksOff && err == nil:
		Fail("the tool succeeded: it did not notice")
	case i.ending == comesOut && err != nil:
		Fail(err.Error())
	case i.says != "" && err != nil:
		Expect(result.Output).To(MatchRegexp(i.says))
	}
	Expect(load.halt()).To(Succeed())
	Expect(s.honest(ctx, result)).To(Succeed())
	left := s.handle.leaves
	if i.ending == comesOut {
		left = nil
	}
	Expect(s.whole(ctx, i.leaves, left...)).To(Succeed(), "after the interruption")
	if text, err := structure(ctx, s.primary, table.Name); err == nil && text == s.original {
		s.source = s.account(s.primary.Endpoint)
		s.again(ctx)
	}
}

// honest is an error when the tool's last word on whether it changed the table is not true.
func (s *stage) honest(ctx context.Context, result *migration.Result) error {
	text, err := structure(ctx, s.primary, table.Name)
	if err == nil && text != s.original && s.handle.denies != "" && strings.Contains(result.Output, s.handle.denies) {
		err = fmt.Errorf("the tool says %q, and the table was changed", s.handle.denies)
	}
	return err
}

// flags are what the tool is given to be held at the place.
func (p place) flags(s *stage) []string {
	switch p {
	case atLock, atRename:
		return s.handle.stubborn
	case beforeCutOver:
		return []string{"--postpone-cut-over-flag-file=" + s.postponed()}
	default:
		return nil
	}
}

// reach waits until the tool is at the place and kept there; release lets it go on.
func (p place) reach(ctx SpecContext, a *attempt) (release func()) {
	s := a.stage
	release = func() {}
	a.copies(ctx)
	switch p {
	case inCopy:
		a.midway(ctx)
	case atLock:
		release = s.hold(ctx, inTheWay[1].begin, inTheWay[1].end)
		a.hurry(ctx)
		a.blocked(ctx, s.handle.lock)
	case atRename:
		release = s.hold(ctx, []string{"BEGIN", "SELECT COUNT(*) FROM " + database + "." + s.handle.ghost}, "ROLLBACK")
		a.hurry(ctx)
		a.says(ctx, "Tables unlocked")
		a.blocked(ctx, "rename%")
	case beforeCutOver:
		a.hurry(ctx)
		a.says(ctx, "State: postponing cut-over")
	}
	return release
}

// postponed is the file that gh-ost waits for to vanish before it cuts over.
func (s *stage) postponed() string { return filepath.Join(suitekit.WorkDir("flags"), "postpone") }

// unpostpone lets gh-ost cut over.
func (a *attempt) unpostpone() { suitekit.NoFault(os.Remove(a.stage.postponed())) }

// throughLink has the tool reach the source by a link that can be broken.
func throughLink(ctx SpecContext, s *stage) {
	const unvalidated = "--skip-port-validation" // the server does not know the link's port
	if s.tool.Name() == migration.NameGhost && !s.knows(ctx, unvalidated) {
		suitekit.Unsupported(fmt.Sprintf("%s %s has no %s, and refuses a link whose port is not the server's", s.tool.Name(), suitekit.Cell().Tool.Version, unvalidated))
	}
	var err error
	s.link, err = fault.LinkTo("tool-source", s.primary.Endpoint)
	suitekit.NoFault(err)
	DeferCleanup(s.link.Close)
	s.source, err = s.link.Through(s.source)
	suitekit.NoFault(err)
	if s.tool.Name() == migration.NameGhost {
		s.always = append(s.always, unvalidated)
	}
}

// limitAccount takes from the tool's account what lets it write to a server that is read-only.
func limitAccount(ctx SpecContext, s *stage) { suitekit.NoFault(s.limit(ctx)) }

func readOnly(ctx SpecContext, s *stage, _ *attempt) {
	DeferCleanup(func(ctx SpecContext) error { return s.primary.Exec(ctx, "SET GLOBAL read_only = OFF") })
	suitekit.NoFault(s.primary.Exec(ctx, "SET GLOBAL read_only = ON"))
}

func writable(ctx SpecContext, s *stage) {
	suitekit.NoFault(s.primary.Exec(ctx, "SET GLOBAL read_only = OFF"))
	suitekit.NoFault(s.unlimit(ctx))
}

// rotateAndPurge has the source begin new binary logs and forget the old ones, as far as nobody reads them.
func rotateAndPurge(ctx SpecContext, s *stage, _ *attempt) {
	for range 3 {
		suitekit.NoFault(s.primary.Exec(ctx, "FLUSH BINARY LOGS"))
	}
	suitekit.NoFault(s.WaitCaughtUp(ctx))
	logs, err := s.primary.BinaryLogs(ctx)
	suitekit.NoFault(err)
	// A log that a reader has open is kept, and readers go on to the next one when they come to its end.
	Eventually(ctx, func() (int, error) {
		if err := s.primary.Exec(ctx, "PURGE BINARY LOGS TO '"+logs[len(logs)-1].Name+"'"); err != nil {
			return 0, err
		}
		left, err := s.primary.BinaryLogs(ctx)
		return len(left), err
	}).WithTimeout(stateLimit).WithPolling(statePoll).Should(BeNumerically("<", len(logs)), "nothing was purged")
}

// resume kills gh-ost after a checkpoint, and has the next run go on from it. meanwhile gives that run flags, and does what
// belongs to them once it has begun.
func resume(ctx SpecContext, tool migration.Tool, mode migration.Mode, meanwhile func(context.Context, *stage) (flags []string, do func())) {
	s := setUp(ctx, tool, mode, plan{})
	if !s.knows(ctx, "--resume") {
		suitekit.Unsupported(fmt.Sprintf("%s %s has no --resume", tool.Name(), suitekit.Cell().Tool.Version))
	}
	load := s.traffic(ctx, &traffic{})
	// Ten seconds is the least that it takes.
	a := s.begin(ctx, "--checkpoint", "--checkpoint-seconds=10", "--chunk-size=50", "--nice-ratio=40")
	a.says(ctx, "checkpoint success at")
	a.midway(ctx)
	kill(syscall.SIGKILL)(ctx, s, a)
	_, err := a.end(ctx)
	Expect(err).To(HaveOccurred())
	before, err := a.copied(ctx)
	suitekit.NoFault(err)
	// Without the flags that drop what the first run left.
	flags := []string{"--resume", "--initially-drop-ghost-table=false", "--initially-drop-old-table=false"}
	goOn := func() {}
	if meanwhile != nil {
		var more []string
		more, goOn = meanwhile(ctx, s)
		flags = append(flags, more...)
	}
	b := s.begin(ctx, flags...)
	goOn()
	result := b.succeed(ctx)
	Expect(result.Output).To(ContainSubstring("Resuming from checkpoint"))
	Expect(load.halt()).To(Succeed())
	suitekit.Detail("rows copied before the checkpoint's run was killed", "", float64(before))
	Expect(s.whole(ctx, changed, "table _orders_ghk")).To(Succeed())
}

// detained is how many writes come while a hook detains gh-ost: enough that some are of rows that the killed run had copied.
const detained = 100

// detain has gh-ost's hook wait, after it has validated all and before it copies, until the writers have gone on. A run that
// resumes reads the binary log by then, from the checkpoint on.
func detain(ctx context.Context, s *stage) (flags []string, do func()) {
	GinkgoHelper()
	hooks := suitekit.WorkDir("hooks")
	entered, leave := filepath.Join(hooks, "entered"), filepath.Join(hooks, "leave")
	suitekit.NoFault(syscall.Mkfifo(leave, 0o600)) // it is read until somebody has written
	script := "#!/bin/sh\n: > '" + entered + "'\n: < '" + leave + "'\n"
	suitekit.NoFault(os.WriteFile(filepath.Join(hooks, "gh-ost-on-validated"), []byte(script), 0o755))
	return []string{"--hooks-path=" + hooks}, func() {
		GinkgoHelper()
		suitekit.NoFault(await(ctx, "gh-ost runs its hook", func(context.Context) (string, bool) {
			_, err := os.Stat(entered)
			return fmt.Sprint(err), err == nil
		}))
		before := s.counts.total()
		Eventually(ctx, s.counts.total).WithTimeout(stateLimit).WithPolling(statePoll).
			Should(BeNumerically(">=", before+detained), "the writers do not write")
		suitekit.NoFault(await(ctx, "the hook reads its pipe", func(context.Context) (string, bool) {
			file, err := os.OpenFile(leave, os.O_WRONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				return err.Error(), false // ENXIO: not yet
			}
			return "", file.Close() == nil
		}))
	}
}

// knows says whether gh-ost has a flag: it tells by its exit code.
func (s *stage) knows(ctx context.Context, flag string) bool {
	program := suitekit.Cell().Tool
	_, err := proc.Run(ctx, proc.Cmd{Path: program.Path, Args: []string{"--check-flag", flag}, Env: program.Env, Scope: suitekit.Cell().Dir})
	return err == nil
}
