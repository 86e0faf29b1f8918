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
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
	"mysqlmatrix/harness/workload"
)

const catchUpLimit = 20 * time.Second

// check is one part of the oracle.
type check string

// The checks.
const (
	checkAudit       check = "audit"       // complete, its times in order
	checkReadOnly    check = "read_only"   // off on the new primary and on no other server
	checkReplication check = "replication" // everybody follows the new primary, without an error, and catches up
	checkRows        check = "rows"        // everybody holds the same
	checkLedger      check = "ledger"      // what was acknowledged is there, but for what is stated as lost
	checkLoss        check = "loss"        // what is lost is exactly what no survivor had received
	checkReceived    check = "received"    // the new primary has all that it had ever received, and had it all the time; so have its replicas
	checkWritable    check = "writable"    // two servers took writes at a time for no longer than an old primary may until it is fenced
)

// cluster is how things are to be when all is over.
type cluster struct {
	primary  *topology.Node    // the only one that takes writes
	gone     []string          // do not run
	excluded []string          // run and take no part: read-only, and receiving from no server; or following the new primary since
	source   map[string]string // of those that do not follow the primary itself
}

// check are the checks by which the servers are not as they are to be, by name.
func (s *fixture) check(ctx context.Context, c cluster) findings {
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
		case slices.Contains(c.excluded, n.Name):
			in, err := s.rejoined(ctx, n, c.primary)
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
	if s.Shape.Kind != topology.Ring && s.Shape.Kind != topology.FanIn {
		found.note(checkReceived, s.samples.lostBy(c.primary.Name))
		if several := s.samples.severalWritable(); several > fenceLimit {
			found.note(checkWritable, fmt.Errorf("more than one server took writes for %s", several))
		}
	}
	account, err := s.ledger.Account(ctx, c.primary.Server, table)
	found.note(checkLedger, err)
	found.note(checkLedger, s.agrees(ctx, c.primary, account))
	return found
}

