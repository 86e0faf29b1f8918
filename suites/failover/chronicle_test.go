package failover_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/failover/oracle"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

const (
	// between is how long one incident is looked at before the next, unless the application has written some before.
	between = 1500 * time.Millisecond
	// settleLimit is how long a cluster whose faults are healed may take until one server takes writes and all have their place.
	settleLimit = 45 * time.Second
	// historyRate is how many writes a second there are: fewer than usual, since a history is long.
	historyRate = rate / 4.0
	// asideLimit is how long a server that follows nobody is waited for before it is rebuilt.
	asideLimit = 10 * time.Second
)

// chronicle is a history on a cluster.
type chronicle struct {
	*fixture
	restart func(context.Context)
	rebuilt int              // how many servers were
	active  []injected       // in order
	past    []failover.Audit // of managers that were replaced
	told    int              // audits that were there when all was last well
}

// injected is a fault that is not yet healed.
type injected struct {
	node  *topology.Node
	fault fault.Fault
}

func (h *chronicle) has(n *topology.Node, f fault.Fault) bool {
	return slices.ContainsFunc(h.active, func(one injected) bool { return one.node == n && one.fault == f })
}

func (h *chronicle) inject(ctx context.Context, n *topology.Node, f fault.Fault) error {
	if err := f.Inject(ctx); err != nil {
		return trouble{err}
	}
	h.active = append(h.active, injected{n, f})
	return nil
}

var _ = suitekit.WithCell(func() {
	if !underTest().PlantsBugs {
		return // another manager cannot be restarted in place, and leaves more to an operator
	}
	Describe("a random history", func() {
		if text := suitekit.Cell().History; text != "" {
			It("that is given violates nothing", Label(cell.LabelFull), Label(cell.LabelLong), func(ctx SpecContext) {
				h, err := parseHistory(text)
				suitekit.NoFault(err)
				_, err = liveThrough(ctx, h, nil)
				if isTrouble(err) {
					suitekit.NoFault(err)
				}
				Expect(err).NotTo(HaveOccurred(), h.String())
			})
			return
		}
		for number := range suitekit.Cell().Histories {
			It(fmt.Sprintf("of %d incidents violates nothing, number %d", incidents, number+1),
				Label(cell.LabelFull), Label(cell.LabelLong), func(ctx SpecContext) {
					expectNoViolation(ctx, drawHistory(suitekit.Cell().Seed, int64(number+1)), nil)
				})
		}
	})
})

// expectNoViolation lives through a history. One that fails is shortened to the smallest one that does, for half of the time that
// is left.
func expectNoViolation(ctx SpecContext, h history, plant func(*embedded.Config)) {
	GinkgoHelper()
	begin := time.Now()
	failed, err := liveThrough(ctx, h, plant)
	if err == nil {
		return
	}
	if isTrouble(err) {
		suitekit.NoFault(err)
	}
	fmt.Printf("violated: %v\nafter: %s\n", err, h[:failed+1]) // shortening it may take long
	deadline := begin.Add(suitekit.Cell().Limit / 2)
	first := err
	shortest := shorten(h[:failed+1], func(shorter history) bool {
		_, again := liveThrough(ctx, shorter, plant)
		if again != nil && !isTrouble(again) {
			err = again
			fmt.Printf("violated: %v\nafter: %s\n", again, shorter)
		}
		return again != nil && !isTrouble(again)
	}, func() bool { return time.Now().Before(deadline) })
	c := suitekit.Cell().ID
	Fail(fmt.Sprintf("%v\nafter: %s\nshortest: %s: %v\nrepro: bin/matrix run --entry %s --suite %s --tool %s --history '%s' --focus '^a random history that is given'",
		first, h[:failed+1], shortest, err, c.Entry, c.Suite, c.Tool, shortest))
}

