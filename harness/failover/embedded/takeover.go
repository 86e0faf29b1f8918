package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mysqlmatrix/harness/failover"
)

// Takeover makes a named replica the primary, and returns when the others follow it. It waits its turn behind a
// recovery. When the replica does not catch up, the old primary takes writes again.
func (m *Manager) Takeover(ctx context.Context, to string) error {
	done := make(chan error, 1)
	select {
	case m.requests <- func(watching context.Context) { done <- m.takeover(context.WithoutCancel(watching), to) }:
		return <-done
	case <-ctx.Done():
		return fmt.Errorf("failover manager: takeover by %s: %w", to, ctx.Err())
	}
}

func (m *Manager) takeover(ctx context.Context, to string) error {
	m.pollAll(ctx, m.config.ActionLimit) // the last poll may have failed, and this one may take its time
	state := m.state()
	plan, old, err := takeoverPlan(state, to)
	if err != nil {
		return fmt.Errorf("failover manager: takeover by %s: %w", to, err)
	}
	now := time.Now()
	a := failover.Audit{Plan: plan, State: state, Phases: failover.Phases{Suspected: now, Detected: now}}
	return m.carryOut(ctx, a, old, func(r *recovery) error { return r.switchTo(ctx, plan, state) })
}

// takeoverPlan is the plan for a takeover by a named replica, and its primary.
func takeoverPlan(state failover.State, to string) (plan failover.Plan, old failover.Observation, err error) {
	chosen := observationOf(state, to)
	if len(chosen.Links) != 1 || !chosen.Reachable {
		return plan, old, errors.New("it is no replica that answers")
	}
	old, ok := observationAt(state, chosen.Links[0].Source)
	if !ok || !old.Reachable || len(old.Links) > 0 || !chosen.Links[0].GTID {
		return plan, old, errors.New("its source is no primary that answers, or GTID is not used")
	}
	plan = failover.Plan{Action: failover.Promote, Problem: failover.NoProblem, Dead: old.Name, Promote: to, Reason: "a takeover was asked for"}
	for _, o := range state.Servers {
		if _, replica := o.LinkTo(old.Addr); replica && o.Name != to && o.Reachable {
			plan.Repoint = append(plan.Repoint, o.Name)
		}
	}
	return plan, old, nil
}

// switchTo stops writes on the old primary, lets the new one catch up with the last of them, and promotes it.
func (r *recovery) switchTo(ctx context.Context, plan failover.Plan, state failover.State) error {
	old, err := r.connect(ctx, plan, state)
	if err != nil {
		return err
	}
	defer old.server.Close()
	if err := r.step(old, "read_only on", func() error { return old.server.SetReadOnly(ctx, true) }); err != nil {
		return err
	}
	r.phase(func(p *failover.Phases, now time.Time) { p.ReceiversStopped = now })
	chosen := r.find(plan.Promote)
	if err := r.catchUp(ctx, old, chosen); err != nil {
		return errors.Join(err, r.step(old, "read_only off, the takeover is given up", func() error { return old.server.SetReadOnly(ctx, false) }))
	}
	return r.install(ctx, chosen, plan, func() error {
		return r.step(old, "follow "+plan.Promote, func() error {
			return followAsOldPrimary(ctx, old.server, r.old, chosen.poller.member.Replication)
		})
	})
}

// connect opens connections to the old primary, which it returns, and to its replicas. The one that is to be promoted
// must answer.
func (r *recovery) connect(ctx context.Context, plan failover.Plan, state failover.State) (old *involved, err error) {
	for n, p := range r.manager.pollers {
		o := state.Servers[n]
		link, replica := o.LinkTo(r.old.Addr)
		if !replica && o.Name != plan.Dead {
			continue
		}
		i := &involved{poller: p, seen: o, link: link}
		if i.server, err = r.manager.open(ctx, p.member); err != nil {
			if o.Name == plan.Promote || o.Name == plan.Dead {
				return nil, err
			}
			continue
		}
		if o.Name == plan.Dead {
			old = i
		} else {
			r.involved = append(r.involved, i)
		}
	}
	return old, nil
}

// catchUp lets a replica apply all that the old primary has written, which is read-only by now.
func (r *recovery) catchUp(ctx context.Context, old, chosen *involved) error {
	return r.step(chosen, "catch up with the last write", func() error {
		last, _, err := old.server.BinaryLogStatus(ctx)
		if err != nil {
			return err
		}
		return chosen.waitForLink(ctx, "applies the last write at "+last.String(), r.old.Addr, r.manager.config.ApplyLimit,
			func(_ failover.Observation, l failover.Link) (bool, error) {
				if l.Error != "" {
					return false, errors.New(l.Error)
				}
				return l.Applied.Compare(last) >= 0, nil
			})
	})
}
