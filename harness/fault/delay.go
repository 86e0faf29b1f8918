package fault

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"mysqlmatrix/harness/topology"
)

// Delay makes a replica apply everything later than its source did, by whole seconds. Healing has it apply at once again.
type Delay struct {
	Node *topology.Node
	By   time.Duration
}

// String is "delay ", the node's name and by how much.
func (f Delay) String() string { return fmt.Sprintf("delay %s by %s", f.Node.Name, f.By) }

// Inject returns when the replica says that it applies later.
func (f Delay) Inject(ctx context.Context) error { return f.set(ctx, f.String(), f.By) }

// Heal returns when the replica says that it does not.
func (f Delay) Heal(ctx context.Context) error { return f.set(ctx, "heal: "+f.String(), 0) }

func (f Delay) set(ctx context.Context, what string, by time.Duration) error {
	s := f.Node.Server
	seconds := strconv.Itoa(int(by.Seconds()))
	if err := s.StopReplica(ctx, ""); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := s.Exec(ctx, fmt.Sprintf("%s %s_DELAY = %s", s.Dialect.ChangeSource, s.Dialect.SourcePrefix, seconds)); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := s.StartReplica(ctx, ""); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return check(what).Until(ctx, func(ctx context.Context) (string, bool, error) {
		statuses, err := s.ReplicaStatus(ctx)
		if err != nil || len(statuses) != 1 {
			return fmt.Sprintf("%d sources", len(statuses)), false, err
		}
		return statuses[0].String(), statuses[0].Raw["SQL_Delay"] == seconds, nil
	})
}
