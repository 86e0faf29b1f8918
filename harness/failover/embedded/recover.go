package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// recover does what a plan says. The plan is made a second time when no replica receives anything any
// more: only then is it certain who has what.
func (m *Manager) recover(ctx context.Context, plan failover.Plan, state failover.State) {
	dead := observationOf(state, plan.Dead)
	a := failover.Audit{Plan: plan, State: state, Phases: failover.Phases{Suspected: dead.Since, Detected: time.Now()}}
	// Its error is in the audit.
	_ = m.carryOut(ctx, a, dead, func(r *recovery) error {
		r.hook(ctx, "hook detected", m.config.Hooks.Detected)
		err := r.run(ctx)
		if m.journal.get(r.audit).Plan.Action == failover.Promote {
			m.lastFailover = time.Now()
		}
		return err
	})
}

func (r *recovery) run(ctx context.Context) error {
	if err := r.rememberStopped(); err != nil {
		return err
	}
	state := r.stopReceivers(ctx)
	r.phase(func(p *failover.Phases, now time.Time) { p.ReceiversStopped = now })
	plan := r.manager.config.decide(state)
	r.change(func(a *failover.Audit) { a.Plan, a.State, a.Excluded = plan, state, plan.Excluded })
	switch plan.Action {
	case failover.Promote:
		return r.failOver(ctx, plan, state)
	case failover.Relocate:
		return r.relocate(ctx, plan)
	default:
		return errors.Join(fmt.Errorf("given up once the receivers were stopped: %s", plan.Reason), r.restartReceivers(ctx))
	}
}

// failOver promotes the first candidate that gets ready. One that fails is passed over for the next, which is chosen by the
// same rules, so that no data is lost by it.
func (r *recovery) failOver(ctx context.Context, plan failover.Plan, state failover.State) error {
	m := r.manager
	total, cancel := context.WithTimeout(ctx, m.config.ApplyLimit)
	defer cancel()
	state.Failed = map[string]string{}
	var failures []error
	for plan.Action == failover.Promote {
		chosen := r.find(plan.Promote)
		if chosen == nil || chosen.server == nil {
			return fmt.Errorf("promote %s: it is no replica of %s that answers", plan.Promote, plan.Dead)
		}
		limit := m.config.ApplyLimit
		if len(plan.Alternatives) > 0 {
			limit = m.config.CandidateLimit
		}
		err := r.apply(total, chosen, limit)
		if err == nil {
			r.phase(func(p *failover.Phases, now time.Time) { p.Applied = now })
			err = r.promote(ctx, chosen, plan)
		}
		if err == nil {
			r.install(ctx, chosen, plan)
			return nil
		}
		failures = append(failures, fmt.Errorf("promote %s: %w", plan.Promote, err))
		state.Failed[plan.Promote] = err.Error()
		plan = m.config.decide(state)
		r.change(func(a *failover.Audit) { a.Plan, a.State, a.Excluded = plan, state, plan.Excluded })
	}
	return errors.Join(append(failures, errors.New(plan.Reason), r.restartReceivers(ctx))...)
}

// relocate moves the replicas of a dead intermediate primary to its source.
func (r *recovery) relocate(ctx context.Context, plan failover.Plan) error {
	p := r.manager.pollerOf(plan.Source)
	if p == nil {
		return fmt.Errorf("move to %s: there is no such server", plan.Source)
	}
	// Whether GTID is used is for each replica to say.
	source := &involved{poller: p, link: failover.Link{GTID: true}}
	if err := r.step(source, "connect", func() (err error) {
		source.server, err = r.manager.open(ctx, p.member)
		return err
	}); err != nil {
		return err
	}
	r.repoint(ctx, source, plan)
	return source.server.Close()
}

// rememberStopped stores whose receivers are about to be stopped: they would say nothing of their source to a manager that
// is started in the middle of this.
func (r *recovery) rememberStopped() error {
	var names []string
	for _, o := range r.manager.state().Servers {
		if _, replica := o.LinkTo(r.old.Addr); replica && o.Reachable {
			names = append(names, o.Name)
		}
	}
	return r.manager.remember(func(m *memory) { m.Stopped = names })
}

