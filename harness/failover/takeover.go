package failover

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Switcher is a manager that can also replace a primary that is well.
type Switcher interface {
	// Takeover makes a named replica the primary, and its old one follow it. No acknowledged write is lost.
	Takeover(ctx context.Context, to string) error
}

// Takeover makes a named replica the primary, and returns when the rest follows. It waits its turn behind a
// recovery. When the replica does not catch up, the old primary takes writes again.
func (m *Embedded) Takeover(ctx context.Context, to string) error {
	done := make(chan error, 1)
	select {
	case m.requests <- func(watching context.Context) { done <- m.takeover(context.WithoutCancel(watching), to) }:
		return <-done
	case <-ctx.Done():
		return fmt.Errorf("failover manager: takeover by %s: %w", to, ctx.Err())
	}
}

func (m *Embedded) takeover(ctx context.Context, to string) error {
	state := m.state()
	chosen := observationOf(state, to)
	if len(chosen.Links) != 1 || !chosen.Reachable {
		return fmt.Errorf("failover manager: takeover by %s: it is no replica that answers", to)
	}
	old, ok := at(state, chosen.Links[0].Source)
	if !ok || !old.Reachable || len(old.Links) > 0 || !chosen.Links[0].GTID {
		return fmt.Errorf("failover manager: takeover by %s: its source is no primary that answers, or GTID is not used", to)
	}
	plan := Plan{Action: Promote, Problem: NoProblem, Dead: old.Name, Promote: to, Reason: "a takeover was asked for"}
	for _, o := range state.Servers {
		if _, replica := o.linkTo(old.Addr); replica && o.Name != to && o.Reachable {
			plan.Rewire = append(plan.Rewire, o.Name)
		}
	}
	r := &recovery{Embedded: m, dead: old}
	now := time.Now()
	r.audit = m.journal.begin(Audit{Plan: plan, State: state, Phases: Phases{Suspected: now, Detected: now}})
	err := r.switchTo(ctx, plan, state)
	for _, i := range r.involved {
		if i.server != nil {
			err = errors.Join(err, i.server.Close())
		}
	}
	m.journal.change(r.audit, func(a *Audit) {
		a.Done = true
		if err != nil {
			a.Error = err.Error()
		}
	})
	for _, p := range m.pollers {
		p.must(ctx)
	}
	return err
}

func at(s State, addr string) (Observation, bool) {
	for _, o := range s.Servers {
		if o.Addr == addr {
			return o, true
		}
	}
	return Observation{}, false
}

// switchTo stops writes on the old primary, lets the new one catch up with the last of them, and promotes it.
func (r *recovery) switchTo(ctx context.Context, plan Plan, state State) error {
	var old *involved
	for n, p := range r.pollers {
		o := state.Servers[n]
		link, replica := o.linkTo(r.dead.Addr)
		if !replica && o.Name != plan.Dead {
			continue
		}
		i := &involved{poller: p, seen: o, link: link}
		var err error
		if i.server, err = r.open(ctx, p.member); err != nil {
			if o.Name == plan.Promote || o.Name == plan.Dead {
				return err
			}
			continue
		}
		if o.Name == plan.Dead {
			old = i
		} else {
			r.involved = append(r.involved, i)
		}
	}
	defer old.server.Close()
	if err := r.step(old, "read_only on", func() error { return old.server.SetReadOnly(ctx, true) }); err != nil {
		return err
	}
	r.phase(func(p *Phases, now time.Time) { p.Frozen = now })
	chosen := r.find(plan.Promote)
	if err := r.drain(ctx, old, chosen); err != nil {
		return errors.Join(err, r.step(old, "read_only off, the takeover is given up", func() error { return old.server.SetReadOnly(ctx, false) }))
	}
	r.phase(func(p *Phases, now time.Time) { p.Applied = now })
	if err := r.promote(ctx, chosen, plan); err != nil {
		return err
	}
	r.phase(func(p *Phases, now time.Time) { p.Writable = now })
	r.hook(ctx, "hook promoted", r.config.Hooks.Promoted)
	if err := r.step(old, "follow "+plan.Promote, func() error {
		return followAsOldPrimary(ctx, old.server, r.dead, chosen.poller.member.Replication)
	}); err != nil {
		return err
	}
	r.rewire(ctx, chosen, plan)
	return nil
}

// drain lets a replica apply all that the old primary has written, which writes no more.
func (r *recovery) drain(ctx context.Context, old, chosen *involved) error {
	ctx, cancel := context.WithTimeout(ctx, r.config.ApplyLimit)
	defer cancel()
	return r.step(chosen, "catch up with the last write", func() error {
		last, _, err := old.server.BinaryLogStatus(ctx)
		if err != nil {
			return err
		}
		return chosen.await(ctx, r.dead.Addr, func(_ Observation, l Link) (bool, error) {
			if l.Error != "" {
				return false, errors.New(l.Error)
			}
			return l.Applied.Compare(last) >= 0, nil
		})
	})
}
