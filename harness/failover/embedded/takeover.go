package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// Takeover makes a named replica the primary, and returns when the others follow it. An old primary that cannot
// replicate from the new one, as one of an older version, is left read-only, and the audit has it as excluded. A takeover waits its turn behind
// a recovery. When a step fails before the replica takes writes, what was done is undone: the old primary takes writes again.
func (m *Manager) Takeover(ctx context.Context, to string) error {
	done := make(chan error, 1)
	select {
	case m.requests <- func(watching context.Context) { done <- m.takeover(context.WithoutCancel(watching), to) }:
	case <-m.ended:
	case <-ctx.Done():
		return fmt.Errorf("failover manager: takeover by %s: %w", to, ctx.Err())
	}
	select {
	case err := <-done:
		return err
	case <-m.ended:
	}
	select {
	case err := <-done:
		return err
	default:
		return fmt.Errorf("failover manager: takeover by %s: the manager has ended", to)
	}
}

func (m *Manager) takeover(ctx context.Context, to string) error {
	// The last poll may have failed, and the next may fail: this one may take its time.
	state := m.stateOf(m.pollAll(ctx, m.config.ActionLimit))
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
	switch {
	case !chosen.Reachable:
		return plan, old, fmt.Errorf("it does not answer: %s", chosen.Error)
	case len(chosen.Links) != 1:
		return plan, old, fmt.Errorf("it is no replica of one source: it has %d", len(chosen.Links))
	case !chosen.Links[0].GTID:
		return plan, old, errors.New("it does not replicate by GTID")
	}
	old, ok := observationAt(state, chosen.Links[0].Source)
	switch {
	case !ok:
		return plan, old, fmt.Errorf("its source %s is not one of the servers that are watched", chosen.Links[0].Source)
	case !old.Reachable:
		return plan, old, fmt.Errorf("its source %s does not answer: %s", old.Name, old.Error)
	case len(old.Links) > 0:
		return plan, old, fmt.Errorf("its source %s is a replica itself", old.Name)
	}
	plan = failover.Plan{Action: failover.Promote, Problem: failover.NoProblem, Dead: old.Name, Promote: to, Reason: "a takeover was asked for"}
	var all []candidate
	for _, o := range state.Servers {
		link, replica := o.LinkTo(old.Addr)
		if !replica || !o.Reachable {
			continue
		}
		all = append(all, candidateOf(state, o, link, old))
		if o.Name != to {
			plan.Repoint = append(plan.Repoint, o.Name)
		}
	}
	for _, c := range all {
		if reason := disqualified(c, all, old); c.Name == to && reason != "" {
			return plan, old, errors.New("it " + reason)
		}
		if c.Name == to && !c.errant.IsEmpty() {
			return plan, old, errors.New("it has transactions that the primary never had: " + c.errant.String())
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
	chosen := r.find(plan.Promote)
	if err := r.manager.remember(func(m *memory) {
		m.Switching, m.Touched = r.old.Name, append([]string{plan.Promote}, plan.Repoint...)
	}); err != nil {
		return err
	}
	if err := r.makeReadOnly(ctx, old); err != nil {
		return errors.Join(err, r.giveUp(ctx, old, nil))
	}
	r.phase(func(p *failover.Phases, now time.Time) { p.ReceiversStopped = now })
	if err := r.catchUp(ctx, old, chosen); err != nil {
		return errors.Join(err, r.giveUp(ctx, old, nil))
	}
	r.phase(func(p *failover.Phases, now time.Time) { p.Applied = now })
	if err := r.promote(ctx, chosen, plan); err != nil {
		return errors.Join(err, r.giveUp(ctx, old, chosen))
	}
	r.install(ctx, chosen, plan)
	if reason := cannotRejoin(r.old, chosen.seen); reason != "" {
		r.manager.members.exclude(plan.Dead) // until an operator has upgraded it and has it replicate
		r.change(func(a *failover.Audit) {
			a.Excluded = append(a.Excluded, failover.Exclusion{Name: plan.Dead, Reason: reason})
		})
		return nil
	}
	if err := r.step(old, "follow "+plan.Promote, func() error {
		return followAsOldPrimary(ctx, old.server, r.old, chosen.seen, server.Source{Endpoint: chosen.poller.member.Replication, GTID: true, TLS: chosen.link.TLS})
	}); err != nil {
		r.change(func(a *failover.Audit) {
			a.Excluded = append(a.Excluded, failover.Exclusion{Name: plan.Dead, Reason: err.Error()})
		})
		return err
	}
	r.manager.members.activate(plan.Dead)
	return nil
}

// readOnlyWait is how long read_only may wait for table locks and commits, during which no other write begins.
const readOnlyWait = 3 * time.Second

// makeReadOnly makes the old primary read-only within readOnlyWait. A client that gives up leaves the statement waiting on
// the server, which would become read-only later: the server is told to give up, and the statement is killed.
func (r *recovery) makeReadOnly(ctx context.Context, old *involved) error {
	return r.step(old, "read_only on", func() (err error) {
		s, err := r.manager.open(ctx, old.poller.member)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		s.DB.SetMaxOpenConns(1)
		rows, err := s.Rows(ctx, "SELECT CONNECTION_ID() AS id")
		if err != nil {
			return err
		}
		if err := s.Exec(ctx, fmt.Sprintf("SET SESSION lock_wait_timeout = %d", int(readOnlyWait.Seconds()))); err != nil {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, readOnlyWait+time.Second)
		defer cancel()
		if err = s.SetReadOnly(limited, true); err == nil {
			return nil
		}
		return errors.Join(err, killConnection(ctx, old.server, rows[0]["id"]))
	})
}

// killConnection ends a connection; it is no error when it has ended.
func killConnection(ctx context.Context, s *server.Server, id string) error {
	err := s.Exec(ctx, "KILL "+id)
	var refusal *mysql.MySQLError
	if errors.As(err, &refusal) && refusal.Number == noSuchThread {
		return nil
	}
	return err
}

// giveUp undoes a takeover: the replica that was to be promoted, if it was touched, replicates from the old primary again,
// and that takes writes again; but not while the other one may.
func (r *recovery) giveUp(ctx context.Context, old, chosen *involved) error {
	if chosen != nil {
		err := r.step(chosen, "read_only on, the takeover is given up", func() error { return chosen.server.SetReadOnly(ctx, true) })
		if err != nil {
			return fmt.Errorf("it is not known whether %s takes writes, so %s stays read-only: %w", chosen.name(), old.name(), err)
		}
	}
	err := r.step(old, "read_only off, the takeover is given up", func() error { return old.server.SetReadOnly(ctx, false) })
	if chosen == nil {
		return err
	}
	return errors.Join(err, r.step(chosen, "follow "+old.name()+" again", func() error { return r.followAgain(ctx, old, chosen) }))
}

func (r *recovery) followAgain(ctx context.Context, old, chosen *involved) error {
	s := chosen.server
	if chosen.seen.CanWait && !chosen.seen.SemiSync {
		if err := stopWaiting(ctx, s); err != nil {
			return err
		}
	}
	statuses, err := s.ReplicaStatus(ctx)
	if err != nil {
		return err
	}
	if len(statuses) == 0 {
		if err := s.PointTo(ctx, server.Source{Endpoint: old.poller.member.Replication, GTID: true, TLS: chosen.link.TLS}); err != nil {
			return err
		}
	}
	return s.StartReplica(ctx, chosen.link.Channel)
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
