package failover_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

const catchUpLimit = 20 * time.Second

// check is one part of the oracle.
type check string

// The checks.
const (
	checkAudit       check = "audit"       // complete, its times in order
	checkReadOnly    check = "read_only"   // off on the new primary and on nobody else
	checkReplication check = "replication" // everybody follows the new primary, without an error, and catches up
	checkRows        check = "rows"        // everybody holds the same
	checkLedger      check = "ledger"      // what was acknowledged is there, but for what is stated as lost
	checkLoss        check = "loss"        // what is lost is exactly what no survivor had received
)

// cluster is how things are to be when all is over.
type cluster struct {
	primary *topology.Node    // the only one that takes writes
	gone    []string          // do not run
	apart   []string          // run and take no part: read-only, and fetching from nobody; or taken in since
	source  map[string]string // of those that do not follow the primary itself
}

// unlike are the checks by which the servers are not as they are to be, by name.
func (s *scene) unlike(ctx context.Context, c cluster) findings {
	found := findings{}
	for _, n := range s.Nodes {
		if slices.Contains(c.gone, n.Name) {
			continue
		}
		found.note(checkReadOnly, readOnly(ctx, n, n != c.primary))
		switch {
		case n == c.primary:
			if s.Shape.Kind != topology.Ring { // there it may go on with its partner when that comes back
				found.note(checkReplication, noSource(ctx, n))
			}
		case slices.Contains(c.apart, n.Name):
			in, err := s.takenIn(ctx, n, c.primary)
			found.note(checkReplication, err)
			if in {
				s.noteFollower(ctx, found, n, c.primary, c.primary)
			}
		default:
			source := c.primary
			if name, ok := c.source[n.Name]; ok {
				var err error
				if source, err = s.Node(name); err != nil {
					found.note(checkReplication, err)
					continue
				}
			}
			s.noteFollower(ctx, found, n, source, c.primary)
		}
	}
	account, err := s.ledger.Account(ctx, c.primary.Server, table)
	found.note(checkLedger, err)
	found.note(checkLedger, s.agrees(ctx, c.primary, account))
	return found
}

// noteFollower notes what is wrong with a replica that is to follow source and to have what the primary has.
func (s *scene) noteFollower(ctx context.Context, found findings, n, source, primary *topology.Node) {
	found.note(checkReplication, s.follows(ctx, n, source))
	for _, t := range []workload.Table{table, table.Journal()} {
		found.note(checkRows, sameRows(ctx, primary, n, t))
	}
}

// findings are what is wrong, by the check that found it.
type findings map[check]error

func (f findings) note(c check, err error) {
	if err != nil {
		f[c] = errors.Join(f[c], err)
	}
}

// err is all of them, in the order of their names; nil when there are none.
func (f findings) err() error {
	var errs []error
	for _, c := range slices.Sorted(maps.Keys(f)) {
		errs = append(errs, fmt.Errorf("%s: %w", c, f[c]))
	}
	return errors.Join(errs...)
}

// after is the cluster as a recovery should have left it: the old primary does not run, and whom the audit
// calls lost takes no part.
func (s *scene) after(audit failover.Audit) cluster {
	c := cluster{gone: []string{audit.Plan.Dead}}
	for _, n := range s.Nodes {
		if n.Name == audit.Plan.Promote {
			c.primary = n
		}
	}
	for _, a := range audit.Apart {
		if a.Name != audit.Plan.Dead {
			c.apart = append(c.apart, a.Name)
		}
	}
	return c
}

// objections are the checks that fail after the death of the primary, by name. It is started again, alone,
// to hold what was lost against it.
func (s *scene) objections(ctx context.Context, audit failover.Audit) findings {
	c := s.after(audit)
	if c.primary == nil {
		return findings{checkAudit: fmt.Errorf("the audit names no new primary, but %q", audit.Plan.Promote)}
	}
	found := s.unlike(ctx, c)
	found.note(checkAudit, complete(audit))
	account, err := s.ledger.Account(ctx, c.primary.Server, table)
	found.note(checkLedger, err)
	found.note(checkLoss, s.lostOnlyUnreceived(ctx, audit, c.primary, account))
	return found
}

// judge fails the spec when a check does, and returns what became of the writes.
func (s *scene) judge(ctx context.Context, audit failover.Audit) workload.Account {
	GinkgoHelper()
	if err := s.objections(ctx, audit).err(); err != nil {
		Fail(err.Error())
	}
	return s.account(ctx, s.after(audit).primary)
}

