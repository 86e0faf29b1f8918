package failover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/server"
)

// recovery is one failover under way.
type recovery struct {
	*Embedded
	audit    int // its number in the journal
	dead     Observation
	involved []*involved
}

// involved is a replica of the dead primary.
type involved struct {
	poller *poller
	server *server.Server // nil when it does not answer
	seen   Observation    // after it was frozen
	link   Link
}

// recover does what a plan says. The plan is made a second time when no replica receives anything any
// more: only then is it certain who has what.
func (m *Embedded) recover(ctx context.Context, plan Plan, state State) {
	r := &recovery{Embedded: m, dead: observationOf(state, plan.Dead)}
	now := time.Now()
	r.audit = m.journal.begin(Audit{Plan: plan, State: state, Phases: Phases{Suspected: r.dead.Since, Detected: now}})
	r.hook(ctx, "hook detected", m.config.Hooks.Detected)
	err := r.run(ctx)
	if m.journal.get(r.audit).Plan.Action == Promote {
		m.lastRecovery = time.Now()
	}
	for _, i := range r.involved {
		if i.server != nil {
			err = errors.Join(err, i.server.Close())
		}
	}
	m.journal.change(r.audit, func(a *Audit) {
		if err != nil {
			a.Error = err.Error()
		}
	})
	r.hook(ctx, "hook finished", m.config.Hooks.Finished)
	m.journal.change(r.audit, func(a *Audit) { a.Done = true })
	m.lookAgain(ctx) // what was known before is not true any more: nothing is decided from it
}

// lookAgain polls every server.
func (m *Embedded) lookAgain(ctx context.Context) {
	var again sync.WaitGroup
	for _, p := range m.pollers {
		again.Go(func() { p.must(ctx) })
	}
	again.Wait()
}

func observationOf(s State, name string) Observation {
	i := slices.IndexFunc(s.Servers, func(o Observation) bool { return o.Name == name })
	if i < 0 {
		return Observation{Name: name}
	}
	return s.Servers[i]
}

func (r *recovery) hook(ctx context.Context, what string, hook func(context.Context, Audit) error) {
	if hook == nil {
		return
	}
	begin := time.Now()
	r.journal.note(r.audit, begin, "", what, hook(ctx, r.journal.get(r.audit)))
}

func (r *recovery) phase(set func(*Phases, time.Time)) {
	now := time.Now()
	r.journal.change(r.audit, func(a *Audit) { set(&a.Phases, now) })
}

func (r *recovery) run(ctx context.Context) error {
	state := r.freeze(ctx)
	r.phase(func(p *Phases, now time.Time) { p.Frozen = now })
	plan := r.config.Decide(state, r.config.Policy)
	r.journal.change(r.audit, func(a *Audit) { a.Plan, a.State, a.Apart = plan, state, plan.Apart })
	if plan.Action == Relocate {
		return r.relocate(ctx, plan)
	}
	if plan.Action != Promote {
		return errors.Join(fmt.Errorf("given up once the replicas were frozen: %s", plan.Reason), r.thaw(ctx))
	}
	chosen := r.find(plan.Promote)
	if chosen == nil || chosen.server == nil {
		return fmt.Errorf("promote %s: it is no replica of %s that answers", plan.Promote, plan.Dead)
	}
	if err := r.apply(ctx, chosen); err != nil {
		return fmt.Errorf("promote %s: %w", plan.Promote, err)
	}
	r.phase(func(p *Phases, now time.Time) { p.Applied = now })
	if err := r.promote(ctx, chosen, plan); err != nil {
		return fmt.Errorf("promote %s: %w", plan.Promote, err)
	}
	r.demoted[plan.Dead] = succession{by: plan.Promote, link: chosen.link}
	delete(r.considered, plan.Dead)
	delete(r.demoted, plan.Promote)
	r.phase(func(p *Phases, now time.Time) { p.Writable = now })
	// The siblings do not wait for the hook, nor the hook for the siblings.
	var hooked sync.WaitGroup
	hooked.Go(func() { r.hook(ctx, "hook promoted", r.config.Hooks.Promoted) })
	r.rewire(ctx, chosen, plan)
	hooked.Wait()
	return nil
}

// relocate moves the replicas of a dead intermediate primary below its source.
func (r *recovery) relocate(ctx context.Context, plan Plan) error {
	above := r.pollerOf(plan.Above)
	if above == nil {
		return fmt.Errorf("move below %s: there is no such server", plan.Above)
	}
	// That it uses GTID is for each replica to say.
	source := &involved{poller: above, link: Link{GTID: true}}
	if err := r.step(source, "connect", func() (err error) {
		source.server, err = r.open(ctx, source.poller.member)
		return err
	}); err != nil {
		return err
	}
	r.rewire(ctx, source, plan)
	return source.server.Close()
}

