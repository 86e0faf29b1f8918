package failover_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

// samplePoll is how often every server is asked what it has and whether it takes writes.
const samplePoll = 40 * time.Millisecond

// samples are what each server has said of itself while a manager watched it. A server that does not answer says nothing.
type samples struct {
	mu       sync.Mutex
	received map[string]server.GTIDSet // by node: all that it was ever seen to have, applied or not
	lost     map[string]error          // by node: when it was first seen to have less
	writable map[string]time.Time      // by node: when it was last seen to take writes
	several  time.Duration             // for how long more than one server was seen to take writes
	last     time.Time                 // when they were last seen to
}

func newSamples() *samples {
	return &samples{received: map[string]server.GTIDSet{}, lost: map[string]error{}, writable: map[string]time.Time{}}
}

// watch samples one server until over is closed.
func (m *samples) watch(ctx context.Context, n *topology.Node, over <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	tick := time.NewTicker(samplePoll)
	defer tick.Stop()
	for {
		m.take(ctx, n)
		select {
		case <-tick.C:
		case <-over:
			return
		}
	}
}

// sampleLimit bounds one sample of a server that may hang.
const sampleLimit = time.Second

func (m *samples) take(ctx context.Context, n *topology.Node) {
	ctx, cancel := context.WithTimeout(ctx, sampleLimit)
	defer cancel()
	readOnly, err := n.Server.ReadOnly(ctx)
	at := time.Now()
	if err != nil {
		return
	}
	m.noteWritable(n.Name, !readOnly, at)
	if set, err := receivedOf(ctx, n.Server); err == nil {
		m.noteReceived(n.Name, set)
	}
}

// noteWritable counts the time in which two servers were each seen to take writes within two polls.
func (m *samples) noteWritable(name string, writable bool, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !writable {
		delete(m.writable, name)
		return
	}
	m.writable[name] = at
	fresh := 0
	for _, seen := range m.writable {
		if at.Sub(seen) <= 2*samplePoll {
			fresh++
		}
	}
	if fresh < 2 {
		return
	}
	if gap := at.Sub(m.last); gap <= 2*samplePoll {
		m.several += gap
	}
	m.last = at
}

func (m *samples) noteReceived(name string, set server.GTIDSet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if gone := m.received[name].Minus(set); !gone.IsEmpty() && m.lost[name] == nil {
		m.lost[name] = fmt.Errorf("node %s had received %s, and has it no more", name, gone)
	}
	m.received[name] = m.received[name].Union(set)
}

// receivedOf are the transactions that a server has, applied or not.
func receivedOf(ctx context.Context, s *server.Server) (set server.GTIDSet, err error) {
	variable := map[flavor.GTIDStyle]string{flavor.GTIDMySQL: "gtid_executed", flavor.GTIDMariaDB: "gtid_current_pos"}[s.Dialect.GTID]
	if variable == "" {
		return set, nil
	}
	// What is fetched is asked first: it may be applied, but not lost, until what is executed is asked.
	statuses, err := s.ReplicaStatus(ctx)
	if err != nil {
		return set, err
	}
	executed, err := s.Variable(ctx, variable)
	if err != nil {
		return set, err
	}
	if set, err = server.ParseGTIDSet(s.Dialect.GTID, executed); err != nil {
		return set, err
	}
	if !s.Flavor.ReceivesWholeTransactions() {
		return set, nil // it counts transactions of which it has the beginning only
	}
	for _, status := range statuses {
		fetched, err := server.ParseGTIDSet(s.Dialect.GTID, status.RetrievedGTID+status.IOGTIDPos)
		if err != nil {
			return set, err
		}
		set = set.Union(fetched)
	}
	return set, nil
}

// forget drops what is known of a server that is rebuilt.
func (m *samples) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.received, name)
	delete(m.lost, name)
}

// lostBy is an error when the server has ever been seen to have less than before.
func (m *samples) lostBy(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost[name]
}

// lackedBy is an error when the server lacks what it was seen to have received.
func (m *samples) lackedBy(ctx context.Context, n *topology.Node) error {
	set, err := receivedOf(ctx, n.Server)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if gone := m.received[n.Name].Minus(set); !gone.IsEmpty() {
		return fmt.Errorf("node %s had received %s, and lacks it at the end", n.Name, gone)
	}
	return nil
}

// severalWritable is for how long more than one server took writes.
func (m *samples) severalWritable() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.several
}

// begin forgets what was seen to be wrong: all is well now.
func (m *samples) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.several = 0
	clear(m.lost)
}
