package failover

import (
	"context"
	"errors"
	"time"

	"mysqlmatrix/harness/server"
)

// unblock makes a primary that waits for acknowledgements which nobody gives take writes without. The
// commits that wait go on as well. It stays so until an operator says otherwise.
func (m *Embedded) unblock(ctx context.Context, plan Plan, state State) {
	begin := time.Now()
	audit := m.journal.begin(Audit{State: state, Plan: plan, Phases: Phases{Detected: begin}})
	for _, p := range m.pollers {
		if p.member.Name != plan.Dead {
			continue
		}
		err := m.act(ctx, p.member, func(ctx context.Context, s *server.Server) error {
			return s.Exec(ctx, "SET GLOBAL "+s.Dialect.SemiSync.SourceEnabled+" = 0")
		})
		m.journal.note(audit, begin, plan.Dead, "semi-synchronous replication off", err)
		m.journal.change(audit, func(a *Audit) {
			a.Phases.Writable = time.Now()
			if err != nil {
				a.Error = err.Error()
			}
		})
		p.must(ctx)
	}
	m.journal.change(audit, func(a *Audit) { a.Done = true })
}

// readmit considers a primary that was replaced and has come back, once, when it is read-only: it follows the
// new primary when that has all that it has, and is kept out otherwise, with the difference.
func (m *Embedded) readmit(ctx context.Context, state State) {
	for i, o := range state.Servers {
		if !m.demoted[o.Name] || !o.Reachable || !o.ReadOnly || len(o.Links) > 0 || m.considered[o.Name] {
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
		if one.Reachable && !one.ReadOnly && len(one.Links) == 0 && !m.demoted[one.Name] {
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
		return followAsOldPrimary(ctx, s, o, m.endpointOf(primary.Name))
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

func (m *Embedded) endpointOf(name string) server.Endpoint {
	for _, p := range m.pollers {
		if p.member.Name == name {
			return p.member.Replication
		}
	}
	return server.Endpoint{}
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
