package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mysqlmatrix/harness/failover"
)

// resume finishes a recovery in the middle of which a manager before this one has ended. A replica that has been told to
// forget the old primary, and takes no writes yet, is made the primary; the others then follow it as late replicas do. Where
// nothing but receivers was stopped, they are started again if the primary lives; else the failover begins anew.
func (m *Manager) resume(ctx context.Context) {
	state := m.state()
	unfinished := m.memory
	chosen := observationOf(state, unfinished.Promoting)
	if unfinished.Promoting != "" && chosen.Reachable && len(chosen.Links) == 0 {
		m.finishPromotion(context.WithoutCancel(ctx), chosen, state)
		return
	}
	for i, o := range state.Servers {
		if !slices.Contains(unfinished.Stopped, o.Name) || !o.Reachable {
			continue
		}
		for _, l := range o.Links {
			source, _ := observationAt(state, l.Source)
			if !source.Reachable || m.members.replaced(source.Name) {
				continue
			}
			r := &recovery{manager: m, old: source, audit: m.journal.begin(failover.Audit{State: state, Done: true, Plan: failover.Plan{Action: failover.Alert, Problem: failover.NoProblem,
				Dead: o.Name, Reason: "a recovery was not finished, and " + source.Name + " answers: " + o.Name + " receives from it again"}})}
			late := &involved{poller: m.pollers[i], seen: o, link: l}
			// The outcome is in the audit.
			_ = r.step(late, "restart the receiver", func() (err error) {
				if late.server, err = m.open(ctx, late.poller.member); err != nil {
					return err
				}
				return errors.Join(late.server.StartIOThread(ctx, l.Channel), late.server.Close())
			})
		}
	}
}

func (m *Manager) finishPromotion(ctx context.Context, chosen failover.Observation, state failover.State) {
	old := observationOf(state, m.memory.Old)
	old.SemiSync = m.memory.SemiSync
	plan := failover.Plan{Action: failover.Promote, Problem: failover.DeadPrimary, Dead: old.Name, Promote: chosen.Name,
		Reason: "a recovery was not finished: " + chosen.Name + " has forgotten " + old.Name}
	for _, o := range state.Servers {
		if _, replica := o.LinkTo(old.Addr); replica && o.Reachable {
			plan.Repoint = append(plan.Repoint, o.Name)
		}
	}
	now := time.Now()
	a := failover.Audit{Plan: plan, State: state, Phases: failover.Phases{Suspected: now, Detected: now}}
	_ = m.carryOut(ctx, a, old, func(r *recovery) (err error) { // its error is in the audit
		i := &involved{poller: m.pollerOf(chosen.Name), seen: chosen, link: failover.Link{GTID: usesGTID(state, old), Received: chosen.Executed}}
		r.involved = append(r.involved, i)
		if i.server, err = m.open(ctx, i.poller.member); err != nil {
			return fmt.Errorf("promote %s: %w", chosen.Name, err)
		}
		r.stopReceivers(ctx)
		if old.Reachable {
			m.members.promote(chosen.Name, old.Name, i.link, i.server.Dialect.GTID)
			m.fence(ctx, state)
		}
		if err := r.takeWrites(ctx, i, plan); err != nil {
			return fmt.Errorf("promote %s: %w", chosen.Name, err)
		}
		r.install(ctx, i, plan)
		m.lastFailover = time.Now()
		return nil
	})
}