// expect fails the spec unless the servers are as they are to be.
func (s *scene) expect(ctx context.Context, c cluster) workload.Account {
	GinkgoHelper()
	if err := s.unlike(ctx, c).err(); err != nil {
		Fail(err.Error())
	}
	return s.account(ctx, c.primary)
}

// account says what became of the writes, and keeps it with the spec.
func (s *scene) account(ctx context.Context, primary *topology.Node) workload.Account {
	GinkgoHelper()
	account, err := s.ledger.Account(ctx, primary.Server, table)
	suitekit.NoFault(err)
	suitekit.Measure("acknowledged writes lost", "", float64(len(account.Lost)))
	return account
}

// complete is an error unless the recovery went to its end, everybody follows or is named as set apart, and
// its times are in order. What a manager does not say is left out; when it knew and when the new primary took
// writes it must say.
func complete(a failover.Audit) error {
	placed := !slices.ContainsFunc(a.Plan.Rewire, func(name string) bool {
		return !slices.Contains(a.Followers, name) && !slices.ContainsFunc(a.Apart, func(one failover.Apart) bool { return one.Name == name })
	})
	if !a.Done || a.Error != "" || !placed {
		return fmt.Errorf("the recovery is not complete: error %q, to follow %v, following %v, apart %v", a.Error, a.Plan.Rewire, a.Followers, a.Apart)
	}
	p := a.Phases
	if p.Detected.IsZero() || p.Writable.IsZero() || p.Following.IsZero() {
		return fmt.Errorf("the phases are not complete: %+v", p)
	}
	phases := slices.DeleteFunc([]time.Time{p.Suspected, p.Detected, p.Frozen, p.Applied, p.Writable, p.Following}, time.Time.IsZero)
	if !slices.IsSortedFunc(phases, time.Time.Compare) {
		return fmt.Errorf("the phases are not in order: %+v", p)
	}
	return nil
}

// takenIn waits until a node that was set apart cannot go back to its old source any more: it fetches nothing, or the manager
// has made it follow the new primary, for which it may first have to answer. It says which; neither is an error.
func (s *scene) takenIn(ctx context.Context, n, primary *topology.Node) (in bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, catchUpLimit)
	defer cancel()
	tick := time.NewTicker(auditPoll)
	defer tick.Stop()
	var astray []server.ReplicaStatus // when it answered last
	for {
		statuses, err := n.Server.ReplicaStatus(ctx)
		if err == nil {
			astray = slices.DeleteFunc(slices.Clone(statuses), func(status server.ReplicaStatus) bool {
				// A name that cannot be reached, as orchestrator makes one, is as good as a stopped thread.
				return status.IORunning == "No" || strings.HasPrefix(status.SourceHost, "//") || status.SourcePort == primary.Sandbox.Port()
			})
		}
		if err == nil && len(astray) == 0 {
			return len(statuses) == 1 && statuses[0].SourcePort == primary.Sandbox.Port() && statuses[0].IORunning != "No", nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, errors.Join(err, fmt.Errorf("node %s was set apart and still has a source: %v", n.Name, astray))
		}
	}
}

func readOnly(ctx context.Context, n *topology.Node, want bool) error {
	got, err := n.Server.ReadOnly(ctx)
	if err == nil && got != want {
		err = fmt.Errorf("node %s: read_only is %v", n.Name, got)
	}
	return err
}

func noSource(ctx context.Context, n *topology.Node) error {
	statuses, err := n.Server.ReplicaStatus(ctx)
	if err == nil && len(statuses) > 0 {
		err = fmt.Errorf("node %s is the primary and has a source: %s", n.Name, statuses[0])
	}
	return err
}

// follows is an error unless a node replicates from the new primary and catches up with it.
func (s *scene) follows(ctx context.Context, n, primary *topology.Node) error {
	ctx, cancel := context.WithTimeout(ctx, catchUpLimit)
	defer cancel()
	statuses, err := n.Server.ReplicaStatus(ctx)
	if err != nil {
		return err
	}
	if len(statuses) != 1 {
		return fmt.Errorf("node %s has %d sources", n.Name, len(statuses))
	}
	status := statuses[0]
	if status.SourcePort != primary.Sandbox.Port() || !status.Healthy() {
		return fmt.Errorf("node %s does not follow %s (port %d): %s", n.Name, primary.Name, primary.Sandbox.Port(), status)
	}
	at, _, err := primary.Server.BinaryLogStatus(ctx)
	if err != nil {
		return err
	}
	if err := n.Server.WaitForCoordinates(ctx, at, ""); err != nil {
		return fmt.Errorf("node %s catches up with %s: %w", n.Name, primary.Name, err)
	}
	return nil
}

