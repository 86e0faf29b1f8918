package failover_test

import (
	"context"
	"fmt"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

// lostOnlyUnreceived holds the loss against the dead primary itself. It is started again, alone: what it
// committed and the new primary lacks must be as many transactions as its binary log has after the
// furthest position that any survivor had received.
func (s *fixture) lostOnlyUnreceived(ctx context.Context, audit failover.Audit, primary *topology.Node, account workload.Account) error {
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

// furthestOf is the last position in the dead primary's log that a survivor had received, as the manager says or, when it does
// not, as the suite has seen it. One that the spec has ruled out is none, unless it was promoted: what only
// that one has cannot be had.
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