// stopReceivers stops the receiver of every replica of the old primary, asks them once more, and returns the state.
// A replica that had not answered a poll is given another chance. The primary is asked again as well.
func (r *recovery) stopReceivers(ctx context.Context) failover.State {
	m := r.manager
	state := failover.State{Servers: make([]failover.Observation, len(m.pollers)), LastRecovery: m.lastFailover, Replaced: m.members.successors()}
	var all sync.WaitGroup
	known := m.state()
	for n, p := range m.pollers {
		o := known.Servers[n]
		state.Servers[n] = o
		link, replica := o.LinkTo(r.old.Addr)
		if !replica {
			if o.Name == r.old.Name {
				all.Go(func() { state.Servers[n] = p.poll(ctx) })
			}
			continue
		}
		i := &involved{poller: p, link: link}
		r.involved = append(r.involved, i)
		all.Go(func() { state.Servers[n] = r.stopReceiver(ctx, i, o) })
	}
	all.Wait()
	state.Now = time.Now()
	return state
}

func (r *recovery) stopReceiver(ctx context.Context, i *involved, o failover.Observation) failover.Observation {
	limit := r.manager.config.ActionLimit + o.Survey.NetTimeout
	if !o.Reachable {
		limit = r.manager.config.Limit // it may be back; the promotion does not wait for it
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin, was := time.Now(), o
	err := r.step(i, "connect", func() (err error) {
		if i.server, err = r.manager.open(ctx, i.poller.member); err != nil {
			i.server = nil
		}
		return err
	})
	if err == nil {
		err = r.keepRelayLog(ctx, i, o.Rule)
	}
	if err == nil {
		err = r.step(i, "stop the receiver", func() error { return stopIOThread(ctx, i, limit) })
	}
	lost := i.link.LostSource()
	if err == nil {
		err = observe(ctx, i.server, &o)
	}
	if err != nil {
		o.Reachable, o.Error = false, err.Error()
		return o
	}
	o.Restarted = restarted(o, was)
	o.Reachable, o.At, o.Error = true, begin, ""
	if o.At.Before(r.old.Since) {
		o.At = time.Now()
	}
	for n := range o.Links {
		if o.Links[n].Channel == i.link.Channel {
			o.Links[n].Source, o.Links[n].Lost = i.link.Source, lost
		}
	}
	i.seen = o
	i.link, _ = o.LinkTo(r.old.Addr)
	return o
}

// stopIOThread stops a receiver. One that connects with TLS to a primary that hangs, which MariaDB does by default since 11.4, ends
// with its network time-out only: that is longer than the connections of a recovery wait for an answer.
func stopIOThread(ctx context.Context, i *involved, limit time.Duration) (err error) {
	endpoint := i.poller.member.Endpoint
	endpoint.Limit = limit
	s, err := server.Open(ctx, endpoint)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.StopIOThread(ctx, i.link.Channel)
}

// restartReceivers lets the replicas receive again after a recovery that was given up.
func (r *recovery) restartReceivers(ctx context.Context) error {
	var errs []error
	for _, i := range r.involved {
		if i.server == nil {
			continue
		}
		errs = append(errs, r.step(i, "restart the receiver", func() error { return i.server.StartIOThread(ctx, i.link.Channel) }))
	}
	return errors.Join(errs...)
}

// apply lets a replica whose receiver is stopped apply all that it has received.
func (r *recovery) apply(ctx context.Context, i *involved, limit time.Duration) error {
	return r.step(i, "apply the relay log", func() error {
		if i.link.Apply == failover.Stopped {
			if err := r.startApplier(ctx, i); err != nil {
				return err
			}
		}
		received := i.link.Received
		return i.waitForLink(ctx, "applies all that it has received", r.old.Addr, limit,
			func(o failover.Observation, l failover.Link) (bool, error) {
				if l.Error != "" {
					return false, errors.New(l.Error)
				}
				l.GTID = i.link.GTID // it may have been told to go on without
				return applied(o, l, received), nil
			})
	})
}

// applied says whether all is applied that was received completely. Without GTID the applier's own word
// counts when the relay log ends in the middle of a transaction; stopping it then waits for its workers.
func applied(o failover.Observation, l failover.Link, received server.GTIDSet) bool {
	if l.GTID && (o.Flavor.ReceivesWholeTransactions() || o.Executed.Contains(received)) {
		return o.Executed.Contains(received)
	}
	return l.Applied.Compare(l.Read) >= 0 || l.Drained
}
