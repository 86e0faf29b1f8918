package upgrade

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

// rolling upgrades replicas in place one by one, switches over to one of them, and upgrades the old primary last, while a writer
// writes to the primary.
func (r *runner) rolling(ctx context.Context, o *Outcome) (err error) {
	r.made++
	dir := filepath.Join(r.Dir, fmt.Sprintf("rolling%d", r.made))
	options := topology.Options{Shape: topology.Shape{Kind: topology.Star, N: Replicas}, Server: r.serverOptions(r.from()),
		GTID: r.from().Capabilities[flavor.CapGTID] && r.to().Capabilities[flavor.CapGTID]}
	t, err := topology.Deploy(ctx, r.from(), options, dir, r.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	source, err := open(ctx, t.Primary().Sandbox)
	if err != nil {
		return err
	}
	_, err = load(ctx, source.conn, r.Source, source.flavor, r.began)
	if err := errors.Join(err, source.close()); err != nil {
		return err
	}
	if err := t.WaitCaughtUp(ctx); err != nil {
		return err
	}
	w, err := NewWriter(ctx, t.Primary().Server.Endpoint)
	if err != nil {
		return err
	}
	roll := &roll{runner: r, outcome: o, topology: t, writer: w, primary: t.Primary()}
	order := ReplicaOrder(r.Seed, Replicas)
	for _, g := range r.Goldens[1:] {
		if done, err := roll.step(ctx, g, order); err != nil || !done {
			return errors.Join(err, w.Stop())
		}
	}
	if err := w.Stop(); err != nil {
		return err
	}
	writes, gap := w.Acknowledged()
	o.Gap, o.Writes = gap.Seconds(), writes
	if err := roll.ledger(ctx); err != nil {
		return err
	}
	return r.rolled(ctx, o, roll.primary)
}

// rolled compares the new primary with the old version.
func (r *runner) rolled(ctx context.Context, o *Outcome, primary *topology.Node) (err error) {
	old, err := r.old(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.remove()) }()
	next, err := open(ctx, primary.Sandbox)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, next.close()) }()
	return r.compare(ctx, o, old.side, next, nil, nil)
}

// roll is a rolling upgrade under way.
type roll struct {
	*runner
	outcome  *Outcome
	topology *topology.Topology
	writer   *Writer
	primary  *topology.Node
}

// step takes all nodes to the next version. It is false when the new version refuses the data.
func (r *roll) step(ctx context.Context, g *sandbox.Golden, order []int) (bool, error) {
	replicas := r.replicas()
	for _, i := range order {
		if done, err := r.install(ctx, replicas[i], g); err != nil || !done {
			return false, err
		}
		if err := r.caughtUp(ctx, replicas[i]); err != nil {
			return false, r.stopped(ctx, replicas[i], err)
		}
	}
	old, next := r.primary, replicas[order[0]]
	if err := r.switchover(ctx, next, replicas); err != nil {
		return false, err
	}
	r.returns(ctx, r.outcome, old.Server, next.Server, r.topology.GTID)
	if done, err := r.install(ctx, old, g); err != nil || !done {
		return false, err
	}
	if err := r.pointTo(ctx, old, next); err != nil {
		return false, err
	}
	return true, r.caughtUp(ctx, old)
}

// replicas are all nodes but the primary.
func (r *roll) replicas() []*topology.Node {
	var list []*topology.Node
	for _, n := range r.topology.Nodes {
		if n != r.primary {
			list = append(list, n)
		}
	}
	return list
}

// install upgrades one node in place.
func (r *roll) install(ctx context.Context, n *topology.Node, g *sandbox.Golden) (bool, error) {
	if n != r.primary {
		if err := n.Server.StopReplica(ctx, ""); err != nil {
			return false, err
		}
	}
	if err := Install(ctx, n, g); err != nil {
		var failed *sandbox.StartError
		if !errors.As(err, &failed) {
			return false, err
		}
		if err := r.aborted(ctx, r.outcome, n.Sandbox, 0); err != nil {
			return false, err
		}
		r.outcome.WayBack = "the primary is still the old version, and goes on"
		return false, nil
	}
	s, err := open(ctx, n.Sandbox)
	if err != nil {
		return false, err
	}
	detail, err := systemTables(ctx, &running{n.Sandbox, s}, r.Dir)
	r.outcome.Detail = detail
	return true, errors.Join(err, s.close())
}