// liveThrough has a history happen on a fresh cluster. It returns what was violated, and after which incident.
func liveThrough(ctx SpecContext, story history, plant func(*embedded.Config)) (failed int, violation error) {
	GinkgoHelper()
	semiSync := suitekit.Golden(sandbox.ProfileDurable).Capabilities[flavor.CapSemiSync] && !slices.Contains(story, asynchronous)
	h := &chronicle{fixture: deploy(ctx, topology.Options{GTID: true, SemiSync: semiSync})}
	restart := h.manageRestartablyWith(ctx, func(c *embedded.Config) {
		c.Readmit, c.SemiSyncAlone, c.Policy.AntiFlapping = true, true, time.Millisecond
		if plant != nil {
			plant(c)
		}
	})
	h.restart = func(ctx context.Context) {
		h.past = append(h.past, h.manager.Audits()...)
		restart(ctx)
	}
	h.rate = historyRate
	h.write(ctx)
	defer func() {
		h.gate.open()
		for _, one := range h.active { // a server that hangs does not stop
			if pause, ok := one.fault.(fault.Pause); ok {
				_ = pause.Heal(ctx)
			}
		}
		if violation != nil {
			fmt.Println(h.tell(ctx)) // into the output that is kept
		}
		violation = errors.Join(violation, h.load.Stop())
		suitekit.NoFault(h.endManager(ctx))
		suitekit.NoFault(h.Close())
	}()
	for i, one := range append(slices.Clone(story), incident{"heal", all}) {
		n, err := h.target(ctx, one.target)
		if err == nil && (n != nil || one.target == all) {
			err = happenings[one.what].happen(h, ctx, n)
		}
		if err == nil {
			err = h.pause(ctx)
		}
		if err != nil {
			return min(i, len(story)-1), fmt.Errorf("%s: %w", one, err)
		}
	}
	return 0, nil
}

// loggedLines is how much of each server's error log is told.
const loggedLines = 60

// tell says what the manager has done since all was last well, and what each server says of itself.
func (h *chronicle) tell(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catchUpLimit)
	defer cancel()
	var lines []string
	for _, a := range h.audits()[h.told:] {
		lines = append(lines, fmt.Sprintf("%s %s: %s %s", a.Plan.Action, a.Plan.Problem, a.Plan.Reason, a.Error))
		for _, step := range a.Steps {
			lines = append(lines, fmt.Sprintf("  %s %s: %s %s", step.At.Format(time.StampMilli), step.Server, step.What, step.Error))
		}
	}
	for _, n := range h.Nodes {
		asked, cancel := context.WithTimeout(ctx, answerLimit)
		readOnly, err := n.Server.ReadOnly(asked)
		statuses, _ := n.Server.ReplicaStatus(asked)
		semiSync, _ := n.Server.Rows(asked, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync%'")
		cancel()
		lines = append(lines, fmt.Sprintf("%s: read_only %v %v, %v, %v", n.Name, readOnly, err, statuses, semiSync))
		lines = append(lines, proc.TailFile(n.Sandbox.ErrorLogPath(), loggedLines))
	}
	return strings.Join(lines, "\n")
}

// trouble is that the harness could not do what an incident is: it says nothing of the manager.
type trouble struct{ error }

func (t trouble) Unwrap() error { return t.error }

func isTrouble(err error) bool {
	var t trouble
	return errors.As(err, &t)
}

// target is the server that an incident is about; nil when there is none.
func (h *chronicle) target(ctx context.Context, name string) (*topology.Node, error) {
	switch name {
	case all:
		return nil, nil
	case current:
		if names := h.takeWrites(ctx); len(names) > 0 {
			return h.Node(names[0])
		}
		return nil, nil
	default:
		return h.Node(name)
	}
}

// takeWrites are the servers that answer and take writes.
func (h *chronicle) takeWrites(ctx context.Context) (names []string) {
	for _, n := range h.Nodes {
		if !n.Sandbox.Running() || h.has(n, fault.Pause{Node: n}) {
			continue
		}
		asked, cancel := context.WithTimeout(ctx, answerLimit)
		readOnly, err := n.Server.ReadOnly(asked)
		cancel()
		if err == nil && !readOnly {
			names = append(names, n.Name)
		}
	}
	return names
}

// pause lets some time pass, and holds that no two servers have taken writes for longer than an old primary may.
func (h *chronicle) pause(ctx context.Context) error {
	enough := h.ledger.Acknowledged() + pollWrites
	// Writes may be blocked, as they must be while nobody is left to acknowledge: the time is over then.
	_ = wait.State{What: "some writes", Limit: between, Poll: auditPoll}.Until(ctx, func(context.Context) (string, bool, error) {
		return "", h.ledger.Acknowledged() >= enough, nil
	})
	return errors.Join(h.samples.SeveralWritable(), ctx.Err())
}

