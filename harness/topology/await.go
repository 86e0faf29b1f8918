package topology

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mysqlmatrix/harness/sandbox"
)

const (
	heartbeat  = time.Second
	proofLimit = 30 * time.Second
	proofPoll  = 3 * time.Millisecond
	// connectPatience is how long a replica's I/O thread may report errors while it connects.
	connectPatience = 5 * time.Second
)

// Prove writes a row on every primary and reads it on every node: a replication that reports itself
// running has been seen to carry nothing. An error says which node, which thread, which error.
func (t *Topology) Prove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, proofLimit)
	defer cancel()
	for i, n := range t.Nodes {
		if len(n.Sources) > 0 && t.Shape.Kind != Ring {
			continue
		}
		if err := n.Server.Exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%d)", sandbox.ProofTable, i)); err != nil {
			return fmt.Errorf("prove replication: node %s: %w", n.Name, err)
		}
		if err := t.each(ctx, func(ctx context.Context, j int, reader *Node) error {
			if t.Shape.Kind == FanIn && j != i && len(reader.Sources) == 0 {
				return nil // another primary
			}
			return t.awaitProof(ctx, reader, i)
		}); err != nil {
			return fmt.Errorf("prove replication: a row written on %s is not seen: %w", n.Name, err)
		}
	}
	return nil
}

func (t *Topology) awaitProof(ctx context.Context, n *Node, origin int) error {
	query := fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE origin = %d", sandbox.ProofTable, origin)
	begin := time.Now()
	tick := time.NewTicker(proofPoll)
	defer tick.Stop()
	for {
		var count int
		err := n.Server.DB.QueryRowContext(ctx, query).Scan(&count)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if count == 1 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", time.Since(begin).Round(time.Millisecond), errors.Join(ctx.Err(), n.replicationError()))
		case <-tick.C:
		}
		if broken := n.brokenReplication(ctx, time.Since(begin) > connectPatience); broken != nil {
			return broken
		}
	}
}

// brokenReplication is an error when the applier has stopped, or when fetching has failed for long enough.
func (n *Node) brokenReplication(ctx context.Context, impatient bool) error {
	statuses, err := n.Server.ReplicaStatus(ctx)
	if err != nil {
		return nil // the caller's own wait ends with the better error
	}
	for _, s := range statuses {
		if s.SQLErrno != 0 || (s.IOErrno != 0 && (s.IORunning == "No" || impatient)) {
			return errors.New(s.String())
		}
	}
	return nil
}

// replicationError is the node's replica status as an error.
func (n *Node) replicationError() error {
	ctx, cancel := context.WithTimeout(context.Background(), connectPatience)
	defer cancel()
	statuses, err := n.Server.ReplicaStatus(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range statuses {
		errs = append(errs, errors.New(s.String()))
	}
	return errors.Join(errs...)
}

// WaitCaughtUp waits until every node has applied what its sources had written when they were asked, in
// the order of the wiring, so that what the primary had written is everywhere. It is an error at once when
// an applier does not run, and when ctx ends, with the replica's status.
func (t *Topology) WaitCaughtUp(ctx context.Context) error {
	rounds := 1
	if t.Shape.Kind == Ring {
		rounds = 2 // the second carries round what the first partner got last
	}
	for range rounds {
		for _, n := range t.Nodes {
			for _, index := range n.Sources {
				at, _, err := t.Nodes[index].Server.BinaryLogStatus(ctx)
				if err != nil {
					return fmt.Errorf("node %s: %w", t.Nodes[index].Name, err)
				}
				if err := n.Server.WaitForCoordinates(ctx, at, t.channel(n, index)); err != nil {
					return fmt.Errorf("node %s catches up with %s: %w", n.Name, t.Nodes[index].Name, err)
				}
			}
		}
	}
	return nil
}
