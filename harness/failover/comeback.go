package failover

import (
	"context"
	"errors"
	"time"

	"mysqlmatrix/harness/server"
)

// succession is how a primary was replaced.
type succession struct {
	by string // name of the new primary
	// link is the new primary's to the old one when it was promoted: what it had received of it.
	link Link
}

// replaced says whether a server was a primary that another one was promoted for.
func (m *Embedded) replaced(name string) bool {
	_, ok := m.demoted[name]
	return ok
}

// takeIn sees to the replicas that did not answer while their primary was replaced, and answer now: left to themselves, they
// would go on with that one as soon as it is back. It says whether it has done anything.
func (m *Embedded) takeIn(ctx context.Context, state State) (done bool) {
	for i, o := range state.Servers {
		for _, link := range o.Links {
			old, _ := at(state, link.Source)
			past, replaced := m.demoted[old.Name]
			if !replaced || !o.Reachable || link.Fetch == Stopped {
				continue
			}
			if !observationOf(state, past.by).Reachable && !m.replaced(past.by) {
				continue // it has missed a poll, or is replaced itself in a moment
			}
			m.takeInOne(ctx, &involved{poller: m.pollers[i], seen: o, link: link}, old, past, state)
			done = true
			break
		}
	}
	return done
}

// takeInOne makes a late replica follow the new primary where one that answered in time would have, and keeps it apart
// otherwise, stopped.
func (m *Embedded) takeInOne(ctx context.Context, late *involved, old Observation, past succession, state State) {
	name := late.poller.member.Name
	plan := Plan{Action: Alert, Problem: CannotFollowAfterFailure, Dead: name, Above: past.by,
		Reason: name + " did not answer while " + old.Name + " was replaced, and answers again"}
	r := &recovery{Embedded: m, dead: old, audit: m.journal.begin(Audit{State: state, Plan: plan})}
	reason := r.bring(ctx, late, past, state)
	var err error
	if late.server != nil {
		err = late.server.Close()
	}
	r.journal.change(r.audit, func(a *Audit) {
		a.Done = true
		if err != nil {
			a.Error = err.Error()
		}
		if reason != "" {
			a.Apart = []Apart{{name, reason}}
			a.Plan.Reason += "; it is kept apart: " + reason
			return
		}
		a.Plan.Problem, a.Plan.Rewire, a.Followers = NoProblem, []string{name}, []string{name}
		a.Plan.Reason += "; it follows " + past.by
	})
	late.poller.must(ctx)
}

// bring stops a late replica and wires it to the new primary; what it returns is why that may not or cannot be, "" when
// it follows.
func (r *recovery) bring(ctx context.Context, late *involved, past succession, state State) (reason string) {
	frozen := r.freezeOne(ctx, late, late.seen)
	if !frozen.Reachable {
		return frozen.Error // it is tried again after the next poll
	}
	if reason = r.outsider(frozen, late.link, past, state); reason == "" {
		if err := r.followSuccessor(ctx, late, past); err != nil {
			reason = err.Error()
		}
	}
	if reason != "" {
		r.stop(ctx, late)
	}
	return reason
}

// outsider is why a late replica may not follow the new primary, "" when it may: by the rules of a recovery, against what
// the new primary had when it was promoted.
func (r *recovery) outsider(late Observation, link Link, past succession, state State) string {
	primary := observationOf(state, past.by)
	if r.replaced(past.by) || len(primary.Links) > 0 {
		return past.by + " is not the primary any more"
	}
	c, chosen := candidate{late, link, errant(late, r.dead)}, candidate{primary, past.link, ""}
	if reason := apart(c, chosen, link.GTID && past.link.GTID, r.config.Policy); reason != "" {
		return reason
	}
	return cannotFollow(c, chosen)
}

func (r *recovery) followSuccessor(ctx context.Context, late *involved, past succession) (err error) {
	primary := &involved{poller: r.pollerOf(past.by), link: past.link}
	if primary.server, err = r.open(ctx, primary.poller.member); err != nil {
		return err
	}
	defer func() {
		if closeErr := primary.server.Close(); err == nil {
			err = closeErr
		}
	}()
	return r.follow(ctx, late, primary)
}