// healAndJudge heals everything, waits until each server has its place, and puts every oracle to the cluster.
func (h *chronicle) healAndJudge(ctx context.Context) error {
	for _, one := range slices.Backward(h.active) {
		if err := h.cure(ctx, one); err != nil {
			return trouble{err}
		}
	}
	h.active = nil
	var err error
	// A recovery that was under way may end only now, and move what had its place. What is wrong stays wrong.
	for range judgements {
		if err = h.judgeHealed(ctx); err == nil || isTrouble(err) {
			return err
		}
	}
	return err
}

// judgements is how often a cluster is looked at before it is said to be wrong.
const judgements = 3

// judgeHealed puts every oracle to a cluster whose faults are healed.
func (h *chronicle) judgeHealed(ctx context.Context) error {
	primary, err := h.settle(ctx)
	if err != nil {
		return err
	}
	h.gate.close()
	defer h.gate.open()
	h.lossless = h.SemiSync
	if err := h.held(ctx); err != nil {
		return err
	}
	if err := h.caughtUp(ctx, primary); err != nil {
		return err
	}
	var found oracle.Findings
	if err := (wait.State{What: "no finding", Limit: catchUpLimit, Poll: auditPoll}).Until(ctx, func(context.Context) (string, bool, error) {
		found = h.check(ctx, cluster{primary: primary}) // which is not cut off in the middle
		return fmt.Sprint(found.Err()), len(found) == 0, nil
	}); err != nil && len(found) > 0 {
		return errors.Join(found.Err(), ctx.Err())
	}
	h.told = len(h.audits())
	h.noteSample(oracle.Sample{At: time.Now(), AllWell: true})
	return nil
}

// caughtUp waits until every replica has applied what the primary has written: how much that is depends on the machine.
func (h *chronicle) caughtUp(ctx context.Context, primary *topology.Node) error {
	ctx, cancel := context.WithTimeout(ctx, 2*recoveryLimit)
	defer cancel()
	at, _, err := primary.Server.BinaryLogStatus(ctx)
	for _, n := range h.Nodes {
		if n != primary && err == nil {
			err = n.Server.WaitForCoordinates(ctx, at, "")
		}
	}
	return err
}

// cure heals one fault as an operator does: a server that was started with the options of another part is given those of its part.
func (h *chronicle) cure(ctx context.Context, one injected) error {
	if _, ok := one.fault.(fault.StopThread); ok {
		statuses, err := one.node.Server.ReplicaStatus(ctx)
		if err != nil || len(statuses) != 1 || statuses[0].Healthy() {
			return err // it was killed or promoted since
		}
		return one.node.Server.StartReplica(ctx, "")
	}
	if err := one.fault.Heal(ctx); err != nil {
		return err
	}
	if _, killed := one.fault.(fault.Kill); !killed {
		return nil
	}
	statuses, err := one.node.Server.ReplicaStatus(ctx)
	if err != nil || len(statuses) == 0 {
		return err
	}
	return h.makeReplica(ctx, one.node)
}

// makeReplica gives a server the settings of a replica.
func (h *chronicle) makeReplica(ctx context.Context, n *topology.Node) error {
	if err := n.Server.SetReadOnly(ctx, true); err != nil || !h.SemiSync {
		return err
	}
	d := n.Server.Dialect.SemiSync
	if err := n.Server.Exec(ctx, "SET GLOBAL "+d.SourceEnabled+" = 0", "SET GLOBAL "+d.ReplicaEnabled+" = 1"); err != nil {
		return err
	}
	// Its receiver acknowledges only from its next connection on.
	return errors.Join(n.Server.StopIOThread(ctx, ""), n.Server.StartIOThread(ctx, ""))
}

// held waits until every writer waits between two writes.
func (h *chronicle) held(ctx context.Context) error {
	return wait.State{What: "the application can write", Limit: writeLimit, Poll: auditPoll}.Until(ctx, func(context.Context) (string, bool, error) {
		n := h.gate.holds()
		return fmt.Sprintf("%d of %d writers had a write acknowledged", n, writers), n == writers, nil
	})
}

