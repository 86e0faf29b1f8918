package pool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

const (
	restoreLimit = 20 * time.Second
	// sessionLimit is how long a session may take to end after its client has.
	sessionLimit = 2 * time.Second
	sessionPoll  = 5 * time.Millisecond
)

// Record is what the nodes of a topology were when it was new, by name.
type Record map[string]Fingerprint

// LeftoverError is a topology that is not as it was: which node, and what is left on it.
type LeftoverError struct{ Node, What string }

// Error names the node and what is left.
func (e *LeftoverError) Error() string { return "node " + e.Node + ": " + e.What }

// Take reads a topology that is new. It replaces the connections to the nodes, of which there may be several.
func Take(ctx context.Context, t *topology.Topology) (Record, error) {
	if err := t.Reconnect(ctx); err != nil {
		return nil, err
	}
	if err := each(ctx, t, onlySession); err != nil {
		return nil, err
	}
	prints := make([]Fingerprint, len(t.Nodes))
	err := eachIndex(ctx, t, func(ctx context.Context, i int, n *topology.Node) (err error) {
		prints[i], err = fingerprint(ctx, t, n)
		return err
	})
	r := Record{}
	for i, n := range t.Nodes {
		r[n.Name] = prints[i]
	}
	return r, err
}

// Restore makes a topology anew what it was: it drops the databases that specs own, forgets binary logs and GTIDs, points
// replication again as it was wired, and proves it. It is a *LeftoverError when anything else was not as in the record,
// before or after.
func (r Record) Restore(ctx context.Context, t *topology.Topology, own []string) error {
	ctx, cancel := context.WithTimeout(ctx, restoreLimit)
	defer cancel()
	if err := t.Reconnect(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context, *topology.Node) error{
		onlySession, r.replicates,
		func(ctx context.Context, n *topology.Node) error { return stop(ctx, t, n) },
		endDumps,
		func(ctx context.Context, n *topology.Node) error { return clear(ctx, n, own) },
	} {
		if err := each(ctx, t, step); err != nil {
			return err
		}
	}
	if err := t.Rewire(ctx); err != nil {
		return err
	}
	now, err := Take(ctx, t)
	if err != nil {
		return err
	}
	for _, n := range t.Nodes {
		if what := now[n.Name].difference(r[n.Name]); what != "" {
			return &LeftoverError{Node: n.Name, What: what}
		}
	}
	return nil
}

// each does something on all nodes at once, and says on which one it failed.
func each(ctx context.Context, t *topology.Topology, do func(context.Context, *topology.Node) error) error {
	return eachIndex(ctx, t, func(ctx context.Context, _ int, n *topology.Node) error { return do(ctx, n) })
}

func eachIndex(ctx context.Context, t *topology.Topology, do func(context.Context, int, *topology.Node) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range t.Nodes {
		group.Go(func() error {
			err := do(ctx, i, n)
			if err != nil && !errors.As(err, new(*LeftoverError)) {
				err = fmt.Errorf("node %s: %w", n.Name, err)
			}
			return err
		})
	}
	return group.Wait()
}

// onlySession waits until nobody but this and replication has a session.
func onlySession(ctx context.Context, n *topology.Node) error {
	var others []string
	gone := wait.State{What: "no other session", Limit: sessionLimit, Poll: sessionPoll}
	err := gone.Until(ctx, func(ctx context.Context) (string, bool, error) {
		now, err := otherSessions(ctx, n)
		if err == nil {
			others = now // a look that the end of the wait cut off says nothing
		}
		return strings.Join(others, ", "), err == nil && len(now) == 0, err
	})
	if err != nil && len(others) > 0 {
		return &LeftoverError{Node: n.Name, What: "a session is open: " + strings.Join(others, ", ")}
	}
	return err
}

// ownUsers are names that servers give to threads of their own.
var ownUsers = []string{"system user", "event_scheduler"}

// sessions is the statement that lists them; its own session runs it.
const sessions = "SHOW FULL PROCESSLIST"

