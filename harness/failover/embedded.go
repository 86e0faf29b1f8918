package failover

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mysqlmatrix/harness/server"
)

// Member is a server of the cluster.
type Member struct {
	Name     string
	Endpoint server.Endpoint // where the manager connects, with all privileges
	// Replication is where a replica connects, and as whom: the address by which replicas name their source.
	Replication server.Endpoint
	Rule        Rule
}

// Rewirer finds the place in a new primary's binary log that continues what a replica has applied, without
// GTID. An error leaves the replica apart.
type Rewirer func(ctx context.Context, replica, primary *server.Server) (server.Coordinates, error)

// Config is how the embedded manager works.
type Config struct {
	Members []Member
	// Interval is how often each server is looked at; 0 means 250 ms.
	Interval time.Duration
	// Limit bounds each connection and query of a poll, but the first; 0 means Interval.
	Limit time.Duration
	// ActionLimit bounds each action of a recovery, but the waits, and the first poll; 0 means ten seconds. A replica
	// whose source hangs may take its own slave_net_timeout to stop fetching: it is in the middle of connecting.
	ActionLimit time.Duration
	// ApplyLimit is how long the new primary may take to apply what it has received; 0 means 30 s.
	ApplyLimit time.Duration
	// FollowLimit is how long a replica may take until it replicates from the new primary; 0 means 10 s.
	FollowLimit time.Duration
	// SemiSyncAlone enables semi-synchronous replication on the new primary also when nobody is left to
	// acknowledge, so that it takes no write until somebody is. Otherwise such a primary is asynchronous.
	SemiSyncAlone bool
	// Readmit makes a primary that was replaced and comes back follow the new one, when that has all that it has.
	Readmit bool
	Policy  Policy
	Hooks   Hooks
	// Rewire places replicas that do not use GTID; without one they are left apart.
	Rewire Rewirer
	// Decide replaces the function of that name, for a policy of one's own; nil is Decide.
	Decide func(State, Policy) Plan
}

func (c *Config) setDefaults() {
	orElse := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	orElse(&c.Interval, 250*time.Millisecond)
	orElse(&c.Limit, c.Interval)
	orElse(&c.ActionLimit, 10*time.Second)
	orElse(&c.ApplyLimit, 30*time.Second)
	orElse(&c.FollowLimit, 10*time.Second)
	if c.Decide == nil {
		c.Decide = Decide
	}
	c.Policy.Rewirable = c.Rewire != nil
}

// Embedded is the manager that needs nothing installed.
type Embedded struct {
	config  Config
	pollers []*poller
	journal journal
	polled  chan struct{} // a poll has ended
	cancel  context.CancelFunc
	running sync.WaitGroup

	// What follows belongs to the goroutine that watches.
	lastRecovery time.Time
	lastPlan     Plan
	demoted      map[string]succession // primaries that were replaced
	considered   map[string]bool       // of them, those that have come back and were looked at

	requests chan func(context.Context) // what an operator asks for
}

// NewEmbedded makes a manager; nothing is asked until Start.
func NewEmbedded(c Config) (*Embedded, error) {
	c.setDefaults()
	m := &Embedded{config: c, polled: make(chan struct{}, 1), demoted: map[string]succession{},
		considered: map[string]bool{}, requests: make(chan func(context.Context))}
	names := map[string]bool{}
	for _, member := range c.Members {
		switch {
		case names[member.Name]:
			return nil, fmt.Errorf("failover manager: two servers are named %q", member.Name)
		case ruleNames[member.Rule] == "":
			return nil, fmt.Errorf("failover manager: server %s has no promotion rule", member.Name)
		}
		names[member.Name] = true
		m.pollers = append(m.pollers, newPoller(member, c.Limit, m.notify))
	}
	return m, nil
}

// pollerOf is that of the server with a name; nil when there is none.
func (m *Embedded) pollerOf(name string) *poller {
	for _, p := range m.pollers {
		if p.member.Name == name {
			return p
		}
	}
	return nil
}

func (m *Embedded) notify() {
	select {
	case m.polled <- struct{}{}:
	default: // the watcher has not yet looked at what it was told before
	}
}

// Start begins to watch, once each server has been seen or has not answered for ActionLimit. That is no error: it is what
// the manager is for. It waits that long because whom a replica replicates from is known from the replica alone: one that
// is slow just now, and gone before it was ever seen, would be missed by nobody.
func (m *Embedded) Start(ctx context.Context) error {
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.cancel = cancel
	var first sync.WaitGroup
	for _, p := range m.pollers {
		first.Go(func() { p.mustWithin(ctx, m.config.ActionLimit) })
	}
	first.Wait()
	if err := ctx.Err(); err != nil {
		cancel()
		return errors.Join(fmt.Errorf("failover manager: %w", err), m.close())
	}
	for _, p := range m.pollers {
		m.running.Go(func() { p.run(watching, m.config.Interval) })
	}
	m.running.Go(func() { m.watch(watching) })
	return nil
}