// settle waits until one server takes writes and each other one follows it. One that does not is to be named by the manager, and
// is rebuilt.
func (h *chronicle) settle(ctx context.Context) (primary *topology.Node, err error) {
	if primary, err = h.onePrimary(ctx); err != nil {
		return nil, err
	}
	for _, n := range h.Nodes {
		if n == primary {
			continue
		}
		follows := wait.State{What: n.Name + " follows " + primary.Name, Limit: asideLimit, Poll: auditPoll}.Until(ctx, func(ctx context.Context) (string, bool, error) {
			statuses, err := n.Server.ReplicaStatus(ctx)
			return fmt.Sprint(statuses), err == nil && len(statuses) == 1 && statuses[0].SourcePort == primary.Sandbox.Port() && statuses[0].Healthy(), err
		})
		if follows == nil {
			continue
		}
		if !h.isNamed(n.Name) {
			return nil, fmt.Errorf("no report of a server that does not follow: %w", follows)
		}
		// A replaced primary that is started again takes writes until the manager has looked at it.
		if now := h.takeWrites(ctx); !slices.Equal(now, []string{primary.Name}) {
			return nil, fmt.Errorf("%s took writes, and now %v do", primary.Name, now)
		}
		if err := h.rebuild(ctx, n, primary); err != nil {
			return nil, trouble{err}
		}
	}
	return primary, nil
}

// onePrimary waits until one server takes writes. A primary that was restarted read-only is to be reported, and is made writable.
func (h *chronicle) onePrimary(ctx context.Context) (*topology.Node, error) {
	var names []string
	err := wait.State{What: "one server takes writes", Limit: settleLimit, Poll: auditPoll}.Until(ctx, func(ctx context.Context) (string, bool, error) {
		names = h.takeWrites(ctx)
		if len(names) == 0 {
			if err := h.openReported(ctx); err != nil {
				return "", false, err
			}
		}
		return fmt.Sprintf("%v do", names), len(names) == 1, nil
	})
	if err != nil {
		return nil, err
	}
	return h.Node(names[0])
}

// openReported makes a primary writable that the manager has reported to be read-only.
func (h *chronicle) openReported(ctx context.Context) error {
	for _, a := range h.audits()[h.told:] {
		if a.Plan.Problem != failover.ReadOnlyPrimary {
			continue
		}
		n, err := h.Node(a.Plan.Dead)
		if err != nil {
			return err
		}
		statuses, err := n.Server.ReplicaStatus(ctx)
		if err != nil || len(statuses) > 0 {
			return err
		}
		if h.SemiSync {
			if err := n.Server.Exec(ctx, "SET GLOBAL "+n.Server.Dialect.SemiSync.SourceEnabled+" = 1"); err != nil {
				return err
			}
		}
		return n.Server.SetReadOnly(ctx, false)
	}
	return nil
}

// audits are those of all managers until now.
func (h *chronicle) audits() []failover.Audit { return slices.Concat(h.past, h.manager.Audits()) }

// isNamed says whether the manager has said since all was last well that a server has no part in the cluster.
func (h *chronicle) isNamed(name string) bool {
	return slices.ContainsFunc(h.audits()[h.told:], func(a failover.Audit) bool {
		return a.Plan.Dead == name || slices.ContainsFunc(a.Excluded, func(one failover.Exclusion) bool { return one.Name == name })
	})
}

// rebuild takes a server's data and has it replicate everything anew, as an operator does with one that has writes of its own.
func (h *chronicle) rebuild(ctx context.Context, n, primary *topology.Node) error {
	lost := fault.DataLost{Topology: h.Topology, Node: n, Golden: suitekit.Golden(sandbox.ProfileDurable), Source: primary}
	if err := lost.Inject(ctx); err != nil {
		return err
	}
	if err := h.renumber(n); err != nil {
		return err
	}
	if err := lost.Heal(ctx); err != nil {
		return err
	}
	h.noteSample(oracle.Sample{At: time.Now(), Node: n.Name, Rebuilt: true})
	return nil
}

// renumber gives a server another server_id, and a replica's options: with its old one it would not apply what it has once written
// itself.
func (h *chronicle) renumber(n *topology.Node) (err error) {
	h.rebuilt++
	lines := fmt.Sprintf("\nserver-id=%d\nread_only=1\n", 1000+h.rebuilt)
	if d := n.Server.Dialect.SemiSync; h.SemiSync {
		lines += fmt.Sprintf("loose-%s=0\nloose-%s=1\n", d.SourceEnabled, d.ReplicaEnabled)
	}
	file, err := os.OpenFile(n.Sandbox.ConfigPath(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(lines)
	return errors.Join(err, file.Close())
}
