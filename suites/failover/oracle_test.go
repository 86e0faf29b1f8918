package failover_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/oracle"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
	"mysqlmatrix/harness/workload"
)

const catchUpLimit = 20 * time.Second

// cluster is how things are to be when all is over.
type cluster struct {
	primary  *topology.Node    // the only one that takes writes
	gone     []string          // do not run
	excluded []string          // run and take no part: read-only, and receiving from no server; or following the new primary since
	source   map[string]string // of those that do not follow the primary itself
}

// check are the checks by which the servers are not as they are to be, by name. What they rest on is kept.
func (s *fixture) check(ctx context.Context, c cluster) oracle.Findings {
	return s.judge(s.look(ctx, c))
}

// judge keeps what was seen, and is what the oracle finds in it.
func (s *fixture) judge(seen oracle.Seen) oracle.Findings {
	found := oracle.Judge(seen)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = &oracle.Judged{Seen: seen, Found: found.Texts()}
	return found
}

// look asks the servers for all that the oracle judges by.
func (s *fixture) look(ctx context.Context, c cluster) oracle.Seen {
	l := looker{fixture: s, primary: c.primary, seen: oracle.Seen{Style: s.Flavor.Dialect().GTID, Primary: c.primary.Name, Unasked: map[oracle.Check][]string{},
		Sampled: s.Shape.Primaries() == 1}}
	for _, n := range s.Nodes {
		if slices.Contains(c.gone, n.Name) {
			continue
		}
		readOnly, err := n.Server.ReadOnly(ctx)
		l.unasked(oracle.CheckReadOnly, err)
		one := oracle.Node{Name: n.Name, Part: oracle.Follows, ReadOnly: readOnly}
		switch {
		case n == c.primary:
			one.Part, one.InRing = oracle.Leads, s.Shape.Kind == topology.Ring // there it may go on with its partner when that comes back
			statuses, err := n.Server.ReplicaStatus(ctx)
			l.unasked(oracle.CheckReplication, err)
			for _, status := range statuses {
				one.Sources = append(one.Sources, status.String())
			}
		case slices.Contains(c.excluded, n.Name):
			one.Part = oracle.Apart
			in, err := s.rejoined(ctx, n, c.primary)
			if err != nil {
				one.Behind = err.Error()
			} else if in {
				l.lookAtFollower(ctx, &one, n, c.primary)
			}
		default:
			source := c.primary
			if name, ok := c.source[n.Name]; ok {
				var err error
				if source, err = s.Node(name); err != nil {
					one.Behind, source = err.Error(), nil
				}
			}
			if source != nil {
				l.lookAtFollower(ctx, &one, n, source)
			}
		}
		if err != nil {
			one.ReadOnly = one.Part != oracle.Leads // what could not be asked is found by that
		}
		l.seen.Nodes = append(l.seen.Nodes, one)
	}
	l.lookAtWrites(ctx)
	l.seen.Samples = s.samples.List()
	return l.seen
}

// looker asks servers, and notes what they do not answer.
type looker struct {
	*fixture
	primary *topology.Node
	seen    oracle.Seen
}

func (l *looker) unasked(c oracle.Check, err error) {
	if err != nil {
		l.seen.Unasked[c] = append(l.seen.Unasked[c], err.Error())
	}
}

// lookAtFollower asks a replica that is to follow source and to have what the primary has.
func (l *looker) lookAtFollower(ctx context.Context, one *oracle.Node, n, source *topology.Node) {
	if err := l.follows(ctx, n, source); err != nil {
		one.Behind = err.Error()
	}
	received, err := receivedOf(ctx, n.Server)
	l.unasked(oracle.CheckReceived, err)
	if err == nil {
		text := received.Text(l.seen.Style)
		one.Received = &text
	}
	for _, t := range []workload.Table{table, table.Journal()} {
		if err := sameRows(ctx, l.primary, n, t); err != nil {
			one.Differences = append(one.Differences, err.Error())
		}
	}
}

// lookAtWrites reads what the new primary has of the application's writes.
func (l *looker) lookAtWrites(ctx context.Context) {
	var err error
	w := &l.seen.Writes
	w.Lossless = l.lossless
	w.Journal, err = workload.Numbers(ctx, l.primary.Server, table)
	l.unasked(oracle.CheckLedger, err)
	w.Sent = l.ledger.Sent()
	w.Unlike, err = l.ledger.Verify(ctx, l.primary.Server, table)
	l.unasked(oracle.CheckLedger, err)
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
func (s *fixture) checkAfterFailover(ctx context.Context, audit failover.Audit) oracle.Findings {
	c := s.clusterAfter(audit)
	if c.primary == nil {
		return oracle.Findings{oracle.CheckAudit: fmt.Errorf("the audit names no new primary, but %q", audit.Plan.Promote)}
	}
	seen := s.look(ctx, c)
	seen.Recovery = oracle.RecoveryOf(audit)
	loss, err := s.lookAtLoss(ctx, audit, c.primary)
	if err != nil {
		seen.Unasked[oracle.CheckLoss] = append(seen.Unasked[oracle.CheckLoss], err.Error())
	}
	seen.Loss = loss
	return s.judge(seen)
}

// expectAfterFailover fails the spec when a check does, and returns what became of the writes.
func (s *fixture) expectAfterFailover(ctx context.Context, audit failover.Audit) workload.Account {
	GinkgoHelper()
	if err := s.checkAfterFailover(ctx, audit).Err(); err != nil {
		Fail(err.Error())
	}
	return s.account(ctx, s.clusterAfter(audit).primary)
}

// expectCluster fails the spec unless the servers are as they are to be.
func (s *fixture) expectCluster(ctx context.Context, c cluster) workload.Account {
	GinkgoHelper()
	if err := s.check(ctx, c).Err(); err != nil {
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

// describe is audits as text.
func describe(audits []failover.Audit) string {
	text, err := json.MarshalIndent(audits, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