// Stop ends watching. A recovery under way is brought to its end; when ctx ends before it, that is an
// error, and the recovery goes on until its own limits.
func (m *Embedded) Stop(ctx context.Context) error {
	if m.cancel == nil {
		return nil
	}
	m.cancel()
	ended := make(chan struct{})
	go func() {
		m.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return m.close()
	case <-ctx.Done():
		return fmt.Errorf("failover manager: a recovery is still under way: %w", ctx.Err())
	}
}

func (m *Embedded) close() error {
	var errs []error
	for _, p := range m.pollers {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// Audits are the recoveries, refusals and alerts until now.
func (m *Embedded) Audits() []Audit { return m.journal.all() }

// state is what the manager knows now.
func (m *Embedded) state() State {
	s := State{Now: time.Now(), LastRecovery: m.lastRecovery}
	for _, p := range m.pollers {
		s.Servers = append(s.Servers, p.observation())
	}
	return s
}

// watch considers the cluster after every poll.
func (m *Embedded) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.polled:
			m.consider(ctx)
		case do := <-m.requests:
			do(ctx)
		}
	}
}

func (m *Embedded) consider(ctx context.Context) {
	state := m.state()
	m.fence(ctx, state)
	if m.takeIn(ctx, state) {
		return // what was known before is not true any more
	}
	m.readmit(ctx, state)
	plan := m.config.Decide(state, m.config.Policy)
	switch plan.Action {
	case Promote, Relocate:
		m.recover(context.WithoutCancel(ctx), plan, state)
	case Unblock:
		m.unblock(ctx, plan, state)
	case Alert, Refuse:
		m.report(plan, state)
	case Watch:
		m.hasten(ctx, plan, state)
	}
	m.lastPlan = plan
}

// report enters an alert or a refusal once, not at every poll.
func (m *Embedded) report(plan Plan, state State) {
	if plan.Action == m.lastPlan.Action && plan.Problem == m.lastPlan.Problem && plan.Dead == m.lastPlan.Dead {
		return
	}
	m.journal.begin(Audit{Plan: plan, State: state, Done: true})
}

// hasten asks again at once what a decision about a silent primary waits for, rather than at the next
// tick. It waits for nothing: the polls report by themselves.
func (m *Embedded) hasten(ctx context.Context, plan Plan, state State) {
	if plan.Problem != UnreachablePrimary {
		return
	}
	var since time.Time
	for _, o := range state.Servers {
		if o.Name == plan.Dead {
			since = o.Since
		}
	}
	for i, o := range state.Servers {
		unconfirmed := !o.Reachable && o.Failures < m.config.Policy.confirmations()
		stale := o.Name != plan.Dead && o.Reachable && !o.fresh(since)
		if unconfirmed || stale {
			m.running.Go(func() { m.pollers[i].try(ctx) })
		}
	}
}

// fence makes a primary that was replaced and has come back take no writes.
func (m *Embedded) fence(ctx context.Context, state State) {
	for i, o := range state.Servers {
		if !m.replaced(o.Name) || !o.Reachable || o.ReadOnly {
			continue
		}
		begin := time.Now()
		audit := m.journal.begin(Audit{State: state, Done: true, Plan: Plan{Action: Alert, Problem: ErrantServer, Dead: o.Name,
			Reason: o.Name + " was replaced, has come back, and took writes: it is made read-only"}})
		err := m.act(ctx, m.pollers[i].member, func(ctx context.Context, s *server.Server) error { return s.SetReadOnly(ctx, true) })
		m.journal.note(audit, begin, o.Name, "read_only on", err)
		m.pollers[i].must(ctx)
	}
}

// act does something on a connection of its own, within the limit of an action.
func (m *Embedded) act(ctx context.Context, member Member, do func(context.Context, *server.Server) error) error {
	ctx, cancel := context.WithTimeout(ctx, m.config.ActionLimit)
	defer cancel()
	s, err := m.open(ctx, member)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, s), s.Close())
}

func (m *Embedded) open(ctx context.Context, member Member) (*server.Server, error) {
	endpoint := member.Endpoint
	endpoint.Limit = m.config.ActionLimit
	return server.Open(ctx, endpoint)
}