// readmit considers a primary that was replaced and has come back, once, when it is read-only: it follows the
// new primary when that has all that it has, and is kept out otherwise, with the difference.
func (m *Embedded) readmit(ctx context.Context, state State) {
	for i, o := range state.Servers {
		if !m.replaced(o.Name) || !o.Reachable || !o.ReadOnly || len(o.Links) > 0 || m.considered[o.Name] {
			continue
		}
		primary, ok := m.primaryOf(state)
		if !ok {
			continue // there is nobody to follow now
		}
		m.considered[o.Name] = true
		m.readmitOne(ctx, m.pollers[i], o, primary, state)
	}
}

// primaryOf is the one server that takes writes and has no source.
func (m *Embedded) primaryOf(s State) (o Observation, ok bool) {
	for _, one := range s.Servers {
		if one.Reachable && !one.ReadOnly && len(one.Links) == 0 && !m.replaced(one.Name) {
			if ok {
				return o, false
			}
			o, ok = one, true
		}
	}
	return o, ok
}

func (m *Embedded) readmitOne(ctx context.Context, p *poller, o, primary Observation, state State) {
	plan := Plan{Action: Alert, Problem: ErrantServer, Dead: o.Name, Above: primary.Name}
	own := o.Wrote.Minus(primary.Wrote)
	switch {
	case primary.Wrote.IsEmpty() || o.Wrote.IsEmpty() || !m.usesGTID(state, primary):
		plan.Reason = o.Name + " was replaced and has come back: without GTID nobody knows what it has that " + primary.Name + " lacks; it is kept out"
	case !own.IsEmpty():
		plan.Reason = o.Name + " was replaced and has come back: it is kept out, since it has what " + primary.Name + " lacks: " + own.String()
	case !m.config.Readmit:
		plan.Reason = o.Name + " was replaced and has come back: it may follow " + primary.Name
	default:
		plan.Problem, plan.Reason = NoProblem, o.Name+" was replaced and has come back: it follows "+primary.Name+", which has all that it has"
		plan.Rewire = []string{o.Name}
	}
	audit := m.journal.begin(Audit{State: state, Plan: plan})
	defer m.journal.change(audit, func(a *Audit) { a.Done = true })
	if len(plan.Rewire) == 0 {
		return
	}
	begin := time.Now()
	err := m.act(ctx, p.member, func(ctx context.Context, s *server.Server) error {
		return followAsOldPrimary(ctx, s, o, m.pollerOf(primary.Name).member.Replication)
	})
	m.journal.note(audit, begin, o.Name, "follow "+primary.Name, err)
	if err == nil {
		delete(m.demoted, o.Name)
	}
	m.journal.change(audit, func(a *Audit) {
		if err != nil {
			a.Error = err.Error()
			return
		}
		a.Followers, a.Phases.Following = plan.Rewire, time.Now()
	})
	p.must(ctx)
}

// usesGTID says whether a primary's replicas use GTID.
func (m *Embedded) usesGTID(s State, primary Observation) bool {
	for _, o := range s.Servers {
		if link, ok := o.linkTo(primary.Addr); ok && link.GTID {
			return true
		}
	}
	return false
}

// followAsOldPrimary makes a primary a replica. MariaDB's place in the stream is kept by what a server has
// replicated, and what this one has written itself has to be entered there.
func followAsOldPrimary(ctx context.Context, s *server.Server, o Observation, source server.Endpoint) error {
	if o.Flavor.IsMariaDB() {
		if err := s.Exec(ctx, "SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_current_pos"); err != nil {
			return err
		}
	}
	d := s.Dialect.SemiSync
	var errs []error
	if o.SemiSync {
		errs = append(errs, s.Exec(ctx, "SET GLOBAL "+d.SourceEnabled+" = 0"), s.Exec(ctx, "SET GLOBAL "+d.ReplicaEnabled+" = 1"))
	}
	return errors.Join(append(errs, s.SetReadOnly(ctx, true), s.PointTo(ctx, server.Source{Endpoint: source, GTID: true}), s.StartReplica(ctx, ""))...)
}
