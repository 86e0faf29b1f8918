package embedded

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"mysqlmatrix/harness/failover"
)

// promote makes a replica that has applied all it received a primary that takes writes.
func (r *recovery) promote(ctx context.Context, i *involved, plan failover.Plan) error {
	if err := r.step(i, "stop replication", func() error { return r.stopReplica(ctx, i) }); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.manager.config.ActionLimit)
	defer cancel()
	s := i.server
	// Before the first write, so that none goes unacknowledged; and before the source is forgotten, so that nothing is
	// lost when it fails.
	if err := r.keepSemiSync(ctx, i, plan); err != nil {
		return err
	}
	// Before anything that cannot be undone: a manager that is started again goes on from here.
	if err := r.manager.remember(func(m *memory) {
		m.Promoting, m.Old, m.SemiSync, m.GTID = i.name(), r.old.Name, r.old.SemiSync, i.link.GTID
	}); err != nil {
		return err
	}
	if err := r.step(i, "forget the old primary", func() error { return s.ResetReplica(ctx, i.link.Channel) }); err != nil {
		return err
	}
	return r.takeWrites(ctx, i, plan)
}

// takeWrites makes a replica that has forgotten the old primary take writes. That it was replaced is stored before.
func (r *recovery) takeWrites(ctx context.Context, i *involved, plan failover.Plan) error {
	s := i.server
	standings := maps.Clone(r.manager.members)
	r.manager.members.promote(i.name(), r.old.Name, i.link, s.Dialect.GTID, r.manager.absent(r.old.Name))
	err := r.manager.remember(nil)
	if err == nil {
		err = r.step(i, "read_only off", func() error { return s.SetReadOnly(ctx, false) })
	}
	if err != nil {
		r.manager.members = standings
	}
	return err
}

// absent are the servers beside a primary that do not answer.
func (m *Manager) absent(primary string) (names []string) {
	for _, p := range m.pollers {
		if o := p.observation(); !o.Reachable && o.Name != primary {
			names = append(names, o.Name)
		}
	}
	return names
}

// keepSemiSync makes commits of the new primary wait for as many replicas as will be there to acknowledge, at most for as many
// as on the old one. Without any they do not wait.
func (r *recovery) keepSemiSync(ctx context.Context, i *involved, plan failover.Plan) error {
	if !r.old.SemiSync {
		return nil
	}
	d := i.server.Dialect.SemiSync
	able := 0
	for _, one := range r.involved {
		if one != i && slices.Contains(plan.Repoint, one.name()) && one.seen.Acknowledges {
			able++
		}
	}
	count := min(r.old.WaitsFor, able)
	switch {
	case r.manager.config.planted == skipSemiSyncCounts:
		count = r.old.WaitsFor
	case r.manager.config.SemiSyncAlone:
		count = max(count, 1)
	case able == 0:
		return r.step(i, fmt.Sprintf("asynchronous replication: commits waited for %d replicas, and none is left to acknowledge", r.old.WaitsFor), func() error { return nil })
	}
	if !i.seen.SemiSync {
		if err := r.manager.remember(func(m *memory) { m.Waits = i.name() }); err != nil {
			return err
		}
		i.waits = true
	}
	what := "semi-synchronous replication on"
	if count < r.old.WaitsFor {
		what += fmt.Sprintf(": commits wait for %d replicas in place of %d, since no more are left to acknowledge", count, r.old.WaitsFor)
	}
	return r.step(i, what, func() error {
		if d.WaitCount != "" {
			if err := i.server.Exec(ctx, fmt.Sprintf("SET GLOBAL %s = %d", d.WaitCount, count)); err != nil {
				return err
			}
		}
		return i.server.Exec(ctx, "SET GLOBAL "+d.SourceEnabled+" = 1")
	})
}
