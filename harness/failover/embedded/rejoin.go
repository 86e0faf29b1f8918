package embedded

import (
	"context"
	"errors"
	"slices"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// rejoinReplicas attaches the replicas that did not answer while their primary was replaced, and answer now: otherwise
// they would go on with the old primary as soon as it is back. It says whether it has done anything.
func (m *Manager) rejoinReplicas(ctx context.Context, state failover.State) (done bool) {
	m.noteArrivals(state)
	for i, o := range state.Servers {
		for _, link := range o.Links {
			old, _ := observationAt(state, link.Source)
			past := m.members[old.Name]
			late := m.members.replaced(old.Name) || past.status == returned && slices.Contains(past.absent, o.Name)
			if !late || !o.Reachable || link.Fetch == failover.Stopped && !m.memory.stopped(o.Name) {
				continue
			}
			if !observationOf(state, past.by).Reachable && !m.members.replaced(past.by) {
				continue // it has missed a poll, or is about to be replaced itself
			}
			m.rejoinReplica(ctx, &involved{poller: m.pollers[i], seen: o, link: link}, old, past, state)
			done = true
			break
		}
	}
	return done
}

// noteArrivals forgets those who were absent when a primary was replaced, and answer as a replica of another server or of none.
func (m *Manager) noteArrivals(state failover.State) {
	changed := false
	for _, o := range state.Servers {
		for name, past := range m.members {
			_, below := o.LinkTo(observationOf(state, name).Addr)
			if o.Reachable && !below && slices.Contains(past.absent, o.Name) {
				m.members.came(o.Name, name)
				changed = true
			}
		}
	}
	if changed {
		_ = m.remember(nil) // a manager that is started again does the same
	}
}

// rejoinReplica attaches a late replica to the new primary by the rules for one that answered in time, or stops and
// excludes it.
func (m *Manager) rejoinReplica(ctx context.Context, late *involved, old failover.Observation, past standing, state failover.State) {
	name := late.name()
	plan := failover.Plan{Action: failover.Alert, Problem: failover.CannotFollowAfterFailure, Dead: name, Source: past.by,
		Reason: name + " did not answer while " + old.Name + " was replaced, and answers again"}
	r := &recovery{manager: m, old: old, audit: m.journal.begin(failover.Audit{State: state, Plan: plan})}
	err := m.remember(func(m *memory) { m.Touched = append(slices.Clone(m.Touched), name) })
	reason := ""
	if err == nil {
		reason = r.attach(ctx, late, past, state)
	}
	if late.server != nil {
		err = errors.Join(err, late.server.Close())
	}
	r.change(func(a *failover.Audit) {
		a.Done = true
		if err != nil {
			a.Error = err.Error()
		}
		if reason != "" {
			a.Excluded = []failover.Exclusion{{Name: name, Reason: reason}}
			a.Plan.Reason += "; it is excluded: " + reason
			return
		}
		a.Plan.Problem, a.Plan.Repoint, a.Followers = failover.NoProblem, []string{name}, []string{name}
		a.Plan.Reason += "; it follows " + past.by
	})
	if late.poller.poll(ctx).Reachable {
		m.members.came(name, old.Name)
	}
	if err := m.remember(func(m *memory) { m.started(name) }); err != nil {
		r.change(func(a *failover.Audit) { a.Error = err.Error() })
	}
}

// attach stops a late replica and points it to the new primary. It returns why that may not or cannot be, "" when
// the replica follows.
func (r *recovery) attach(ctx context.Context, late *involved, past standing, state failover.State) (reason string) {
	stopped := r.stopReceiver(ctx, late, late.seen)
	if !stopped.Reachable {
		return stopped.Error // it is tried again after the next poll
	}
	if reason = r.rejectReason(stopped, late.link, past, state); reason == "" {
		if err := r.followSuccessor(ctx, late, past); err != nil {
			reason = err.Error()
		}
	}
	if reason != "" {
		r.stop(ctx, late)
	}
	return reason
}

// rejectReason is why a late replica may not follow the new primary, "" when it may: by the rules of a recovery, against
// what the new primary had when it was promoted.
func (r *recovery) rejectReason(late failover.Observation, link failover.Link, past standing, state failover.State) string {
	primary := observationOf(state, past.by)
	if r.manager.members.replaced(past.by) || len(primary.Links) > 0 {
		return past.by + " is no longer the primary"
	}
	c, chosen := candidateOf(state, late, link, r.old), candidate{Observation: primary, link: past.link}
	if reason := followerReason(c, chosen, link.GTID && past.link.GTID, r.manager.config.Policy); reason != "" {
		return reason
	}
	return cannotFollow(c, chosen)
}

func (r *recovery) followSuccessor(ctx context.Context, late *involved, past standing) (err error) {
	primary := &involved{poller: r.manager.pollerOf(past.by), link: past.link}
	if primary.server, err = r.manager.open(ctx, primary.poller.member); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, primary.server.Close()) }()
	return r.follow(ctx, late, primary)
}

// rejoinPrimaries considers each replaced primary that has come back read-only, once: it follows the
// new primary when that has all that it has, and is excluded otherwise, with the difference. An excluded one that an operator
// has rebuilt is a replica like others.
func (m *Manager) rejoinPrimaries(ctx context.Context, state failover.State) {
	for i, o := range state.Servers {
		primary, ok := m.primaryOf(state)
		if !ok || !o.Reachable || !o.ReadOnly {
			continue
		}
		link, follows := o.LinkTo(primary.Addr)
		switch status := m.members[o.Name].status; {
		case status == demoted && (follows || len(o.Links) == 0):
			m.rejoinPrimary(ctx, m.pollers[i], o, primary, state)
		case status == excluded && link.Fetch == failover.Running && link.Apply == failover.Running:
			m.readmit(o, primary, state)
		}
	}
}

