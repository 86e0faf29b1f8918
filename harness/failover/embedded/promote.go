package embedded

import (
	"context"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// promote makes a replica that has applied all it received a primary that takes writes.
func (r *recovery) promote(ctx context.Context, i *involved, plan failover.Plan) error {
	if err := r.step(i, "stop replication", func() error { return r.stopReplica(ctx, i) }); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.manager.config.ActionLimit)
	defer cancel()
	s := i.server
	steps := []struct {
		what string
		do   func() error
	}{
		{"forget the old primary", func() error { return s.ResetReplica(ctx, i.link.Channel) }},
		// Before the first write, so that none goes unacknowledged.
		{"semi-synchronous replication on", func() error { return r.keepSemiSync(ctx, s, plan) }},
		{"read_only off", func() error { return s.SetReadOnly(ctx, false) }},
	}
	for _, one := range steps {
		if err := r.step(i, one.what, one.do); err != nil {
			return err
		}
	}
	return nil
}

func (r *recovery) keepSemiSync(ctx context.Context, s *server.Server, plan failover.Plan) error {
	if !r.old.SemiSync || len(plan.Repoint) == 0 && !r.manager.config.SemiSyncAlone {
		return nil
	}
	return s.Exec(ctx, "SET GLOBAL "+s.Dialect.SemiSync.SourceEnabled+" = 1")
}