func (r *recovery) find(name string) *involved {
	i := slices.IndexFunc(r.involved, func(i *involved) bool { return i.poller.member.Name == name })
	if i < 0 {
		return nil
	}
	return r.involved[i]
}

// step does something to one server and enters it into the audit.
func (r *recovery) step(i *involved, what string, do func() error) error {
	begin := time.Now()
	err := do()
	r.journal.note(r.audit, begin, i.poller.member.Name, what, err)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// freeze stops fetching on every replica of the dead primary, asks them once more, and returns the state.
// A replica that had not answered a poll is given another chance. The primary is asked again as well.
func (r *recovery) freeze(ctx context.Context) State {
	state := State{Servers: make([]Observation, len(r.pollers)), LastRecovery: r.lastRecovery}
	var all sync.WaitGroup
	for n, p := range r.pollers {
		o := p.observation()
		state.Servers[n] = o
		link, replica := o.linkTo(r.dead.Addr)
		if !replica {
			if o.Name == r.dead.Name {
				all.Go(func() { state.Servers[n] = p.must(ctx) })
			}
			continue
		}
		i := &involved{poller: p, link: link}
		r.involved = append(r.involved, i)
		all.Go(func() { state.Servers[n] = r.freezeOne(ctx, i, o) })
	}
	all.Wait()
	state.Now = time.Now()
	return state
}

func (r *recovery) freezeOne(ctx context.Context, i *involved, o Observation) Observation {
	limit := r.config.ActionLimit
	if !o.Reachable {
		limit = r.config.Limit // it may be back; the promotion does not wait for it
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	err := r.step(i, "stop fetching", func() (err error) {
		if i.server, err = r.open(ctx, i.poller.member); err != nil {
			i.server = nil
			return err
		}
		return i.server.StopIOThread(ctx, i.link.Channel)
	})
	if err == nil {
		err = observe(ctx, i.server, &o)
	}
	if err != nil {
		o.Reachable, o.Error = false, err.Error()
		return o
	}
	o.Reachable, o.At, o.Error = true, begin, ""
	if o.At.Before(r.dead.Since) {
		o.At = time.Now()
	}
	i.seen = o
	i.link, _ = o.linkTo(r.dead.Addr)
	return o
}

// thaw lets the replicas fetch again after a recovery that was given up.
func (r *recovery) thaw(ctx context.Context) error {
	var errs []error
	for _, i := range r.involved {
		if i.server == nil {
			continue
		}
		errs = append(errs, r.step(i, "fetch again", func() error { return i.server.StartIOThread(ctx, i.link.Channel) }))
	}
	return errors.Join(errs...)
}

// statusPoll is how often a replica is asked while something is waited for.
const statusPoll = 5 * time.Millisecond

// apply lets a frozen replica apply all that it has fetched.
func (r *recovery) apply(ctx context.Context, i *involved) error {
	ctx, cancel := context.WithTimeout(ctx, r.config.ApplyLimit)
	defer cancel()
	return r.step(i, "apply the relay log", func() error {
		if i.link.Apply == Stopped {
			if err := i.server.StartSQLThread(ctx, i.link.Channel); err != nil {
				return err
			}
		}
		received := i.link.Received
		return i.await(ctx, r.dead.Addr, func(o Observation, l Link) (bool, error) {
			if l.Error != "" {
				return false, errors.New(l.Error)
			}
			return applied(o, l, received), nil
		})
	})
}

// applied says whether all is applied that was received completely. Without GTID the applier's own word
// counts when the relay log ends in the middle of a transaction; stopping it then waits for its workers.
func applied(o Observation, l Link, received server.GTIDSet) bool {
	if l.GTID && (countsWhole(o.Flavor) || o.Executed.Contains(received)) {
		return o.Executed.Contains(received)
	}
	return l.Applied.Compare(l.Read) >= 0 || l.Drained
}

// countsWhole says whether a server counts a transaction as received only once all of it is there. MySQL 5.6
// counts it from its first event on (seen on 5.6.24), so that the end of half a transaction would be waited
// for in vain.
func countsWhole(f flavor.Flavor) bool { return f.IsMariaDB() || f.MinMySQL(5, 7, 0) }

// await asks a replica until a condition on its link to a source holds. The error has what it said last.
func (i *involved) await(ctx context.Context, source string, holds func(Observation, Link) (bool, error)) error {
	tick := time.NewTicker(statusPoll)
	defer tick.Stop()
	for {
		o := i.seen
		err := observe(ctx, i.server, &o)
		link, ok := o.linkTo(source)
		if err == nil && ok {
			done, err := holds(o, link)
			if done || err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w; last seen: fetching %s, applying %s, read %s, applied %s", errors.Join(ctx.Err(), err),
				link.Fetch, link.Apply, link.Read, link.Applied)
		}
	}
}
