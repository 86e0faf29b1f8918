package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/wait"
)

// raftNodes is how many orchestrators agree on who leads.
const raftNodes = 3

// Raft is three orchestrators of which one leads, each with a store of its own.
type Raft struct {
	nodes []*Manager
	port  *sandbox.Lease
}

// NewRaft makes the nodes on 127.0.0.1, .2 and .3; nothing is started until Start.
func NewRaft(c Config) (*Raft, error) {
	r := &Raft{}
	var err error
	if r.port, err = sandbox.LeasePort(); err != nil {
		return nil, err
	}
	var hosts []string
	for n := range raftNodes {
		hosts = append(hosts, "127.0.0."+strconv.Itoa(n+1))
	}
	for n, host := range hosts {
		one := c
		one.Host, one.Dir = host, filepath.Join(c.Dir, "node"+strconv.Itoa(n+1))
		one.Settings = map[string]any{
			"RaftEnabled": true, "RaftBind": host, "RaftAdvertise": host, "DefaultRaftPort": r.port.Port, "RaftNodes": hosts,
			"RaftDataDir": filepath.Join(one.Dir, "raft"),
		}
		for name, value := range c.Settings {
			one.Settings[name] = value
		}
		node, err := New(one)
		if err != nil {
			return nil, err
		}
		r.nodes = append(r.nodes, node)
	}
	return r, nil
}

// Start starts all nodes and returns when one leads and may recover.
func (r *Raft) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Stop(context.WithoutCancel(ctx)))
		}
	}()
	errs := make([]error, len(r.nodes))
	var all sync.WaitGroup
	for n, node := range r.nodes {
		all.Go(func() { errs[n] = node.launch(ctx) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	leader, err := r.WaitForLeader(ctx)
	if err != nil {
		return err
	}
	ready := time.NewTimer(r.nodes[0].readyAfter())
	defer ready.Stop()
	if err := r.nodes[leader].discover(ctx); err != nil {
		return err
	}
	select {
	case <-ready.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, node := range r.nodes {
		node.begin()
	}
	return nil
}

// WaitForLeader returns the number of the node that leads, once one does.
func (r *Raft) WaitForLeader(ctx context.Context) (leader int, err error) {
	err = wait.State{What: "orchestrator: a raft node leads", Limit: startLimit, Poll: refreshInterval}.Until(ctx, func(ctx context.Context) (string, bool, error) {
		leader = r.Leader(ctx)
		return "no node leads", leader >= 0, nil
	})
	if err != nil {
		err = fmt.Errorf("%w; last lines of a log:\n%s", err, r.nodes[0].LogTail())
	}
	return leader, err
}

// Leader is the number of the node that leads, -1 when none does.
func (r *Raft) Leader(ctx context.Context) int {
	return slices.IndexFunc(r.nodes, func(o *Manager) bool { return o.process != nil && o.api.leads(ctx) })
}

// Kill ends a node as a crash would.
func (r *Raft) Kill(node int) error {
	o := r.nodes[node]
	if o.process == nil {
		return nil
	}
	if err := o.process.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-o.process.Done()
	return nil
}

// WipeData removes all that a node that was killed has stored.
func (r *Raft) WipeData(ctx context.Context, node int) error {
	o := r.nodes[node]
	return errors.Join(o.Stop(ctx), os.RemoveAll(o.config.Dir))
}

// Rejoin starts a node again that was killed or whose data was removed.
func (r *Raft) Rejoin(ctx context.Context, node int) error {
	o := r.nodes[node]
	if err := o.launch(ctx); err != nil {
		return err
	}
	o.begin()
	return nil
}

// SnapshotIndex is how many of the servers are in a node's own store.
func (r *Raft) SnapshotIndex(ctx context.Context, node int) (int, error) {
	var instances []struct{ Key instanceKey }
	err := r.nodes[node].api.get(ctx, "all-instances", &instances)
	return len(instances), err
}

// Stop ends all nodes.
func (r *Raft) Stop(ctx context.Context) error {
	errs := make([]error, len(r.nodes))
	var all sync.WaitGroup
	for n, node := range r.nodes {
		all.Go(func() { errs[n] = node.Stop(ctx) })
	}
	all.Wait()
	return errors.Join(append(errs, r.port.Release())...)
}

// Audits are those of all nodes, each recovery once: every node knows of it, and the one that has done it
// knows when.
func (r *Raft) Audits() []failover.Audit {
	var list []failover.Audit
	for _, node := range r.nodes {
		for _, a := range node.Audits() {
			at := slices.IndexFunc(list, func(b failover.Audit) bool {
				return a.Plan.Action == b.Plan.Action && a.Plan.Dead == b.Plan.Dead && a.Plan.Promote == b.Plan.Promote && a.Plan.Reason == b.Plan.Reason
			})
			switch {
			case at < 0:
				list = append(list, a)
			case list[at].Phases.Writable.IsZero():
				list[at] = a
			}
		}
	}
	for i, a := range list {
		if a.Phases.Detected.IsZero() && !a.Phases.Writable.IsZero() {
			list[i].Phases.Detected = r.firstDetected()
		}
	}
	return list
}

// firstDetected is when a node first called its hook for a detected failure: the leader that does so need not live to recover.
func (r *Raft) firstDetected() (first time.Time) {
	for _, node := range r.nodes {
		node.mu.Lock()
		at := node.detected
		node.mu.Unlock()
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// LogPaths are where the nodes write their logs.
func (r *Raft) LogPaths() (paths []string) {
	for _, node := range r.nodes {
		paths = append(paths, node.LogPath())
	}
	return paths
}