// sameRows is an error unless two nodes hold the same rows.
func sameRows(ctx context.Context, a, b *topology.Node, t workload.Table) error {
	key := []string{"id"}
	if t != table {
		key = []string{"number"}
	}
	if err := workload.Same(ctx, workload.Side{Server: a.Server, Table: t}, workload.Side{Server: b.Server, Table: t}, key); err != nil {
		return fmt.Errorf("nodes %s and %s: %w", a.Name, b.Name, err)
	}
	return nil
}

// agrees is an error unless the new primary's rows are as acknowledged, but for the rows of lost writes,
// and nothing is there that nobody wrote.
func (s *scene) agrees(ctx context.Context, primary *topology.Node, account workload.Account) error {
	if len(account.Foreign) > 0 {
		return fmt.Errorf("node %s has writes that nobody sent: %v", primary.Name, account.Foreign)
	}
	differences, err := s.ledger.Verify(ctx, primary.Server, table)
	if err != nil {
		return err
	}
	stated := map[int64]bool{}
	for _, lost := range account.Lost {
		stated[lost.Key] = true
	}
	unexplained := slices.DeleteFunc(differences, func(d workload.Difference) bool { return d.Lost && stated[d.Key] })
	if len(unexplained) > 0 {
		return fmt.Errorf("node %s: %s", primary.Name, unexplained)
	}
	return nil
}

// lostOnlyUnreceived holds the loss against the dead primary itself. It is started again, alone: what it
// committed and the new primary lacks must be as many transactions as its binary log has after the
// furthest place that any survivor had fetched.
func (s *scene) lostOnlyUnreceived(ctx context.Context, audit failover.Audit, primary *topology.Node, account workload.Account) error {
	dead := s.Primary()
	if err := (fault.Kill{Node: dead}).Heal(ctx); err != nil {
		return err
	}
	old, err := workload.Numbers(ctx, dead.Server, table)
	if err != nil {
		return err
	}
	kept, err := workload.Numbers(ctx, primary.Server, table)
	if err != nil {
		return err
	}
	missing := 0
	for number := range old {
		if _, ok := kept[number]; !ok {
			missing++
		}
	}
	for _, lost := range account.Lost {
		if _, ok := old[lost.Number]; !ok {
			return fmt.Errorf("write %d was acknowledged, and the dead primary itself does not have it", lost.Number)
		}
	}
	furthest := s.furthestOf(audit, primary.Name)
	unreceived, err := transactionsFrom(ctx, dead.Server, furthest)
	if err != nil {
		return err
	}
	if missing != unreceived {
		return fmt.Errorf("the dead primary has %d transactions that the new one lacks, and %d that no survivor had received (from %s on)",
			missing, unreceived, furthest)
	}
	return nil
}

// furthestOf is the last place in the dead primary's log that a survivor had fetched, as the manager says or, when it does
// not, as the suite has seen it. One that the spec has made unfit for promotion is none, unless it was promoted: what only
// that one has cannot be had.
func (s *scene) furthestOf(audit failover.Audit, promoted string) (at server.Coordinates) {
	fetched := map[string]server.Coordinates{}
	for _, o := range audit.State.Servers {
		for _, l := range o.Links {
			if l.Read.Compare(fetched[o.Name]) > 0 {
				fetched[o.Name] = l.Read
			}
		}
	}
	if len(fetched) == 0 {
		s.mu.Lock()
		fetched = s.fetched
		s.mu.Unlock()
	}
	for name, read := range fetched {
		if (name != s.unfit || name == promoted) && read.Compare(at) > 0 {
			at = read
		}
	}
	return at
}

// transactionsFrom counts the transactions in a server's binary logs from a place on.
func transactionsFrom(ctx context.Context, s *server.Server, from server.Coordinates) (int, error) {
	logs, err := s.BinaryLogs(ctx)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, log := range logs {
		start := server.Coordinates{File: log.Name, Pos: from.Pos}
		if start.Compare(from) < 0 {
			continue
		}
		query := "SHOW BINLOG EVENTS IN " + server.Quote(log.Name)
		if log.Name == from.File {
			if from.Pos >= log.Size {
				continue
			}
			query += fmt.Sprintf(" FROM %d", from.Pos)
		}
		events, err := s.Rows(ctx, query)
		if err != nil {
			return 0, err
		}
		for _, event := range events {
			if event["Event_type"] == "Xid" {
				count++
			}
		}
	}
	return count, nil
}

// describe is audits as text.
func describe(audits []failover.Audit) string {
	text, err := json.MarshalIndent(audits, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
