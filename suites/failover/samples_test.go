package failover_test

import (
	"context"
	"time"

	"mysqlmatrix/harness/failover/oracle"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

// watch samples one server until over is closed.
func (s *fixture) watch(ctx context.Context, n *topology.Node, over <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	tick := time.NewTicker(oracle.SamplePoll)
	defer tick.Stop()
	for {
		s.take(ctx, n)
		select {
		case <-tick.C:
		case <-over:
			return
		}
	}
}

// sampleLimit bounds one sample of a server that may hang.
const sampleLimit = time.Second

func (s *fixture) take(ctx context.Context, n *topology.Node) {
	ctx, cancel := context.WithTimeout(ctx, sampleLimit)
	defer cancel()
	readOnly, err := n.Server.ReadOnly(ctx)
	at := time.Now()
	if err != nil {
		return
	}
	one := oracle.Sample{At: at, Node: n.Name, Writable: !readOnly}
	if set, err := receivedOf(ctx, n.Server); err == nil {
		text := set.Text(n.Server.Dialect.GTID)
		one.Received = &text
	}
	s.noteSample(one)
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

// noteSample adds a sample. One that cannot be read is an error of the oracle, which reads all of them again.
func (s *fixture) noteSample(one oracle.Sample) { _ = s.samples.Add(one) }
