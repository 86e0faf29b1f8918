package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/wait"
)

// recovery is one change of the cluster under way: a failover, a relocation, a takeover or a rejoin.
type recovery struct {
	manager  *Manager
	audit    int                  // its number in the journal
	old      failover.Observation // the server that is replaced or bypassed
	involved []*involved
}

// involved is a server that a recovery changes: a replica of the old server, as a rule.
type involved struct {
	poller *poller
	server *server.Server // nil when it does not answer
	// waits says that this recovery has made its commits wait for replicas.
	waits bool
	seen  failover.Observation // after its receiver was stopped
	link  failover.Link        // to the old server
}

func (i *involved) name() string { return i.poller.member.Name }

// carryOut does a recovery from its entry in the journal to its end. What was known before is out of date then: every
// server is polled again.
func (m *Manager) carryOut(ctx context.Context, a failover.Audit, old failover.Observation, do func(*recovery) error) error {
	r := &recovery{manager: m, old: old, audit: m.journal.begin(a)}
	err := do(r)
	for _, i := range r.involved {
		if i.server != nil {
			err = errors.Join(err, i.server.Close())
		}
	}
	r.change(func(a *failover.Audit) {
		if err != nil {
			a.Error = err.Error()
		}
	})
	if forgetErr := m.remember((*memory).finish); forgetErr != nil {
		r.change(func(a *failover.Audit) { a.Error = errors.Join(err, forgetErr).Error() })
	}
	r.hook(ctx, "hook finished", m.config.Hooks.Finished)
	r.change(func(a *failover.Audit) { a.Done = true })
	m.pollAll(ctx, m.config.Limit)
	return err
}

// install makes a promoted replica the cluster's primary: it is announced, and the others follow it. They do not wait for
// the hook, nor the hook for them.
func (r *recovery) install(ctx context.Context, chosen *involved, plan failover.Plan) {
	r.phase(func(p *failover.Phases, now time.Time) { p.Writable = now })
	var hooked sync.WaitGroup
	hooked.Go(func() { r.hook(ctx, "hook promoted", r.manager.config.Hooks.Promoted) })
	r.repoint(ctx, chosen, plan)
	hooked.Wait()
}

func observationOf(s failover.State, name string) failover.Observation {
	i := slices.IndexFunc(s.Servers, func(o failover.Observation) bool { return o.Name == name })
	if i < 0 {
		return failover.Observation{Name: name}
	}
	return s.Servers[i]
}

// observationAt is that of the server with an address.
func observationAt(s failover.State, addr string) (failover.Observation, bool) {
	i := slices.IndexFunc(s.Servers, func(o failover.Observation) bool { return o.Addr == addr })
	if i < 0 {
		return failover.Observation{}, false
	}
	return s.Servers[i], true
}

func (r *recovery) change(change func(*failover.Audit)) { r.manager.journal.change(r.audit, change) }

func (r *recovery) hook(ctx context.Context, what string, hook func(context.Context, failover.Audit) error) {
	if hook == nil {
		return
	}
	if r.manager.pass() != nil {
		return
	}
	begin := time.Now()
	r.manager.journal.note(r.audit, begin, "", what, hook(ctx, r.manager.journal.get(r.audit)))
}

func (r *recovery) phase(set func(*failover.Phases, time.Time)) {
	now := time.Now()
	r.change(func(a *failover.Audit) { set(&a.Phases, now) })
}

// step does something to one server and enters it into the audit.
func (r *recovery) step(i *involved, what string, do func() error) error {
	begin := time.Now()
	err := r.manager.pass()
	if err == nil {
		err = do()
	}
	r.manager.journal.note(r.audit, begin, i.name(), what, err)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (r *recovery) find(name string) *involved {
	i := slices.IndexFunc(r.involved, func(i *involved) bool { return i.name() == name })
	if i < 0 {
		return nil
	}
	return r.involved[i]
}

// waitForLink asks a replica until a condition on its link to a source holds. An error of the condition ends the wait.
func (i *involved) waitForLink(ctx context.Context, what, source string, limit time.Duration, holds func(failover.Observation, failover.Link) (bool, error)) error {
	return wait.State{What: i.name() + " " + what, Limit: limit}.Until(ctx, func(ctx context.Context) (seen string, reached bool, err error) {
		o := i.seen
		if err := observe(ctx, i.server, &o); err != nil {
			return "", false, err
		}
		link, ok := o.LinkTo(source)
		if at := slices.IndexFunc(o.Links, func(l failover.Link) bool { return l.Channel == i.link.Channel }); !ok && at >= 0 && source == i.link.Source {
			link, ok = o.Links[at], true // by another name
		}
		if !ok {
			return "no source " + source, false, nil
		}
		reached, err = holds(o, link)
		return fmt.Sprintf("receiver %s, applier %s, read %s, applied %s", link.Fetch, link.Apply, link.Read, link.Applied), reached, wait.Stop(err)
	})
}