// Install upgrades a node in place: a slow shutdown, and the new server on its data directory. Replication goes on by itself where
// the node was a replica.
func Install(ctx context.Context, n *topology.Node, g *sandbox.Golden) error {
	err := errors.Join(n.Server.Exec(ctx, "SET GLOBAL innodb_fast_shutdown = 0"), n.Server.Close(), n.Sandbox.Stop(ctx), g.Install(n.Sandbox))
	if err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	return Restart(ctx, n)
}

// Restart starts a node that is stopped, and connects to it.
func Restart(ctx context.Context, n *topology.Node) (err error) {
	if err := n.Sandbox.Start(ctx); err != nil {
		return err
	}
	n.Server, err = server.Open(ctx, n.Sandbox.Endpoint())
	return err
}

// caughtUp waits until a replica has what the primary had written when it was asked.
func (r *roll) caughtUp(ctx context.Context, n *topology.Node) error {
	return CaughtUp(ctx, r.primary, n)
}

// CaughtUp starts a replica where it does not run, and waits until it has what its source had written when it was asked.
func CaughtUp(ctx context.Context, source, n *topology.Node) error {
	if err := n.Server.StartReplica(ctx, ""); err != nil {
		return err
	}
	at, _, err := source.Server.BinaryLogStatus(ctx)
	if err != nil {
		return err
	}
	state := wait.State{What: n.Name + " has applied " + at.String(), Limit: catchUpLimit, Poll: 50 * time.Millisecond}
	return state.Until(ctx, func(ctx context.Context) (string, bool, error) {
		list, err := n.Server.ReplicaStatus(ctx)
		if err != nil || len(list) == 0 {
			return "", false, err
		}
		s := list[0]
		if s.SQLErrno != 0 || s.IOErrno != 0 && s.IORunning == "No" {
			return s.String(), false, wait.Stop(&stopError{s})
		}
		return s.String(), s.Executed.Compare(at) >= 0, nil
	})
}

// stopError is a replica whose applier or receiver has stopped.
type stopError struct{ status server.ReplicaStatus }

func (e *stopError) Error() string { return e.status.String() }

// stopped makes a finding of a replica that has stopped, and lets other errors be.
func (r *roll) stopped(ctx context.Context, n *topology.Node, err error) error {
	var s *stopError
	if !errors.As(err, &s) {
		return err
	}
	return r.stoppedReplica(ctx, r.outcome, r.primary, n, s.status)
}

// switchover makes a replica the primary; the writer is told where to write.
func (r *roll) switchover(ctx context.Context, next *topology.Node, replicas []*topology.Node) error {
	if err := r.primary.Server.SetReadOnly(ctx, true); err != nil {
		return err
	}
	for _, n := range replicas {
		if err := r.caughtUp(ctx, n); err != nil {
			return err
		}
	}
	if err := Promote(ctx, next.Server); err != nil {
		return err
	}
	old := r.primary
	r.primary = next
	for _, n := range replicas {
		if n == next {
			continue
		}
		if err := r.pointTo(ctx, n, next); err != nil {
			return err
		}
	}
	r.writer.Move(next.Server.Endpoint)
	return old.Server.SetReadOnly(ctx, true)
}

// pointTo has a node replicate from another that has all that it has.
func (r *roll) pointTo(ctx context.Context, n, source *topology.Node) error {
	return PointTo(ctx, n, source, r.topology.GTID)
}

// PointTo has a node replicate from another by GTID; without GTIDs from its current end, up to which n has everything.
func PointTo(ctx context.Context, n, source *topology.Node, gtid bool) error {
	at, _, err := source.Server.BinaryLogStatus(ctx)
	if err != nil {
		return err
	}
	src := server.Source{Endpoint: source.Sandbox.ReplicationEndpoint(), At: at, GTID: gtid}
	return errors.Join(n.Server.StopReplica(ctx, ""), n.Server.PointTo(ctx, src), n.Server.StartReplica(ctx, ""))
}

// ledger checks that every write that was acknowledged is on every node.
func (r *roll) ledger(ctx context.Context) error {
	for _, n := range r.topology.Nodes {
		if n != r.primary {
			if err := r.caughtUp(ctx, n); err != nil {
				return err
			}
		}
		lost, err := r.writer.Missing(ctx, n.Server)
		if err != nil {
			return err
		}
		if lost > 0 {
			r.all.add(r.outcome.Way, Finding{Grade: Differs, Object: Object{Kind: "node", Name: n.Name}, What: fmt.Sprintf("%d writes that were acknowledged are not there", lost)})
		}
	}
	return nil
}
