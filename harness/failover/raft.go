package failover

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

	"mysqlmatrix/harness/sandbox"
)

// raftNodes is how many orchestrators agree on who leads.
const raftNodes = 3

// Raft is three orchestrators of which one leads, each with a store of its own.
type Raft struct {
	nodes []*Orchestrator
	port  *sandbox.Lease
}

// NewRaft makes the nodes on 127.0.0.1, .2 and .3; nothing is started until Start.
func NewRaft(c OrchestratorConfig) (*Raft, error) {
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
		node, err := NewOrchestrator(one)
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
	leader, err := r.AwaitLeader(ctx)
	if err != nil {
		return err
	}
	ripe := time.NewTimer(r.nodes[0].unripe())
	defer ripe.Stop()
	if err := r.nodes[leader].discover(ctx); err != nil {
		return err
	}
	select {
	case <-ripe.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, node := range r.nodes {
		node.begin()
	}
	return nil
}

// AwaitLeader returns the number of the node that leads, once one does.
func (r *Raft) AwaitLeader(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	for {
		if leader := r.Leader(ctx); leader >= 0 {
			return leader, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("orchestrator: no node leads: %w; last lines of a log:\n%s", ctx.Err(), r.nodes[0].LogTail())
		}
	}
}

// Leader is the number of the node that leads, -1 when none does.
func (r *Raft) Leader(ctx context.Context) int {
	return slices.IndexFunc(r.nodes, func(o *Orchestrator) bool { return o.process != nil && o.api.leads(ctx) })
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

// Lose makes a node that was killed forget everything.
func (r *Raft) Lose(ctx context.Context, node int) error {
	o := r.nodes[node]
	return errors.Join(o.Stop(ctx), os.RemoveAll(o.config.Dir))
}

// Return starts a node again that was killed or has lost its data.
func (r *Raft) Return(ctx context.Context, node int) error {
	o := r.nodes[node]
	if err := o.launch(ctx); err != nil {
		return err
	}
	o.begin()
	return nil
}

// Knows is how many of the servers a node knows by itself, in its own store.
func (r *Raft) Knows(ctx context.Context, node int) (int, error) {
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
func (r *Raft) Audits() []Audit {
	var list []Audit
	for _, node := range r.nodes {
		for _, a := range node.Audits() {
			at := slices.IndexFunc(list, func(b Audit) bool {
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
