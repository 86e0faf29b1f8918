package topology

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/wait"
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
			if t.Shape.severalSources() && j != i && !slices.Contains(reader.Sources, i) {
				return nil // it is of another primary
			}
			return t.readsProof(ctx, reader, i)
		}); err != nil {
			return fmt.Errorf("prove replication: a row written on %s is not seen: %w", n.Name, err)
		}
	}
	return nil
}

// readsProof waits until a node has a primary's row. Broken replication ends the wait.
func (t *Topology) readsProof(ctx context.Context, n *Node, origin int) error {
	query := fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE origin = %d", sandbox.ProofTable, origin)
	begin := time.Now()
	state := wait.State{What: "the row is read", Poll: proofPoll}
	return state.Until(ctx, func(ctx context.Context) (string, bool, error) {
		var count int
		if err := n.Server.DB.QueryRowContext(ctx, query).Scan(&count); err != nil && ctx.Err() == nil {
			return "", false, wait.Stop(err)
		}
		if count == 1 {
			return "", true, nil
		}
		seen, broken := n.replication(ctx, time.Since(begin) > connectPatience)
		return seen, false, wait.Stop(broken)
	})
}

// replication is a node's replica status. It is an error as well when the applier has stopped, or when fetching has
// failed for long enough.
func (n *Node) replication(ctx context.Context, impatient bool) (seen string, broken error) {
	statuses, err := n.Server.ReplicaStatus(ctx)
	if err != nil {
		return err.Error(), nil // the caller's own wait ends with the better error
	}
	var lines []string
	for _, s := range statuses {
		lines = append(lines, s.String())
		if s.SQLErrno != 0 || (s.IOErrno != 0 && (s.IORunning == "No" || impatient)) {
			broken = errors.New(s.String())
		}
	}
	return strings.Join(lines, "; "), broken
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
				if err := n.Server.WaitForCoordinates(ctx, at, t.Channel(n, index)); err != nil {
					return fmt.Errorf("node %s catches up with %s: %w", n.Name, t.Nodes[index].Name, err)
				}
			}
		}
	}
	return nil
}