// readmit takes an excluded server that replicates from the primary for a replica of it.
func (m *Manager) readmit(o, primary failover.Observation, state failover.State) {
	m.members.activate(o.Name)
	a := failover.Audit{State: state, Done: true, Followers: []string{o.Name}, Plan: failover.Plan{Action: failover.Alert, Problem: failover.NoProblem, Dead: o.Name, Source: primary.Name,
		Repoint: []string{o.Name}, Reason: o.Name + " was excluded, and replicates from " + primary.Name + " now: it is a replica again"}}
	if err := m.remember(nil); err != nil { // a manager that is started again does the same
		a.Error = err.Error()
	}
	m.journal.begin(a)
}

// primaryOf is the one server that takes writes and has no source.
func (m *Manager) primaryOf(s failover.State) (o failover.Observation, ok bool) {
	for _, one := range s.Servers {
		if one.Reachable && !one.ReadOnly && len(one.Links) == 0 && !m.members.replaced(one.Name) {
			if ok {
				return o, false
			}
			o, ok = one, true
		}
	}
	return o, ok
}

func (m *Manager) rejoinPrimary(ctx context.Context, p *poller, o, primary failover.Observation, state failover.State) {
	plan := m.rejoinPlan(o, primary, state)
	audit := m.journal.begin(failover.Audit{State: state, Plan: plan})
	defer m.journal.change(audit, func(a *failover.Audit) { a.Done = true })
	if len(plan.Repoint) == 0 {
		m.members.exclude(o.Name)
		// Without it a manager that is started again reports it once more.
		_ = m.remember(nil)
		return
	}
	m.members.rejoin(o.Name)
	begin := time.Now()
	err := m.act(ctx, p.member, func(ctx context.Context, s *server.Server) error {
		return followAsOldPrimary(ctx, s, o, primary, server.Source{Endpoint: m.pollerOf(primary.Name).member.Replication, GTID: true, TLS: usesTLS(state, primary)})
	})
	m.journal.note(audit, begin, o.Name, "follow "+primary.Name, err)
	if err == nil {
		m.members.activate(o.Name)
	} else {
		m.members.exclude(o.Name)
	}
	err = errors.Join(err, m.remember(nil))
	m.journal.change(audit, func(a *failover.Audit) {
		if err != nil {
			a.Error = err.Error()
			return
		}
		a.Followers, a.Phases.Following = plan.Repoint, time.Now()
	})
	p.poll(ctx)
}

// rejoinPlan says whether a replaced primary that has come back may follow the new one.
func (m *Manager) rejoinPlan(o, primary failover.Observation, state failover.State) failover.Plan {
	plan := failover.Plan{Action: failover.Alert, Problem: failover.ErrantServer, Dead: o.Name, Source: primary.Name,
		Reason: o.Name + " was replaced and has come back: "}
	own := o.Wrote.Minus(primary.Wrote)
	_, follows := o.LinkTo(primary.Addr)
	unable := cannotRejoin(o, primary)
	switch {
	case follows:
		plan.Problem, plan.Repoint = failover.NoProblem, []string{o.Name}
		plan.Reason += "it follows " + primary.Name + " already"
	case unable != "":
		plan.Problem = failover.CannotFollowAfterFailure
		plan.Reason += "it is excluded: " + unable
	case primary.Wrote.IsEmpty() || o.Wrote.IsEmpty() || !usesGTID(state, primary) && !m.members[o.Name].link.GTID:
		plan.Reason += "it is excluded, since without GTID it is not known what it has that " + primary.Name + " lacks"
	case !own.IsEmpty():
		plan.Reason += "it is excluded, since it has transactions that " + primary.Name + " lacks: " + own.String()
	case !m.config.Readmit:
		plan.Reason += "it may follow " + primary.Name
	default:
		plan.Problem, plan.Repoint = failover.NoProblem, []string{o.Name}
		plan.Reason += "it follows " + primary.Name + ", which has all that it has"
	}
	return plan
}

// cannotRejoin is why a replaced primary cannot replicate from the new one, by version or binary log format, and what to do; ""
// when it can. In the middle of a rolling upgrade it is older.
func cannotRejoin(old, primary failover.Observation) string {
	reason := cannotFollow(candidate{Observation: old}, candidate{Observation: primary})
	switch {
	case reason == "":
		return ""
	case !old.Flavor.CanReplicateFrom(primary.Flavor):
		reason += ": upgrade it"
	default:
		reason += ": set binlog_format as on " + primary.Name
	}
	return reason + ", and have it replicate from " + primary.Name
}

// usesGTID says whether a primary's replicas use GTID.
func usesGTID(s failover.State, primary failover.Observation) bool {
	for _, o := range s.Servers {
		if link, ok := o.LinkTo(primary.Addr); ok && link.GTID {
			return true
		}
	}
	return false
}

// usesTLS says whether a primary's replicas connect with TLS.
func usesTLS(s failover.State, primary failover.Observation) bool {
	for _, o := range s.Servers {
		if link, ok := o.LinkTo(primary.Addr); ok && link.TLS {
			return true
		}
	}
	return false
}

// followAsOldPrimary makes a primary a replica. MariaDB replicates from the position that a server has
// replicated up to, and what this one has written itself has to be entered there.
func followAsOldPrimary(ctx context.Context, s *server.Server, o, primary failover.Observation, source server.Source) error {
	if _, follows := o.LinkTo(primary.Addr); follows { // it was pointed there by a manager that has ended since
		return s.StartReplica(ctx, "")
	}
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
	return errors.Join(append(errs, s.SetReadOnly(ctx, true), s.PointTo(ctx, source), s.StartReplica(ctx, ""))...)
}