func otherSessions(ctx context.Context, n *topology.Node) (list []string, err error) {
	rows, err := n.Server.Rows(ctx, sessions)
	for _, row := range rows {
		dump := row["User"] == sandbox.ReplicaUser && isDump(row)
		if !dump && row["Info"] != sessions && row["Command"] != "Daemon" && !slices.Contains(ownUsers, row["User"]) {
			list = append(list, fmt.Sprintf("%s of %s, %s", row["Id"], row["User"], row["Command"]))
		}
	}
	return list, err
}

// isDump says whether a session sends a binary log.
func isDump(session map[string]string) bool {
	return strings.HasPrefix(session["Command"], "Binlog Dump")
}

// replicates compares what the reset would hide: threads of replication, temporary tables of its applier, the first binary
// log, and GTIDs that were purged.
func (r Record) replicates(ctx context.Context, n *topology.Node) error {
	statuses, err := n.Server.ReplicaStatus(ctx)
	if err != nil {
		return err
	}
	leftover := func(format string, arguments ...any) error {
		return &LeftoverError{Node: n.Name, What: fmt.Sprintf(format, arguments...)}
	}
	if len(statuses) != len(n.Sources) {
		return leftover("it replicates from %d sources and had %d", len(statuses), len(n.Sources))
	}
	for _, s := range statuses {
		if !s.Healthy() || s.IOErrno != 0 || s.SQLErrno != 0 {
			return leftover("replication does not run: %s", s)
		}
	}
	open, err := n.Server.Rows(ctx, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Slave_open_temp_tables', 'Replica_open_temp_tables') AND Value <> '0'")
	if err != nil {
		return err
	}
	if len(open) > 0 {
		return leftover("the applier has %s temporary tables open", open[0]["Value"])
	}
	list, err := n.Server.BinaryLogs(ctx)
	if err != nil {
		return err
	}
	if _, first := r[n.Name]["binary log "+list[0].Name]; !first {
		return leftover("binary logs before %s were purged", list[0].Name)
	}
	if was, ok := r[n.Name]["global variable gtid_purged"]; ok {
		now, err := n.Server.Variable(ctx, "gtid_purged")
		if err == nil && now != was {
			err = leftover("gtid_purged was %q and is %q", was, now)
		}
		return err
	}
	return nil
}

func stop(ctx context.Context, t *topology.Topology, n *topology.Node) error {
	for _, index := range n.Sources {
		channel := t.Channel(n, index)
		if err := errors.Join(n.Server.StopReplica(ctx, channel), n.Server.ResetReplica(ctx, channel)); err != nil {
			return err
		}
	}
	return nil
}

// endDumps ends the sessions of replicas, which servers notice only when they have something to send.
func endDumps(ctx context.Context, n *topology.Node) error {
	ended := wait.State{What: "no replica is connected", Limit: sessionLimit, Poll: sessionPoll}
	return ended.Until(ctx, func(ctx context.Context) (string, bool, error) {
		rows, err := n.Server.Rows(ctx, sessions)
		dumps := 0
		for _, row := range rows {
			if isDump(row) {
				dumps++
				_ = n.Server.Exec(ctx, "KILL "+row["Id"]) // it may have ended since
			}
		}
		return fmt.Sprintf("%d sessions", dumps), dumps == 0, err
	})
}

// clear drops what a spec owns, and forgets what was logged.
func clear(ctx context.Context, n *topology.Node, own []string) error {
	statements := []string{"DELETE FROM " + sandbox.ProofTable, "FLUSH NO_WRITE_TO_BINLOG STATUS"}
	for _, database := range own {
		statements = append(statements, "DROP DATABASE IF EXISTS "+server.Ident(database))
	}
	if err := n.Server.Unlogged(ctx, statements...); err != nil {
		return err
	}
	d := n.Server.Dialect
	if err := n.Server.Exec(ctx, d.ResetBinaryLogs); err != nil {
		return err
	}
	if d.GTID == flavor.GTIDMariaDB {
		if err := n.Server.Exec(ctx, "SET GLOBAL gtid_slave_pos = ''"); err != nil {
			return err
		}
	}
	// What the server has said so far is of the spec that has ended, and no evidence of the next one.
	if err := os.Truncate(n.Sandbox.ErrorLogPath(), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