// noteFollower notes what is wrong with a replica that is to follow source and to have what the primary has.
func (s *fixture) noteFollower(ctx context.Context, found findings, n, source, primary *topology.Node) {
	found.note(checkReplication, s.follows(ctx, n, source))
	found.note(checkReceived, s.samples.lackedBy(ctx, n))
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

// clusterAfter is the cluster as a recovery should have left it: the old primary does not run, and a server that the audit
// calls lost takes no part.
func (s *fixture) clusterAfter(audit failover.Audit) cluster {
	c := cluster{gone: []string{audit.Plan.Dead}}
	for _, n := range s.Nodes {
		if n.Name == audit.Plan.Promote {
			c.primary = n
		}
	}
	for _, a := range audit.Excluded {
		if a.Name != audit.Plan.Dead {
			c.excluded = append(c.excluded, a.Name)
		}
	}
	return c
}

// checkAfterFailover are the checks that fail after the death of the primary, by name. It is started again, alone,
// to hold what was lost against it.
func (s *fixture) checkAfterFailover(ctx context.Context, audit failover.Audit) findings {
	c := s.clusterAfter(audit)
	if c.primary == nil {
		return findings{checkAudit: fmt.Errorf("the audit names no new primary, but %q", audit.Plan.Promote)}
	}
	found := s.check(ctx, c)
	found.note(checkAudit, complete(audit))
	account, err := s.ledger.Account(ctx, c.primary.Server, table)
	found.note(checkLedger, err)
	found.note(checkLoss, s.lostOnlyUnreceived(ctx, audit, c.primary, account))
	return found
}

// expectAfterFailover fails the spec when a check does, and returns what became of the writes.
func (s *fixture) expectAfterFailover(ctx context.Context, audit failover.Audit) workload.Account {
	GinkgoHelper()
	if err := s.checkAfterFailover(ctx, audit).err(); err != nil {
		Fail(err.Error())
	}
	return s.account(ctx, s.clusterAfter(audit).primary)
}

// expectCluster fails the spec unless the servers are as they are to be.
func (s *fixture) expectCluster(ctx context.Context, c cluster) workload.Account {
	GinkgoHelper()
	if err := s.check(ctx, c).err(); err != nil {
		Fail(err.Error())
	}
	return s.account(ctx, c.primary)
}

// account says what became of the writes, and keeps it with the spec.
func (s *fixture) account(ctx context.Context, primary *topology.Node) workload.Account {
	GinkgoHelper()
	account, err := s.ledger.Account(ctx, primary.Server, table)
	suitekit.NoFault(err)
	suitekit.Measure("acknowledged writes lost", "", float64(len(account.Lost)))
	return account
}

// complete is an error unless the recovery went to its end, every server follows or is named as excluded, and
// its times are in order. What a manager does not say is left out; when it knew and when the new primary took
// writes it must say.
func complete(a failover.Audit) error {
	placed := !slices.ContainsFunc(a.Plan.Repoint, func(name string) bool {
		return !slices.Contains(a.Followers, name) && !slices.ContainsFunc(a.Excluded, func(one failover.Exclusion) bool { return one.Name == name })
	})
	if !a.Done || a.Error != "" || !placed {
		return fmt.Errorf("the recovery is not complete: error %q, to follow %v, following %v, excluded %v", a.Error, a.Plan.Repoint, a.Followers, a.Excluded)
	}
	p := a.Phases
	if p.Detected.IsZero() || p.Writable.IsZero() || p.Following.IsZero() {
		return fmt.Errorf("the phases are not complete: %+v", p)
	}
	phases := slices.DeleteFunc([]time.Time{p.Suspected, p.Detected, p.ReceiversStopped, p.Applied, p.Writable, p.Following}, time.Time.IsZero)
	if !slices.IsSortedFunc(phases, time.Time.Compare) {
		return fmt.Errorf("the phases are not in order: %+v", p)
	}
	return nil
}

// rejoined waits until a node that was excluded cannot go back to its old source any more: it receives nothing, or the manager
// has made it follow the new primary, for which it may first have to answer. It says which; neither is an error.
func (s *fixture) rejoined(ctx context.Context, n, primary *topology.Node) (in bool, err error) {
	state := wait.State{What: "node " + n.Name + " was excluded and still has a source", Limit: catchUpLimit, Poll: auditPoll}
	err = state.Until(ctx, func(ctx context.Context) (string, bool, error) {
		statuses, err := n.Server.ReplicaStatus(ctx)
		if err != nil {
			return "no answer", false, err
		}
		in = len(statuses) == 1 && statuses[0].SourcePort == primary.Sandbox.Port() && statuses[0].IORunning != "No"
		elsewhere := slices.DeleteFunc(slices.Clone(statuses), func(status server.ReplicaStatus) bool {
			// A name that cannot be reached, as orchestrator makes one, is as good as a stopped thread.
			return status.IORunning == "No" || strings.HasPrefix(status.SourceHost, "//") || status.SourcePort == primary.Sandbox.Port()
		})
		return fmt.Sprint(elsewhere), len(elsewhere) == 0, nil
	})
	return in, err
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

// follows is an error unless a node replicates from the new primary and catches up with it. One that goes on applying is
// waited for: how fast it applies is the machine's.
func (s *fixture) follows(ctx context.Context, n, primary *topology.Node) error {
	status, err := s.followed(ctx, n, primary)
	if err != nil {
		return err
	}
	at, _, err := primary.Server.BinaryLogStatus(ctx)
	if err != nil {
		return err
	}
	for {
		limited, cancel := context.WithTimeout(ctx, catchUpLimit)
		err := n.Server.WaitForCoordinates(limited, at, "")
		cancel()
		if err == nil {
			return nil
		}
		now, statusErr := s.followed(ctx, n, primary)
		if statusErr != nil || ctx.Err() != nil || now.Executed == status.Executed {
			return fmt.Errorf("node %s catches up with %s: %w", n.Name, primary.Name, err)
		}
		status = now
	}
}

// followed is a node's replication status. It is an error unless the node replicates from the new primary.
func (s *fixture) followed(ctx context.Context, n, primary *topology.Node) (server.ReplicaStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, catchUpLimit)
	defer cancel()
	statuses, err := n.Server.ReplicaStatus(ctx)
	if err != nil {
		return server.ReplicaStatus{}, err
	}
	if len(statuses) != 1 {
		return server.ReplicaStatus{}, fmt.Errorf("node %s has %d sources", n.Name, len(statuses))
	}
	if one := statuses[0]; one.SourcePort != primary.Sandbox.Port() || !one.Healthy() {
		return one, fmt.Errorf("node %s does not follow %s (port %d): %s", n.Name, primary.Name, primary.Sandbox.Port(), one)
	}
	return statuses[0], nil
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
// and every row there was written.
func (s *fixture) agrees(ctx context.Context, primary *topology.Node, account workload.Account) error {
	if len(account.Foreign) > 0 {
		return fmt.Errorf("node %s has writes that the application did not send: %v", primary.Name, account.Foreign)
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

// describe is audits as text.
func describe(audits []failover.Audit) string {
	text, err := json.MarshalIndent(audits, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
