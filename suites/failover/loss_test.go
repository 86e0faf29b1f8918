package failover_test

import (
	"context"
	"fmt"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/oracle"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

// lookAtLoss starts the dead primary again, alone, and reads what it has.
func (s *fixture) lookAtLoss(ctx context.Context, audit failover.Audit, primary *topology.Node) (*oracle.Loss, error) {
	dead := s.Primary()
	if err := (fault.Kill{Node: dead}).Heal(ctx); err != nil {
		return nil, err
	}
	old, err := workload.Numbers(ctx, dead.Server, table)
	if err != nil {
		return nil, err
	}
	furthest := s.furthestOf(audit, primary.Name)
	unreceived, err := transactionsFrom(ctx, dead.Server, furthest)
	if err != nil {
		return nil, err
	}
	return &oracle.Loss{Old: old, Unreceived: unreceived, From: furthest.String()}, nil
}

// furthestOf is the last position in the dead primary's log that a survivor had received, as the manager says or, when it does
// not, as the suite has seen it. One that the spec has ruled out is none, unless it was promoted: what only
// that one has cannot be obtained.
func (s *fixture) furthestOf(audit failover.Audit, promoted string) (at server.Coordinates) {
	received := map[string]server.Coordinates{}
	for _, o := range audit.State.Servers {
		for _, l := range o.Links {
			if l.Read.Compare(received[o.Name]) > 0 {
				received[o.Name] = l.Read
			}
		}
	}
	if len(received) == 0 {
		s.mu.Lock()
		received = s.received
		s.mu.Unlock()
	}
	for name, read := range received {
		if (name != s.notPromotable || name == promoted) && read.Compare(at) > 0 {
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
