package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// resume finishes or undoes what a manager before this one was doing when it ended. A replica that has been told to forget
// the old primary is made the primary. A primary that a takeover had made read-only before that takes writes again. Replicas
// that were stopped are started again when their source answers; when it does not, the failover begins anew. It says whether
// it has done anything.
func (m *Manager) resume(ctx context.Context, state failover.State) (done bool) {
	if !m.memory.unfinished() || m.config.planted == forgetUnfinished {
		return false
	}
	unfinished := m.memory
	chosen := observationOf(state, unfinished.Promoting)
	if unfinished.Promoting != "" && chosen.Reachable && len(chosen.Links) == 0 {
		m.finishPromotion(ctx, chosen, state)
		// Those that it was pointing to the new primary follow, but may be stopped.
		_ = m.remember(func(m *memory) {
			m.Touched = append(slices.Clone(unfinished.Stopped), unfinished.Touched...)
			m.started(chosen.Name)
		})
		return true
	}
	old := observationOf(state, unfinished.Switching)
	if old.Reachable && len(old.Links) == 0 && (unfinished.Promoting == "" || chosen.Reachable && chosen.ReadOnly) {
		m.undoTakeover(ctx, old, state)
		return true
	}
	return m.startStopped(ctx, state)
}

// undoTakeover lets the primary of a takeover that was not finished take writes again.
func (m *Manager) undoTakeover(ctx context.Context, old failover.Observation, state failover.State) {
	r := &recovery{manager: m, old: old, audit: m.journal.begin(failover.Audit{State: state, Done: true, Plan: failover.Plan{Action: failover.Alert, Problem: failover.NoProblem,
		Dead: old.Name, Reason: "a takeover was not finished: it is undone, and " + old.Name + " takes writes"}})}
	i := &involved{poller: m.pollerOf(old.Name), seen: old}
	err := r.step(i, "read_only off, the takeover is given up", func() (err error) {
		if i.server, err = m.open(ctx, i.poller.member); err != nil {
			return err
		}
		return errors.Join(i.server.SetReadOnly(ctx, false), i.server.Close())
	})
	if err == nil {
		err = m.remember(func(m *memory) { m.Switching, m.Promoting, m.Old = "", "", "" })
	}
	if err != nil { // it is tried again after the next poll
		r.change(func(a *failover.Audit) { a.Error = err.Error() })
	}
	i.poller.poll(ctx)
}

// startStopped starts the replicas that a recovery had stopped, whose source answers.
func (m *Manager) startStopped(ctx context.Context, state failover.State) (done bool) {
	for _, o := range state.Servers {
		if !m.memory.stopped(o.Name) || !o.Reachable || len(o.Links) != 1 {
			continue
		}
		l := o.Links[0]
		source, _ := observationAt(state, l.Source)
		if !source.Reachable || m.members.replaced(source.Name) {
			continue
		}
		if l.Fetch == failover.Stopped || l.Apply == failover.Stopped && l.Error == "" {
			m.startReplica(ctx, o, l, source, state)
		}
		// When it is not stored, the next manager finds it running.
		_ = m.remember(func(m *memory) { m.started(o.Name) })
		done = true
	}
	return done
}

func (m *Manager) startReplica(ctx context.Context, o failover.Observation, l failover.Link, source failover.Observation, state failover.State) {
	r := &recovery{manager: m, old: source, audit: m.journal.begin(failover.Audit{State: state, Done: true, Plan: failover.Plan{Action: failover.Alert, Problem: failover.NoProblem,
		Dead: o.Name, Reason: "a recovery was not finished, and " + source.Name + " answers: " + o.Name + " replicates from it again"}})}
	i := &involved{poller: m.pollerOf(o.Name), seen: o, link: l}
	// The outcome is in the audit.
	_ = r.step(i, "start replication", func() (err error) {
		if i.server, err = m.open(ctx, i.poller.member); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, i.server.Close()) }()
		if m.memory.Waits == o.Name {
			if err := stopWaiting(ctx, i.server); err != nil {
				return err
			}
		}
		return i.server.StartReplica(ctx, l.Channel)
	})
	i.poller.poll(ctx)
}

// finishPromotion makes a replica that has forgotten the old primary take writes, and has the others follow it; the old
// primary as well when that was a takeover.
func (m *Manager) finishPromotion(ctx context.Context, chosen failover.Observation, state failover.State) {
	old, takeover, gtid := observationOf(state, m.memory.Old), m.memory.Switching != "", m.memory.GTID
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
		i := &involved{poller: m.pollerOf(chosen.Name), seen: chosen, link: failover.Link{GTID: gtid, Received: chosen.Executed}}
		if i.server, err = m.open(ctx, i.poller.member); err != nil {
			return fmt.Errorf("promote %s: %w", chosen.Name, err)
		}
		r.stopReceivers(ctx)
		r.involved = append(r.involved, i)
		if old.Reachable {
			m.members.promote(chosen.Name, old.Name, i.link, i.server.Dialect.GTID, m.absent(old.Name))
			m.fence(ctx, state)
		}
		if err := r.takeWrites(ctx, i, plan); err != nil {
			return fmt.Errorf("promote %s: %w", chosen.Name, err)
		}
		r.install(ctx, i, plan)
		if takeover && old.Reachable {
			return r.demote(ctx, old, i)
		}
		m.lastFailover = time.Now()
		return nil
	})
}

// demote makes the old primary of a takeover a replica of the new one.
func (r *recovery) demote(ctx context.Context, old failover.Observation, chosen *involved) error {
	i := &involved{poller: r.manager.pollerOf(old.Name), seen: old}
	if err := r.step(i, "follow "+chosen.name(), func() (err error) {
		if i.server == nil {
			if i.server, err = r.manager.open(ctx, i.poller.member); err != nil {
				return err
			}
		}
		return errors.Join(followAsOldPrimary(ctx, i.server, old, chosen.seen,
			server.Source{Endpoint: chosen.poller.member.Replication, GTID: true, TLS: usesTLS(r.manager.state(), chosen.seen)}), i.server.Close())
	}); err != nil {
		return err
	}
	r.manager.members.activate(old.Name)
	return nil
}
