// Package embedded is the failover manager that needs nothing installed: it polls the servers, decides from what they
// say, and carries the decision out.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// Capabilities are the embedded manager's.
var Capabilities = failover.Capabilities{
	DetectsWithin: 2 * time.Second, PollsFast: true, AuditsRefusals: true, NamesErrantReplica: true, Fences: true,
	OwnAddresses: true, PlantsBugs: true, ReportsLiveFaults: true, MovesChannels: true,
}

// Manager watches a cluster and recovers it.
type Manager struct {
	config  Config
	pollers []*poller
	journal journal
	polled  chan struct{} // a poll has ended
	cancel  context.CancelFunc
	running sync.WaitGroup

	// What follows belongs to the goroutine that watches.

	// lastFailover is when the last failover ended. A planned takeover is none: a primary that dies soon after it is
	// replaced at once.
	lastFailover time.Time
	lastPlan     failover.Plan
	reported     map[string]bool // reasons of lastPlan's kind that were reported, without their numbers
	members      standings
	memory       memory
	faults       map[string]int // how often in a row Health has found each

	requests chan func(context.Context) // what an operator asks for
	ended    chan struct{}              // it watches no more

	seen atomic.Pointer[failover.State] // what was last considered
}

// New makes a manager; no server is asked until Start.
func New(c Config) (*Manager, error) {
	c.setDefaults()
	m := &Manager{config: c, polled: make(chan struct{}, 1), members: standings{}, requests: make(chan func(context.Context)), ended: make(chan struct{})}
	names := map[string]bool{}
	for _, member := range c.Members {
		switch {
		case names[member.Name]:
			return nil, fmt.Errorf("failover manager: two servers are named %q", member.Name)
		case !member.Rule.Valid():
			return nil, fmt.Errorf("failover manager: server %s has no promotion rule", member.Name)
		}
		names[member.Name] = true
		m.pollers = append(m.pollers, newPoller(member, c.Limit, m.notify))
	}
	return m, nil
}

// pollerOf is that of the server with a name; nil when there is none.
func (m *Manager) pollerOf(name string) *poller {
	for _, p := range m.pollers {
		if p.member.Name == name {
			return p
		}
	}
	return nil
}

func (m *Manager) notify() {
	select {
	case m.polled <- struct{}{}:
	default: // the watcher has not yet looked at what it was told before
	}
}

// Start begins to watch, once each server has been polled or has not answered for ActionLimit. A server that does not
// answer is no error: it is what the manager is for. It waits that long because a replica's source is known from the
// replica alone: the death of one that answers slowly, and dies before its first answer, would be missed.
func (m *Manager) Start(ctx context.Context) error {
	if err := m.recall(); err != nil {
		return err
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.cancel = cancel
	var first sync.WaitGroup
	for _, p := range m.pollers {
		first.Go(func() { p.pollWithin(ctx, m.config.ActionLimit) })
	}
	first.Wait()
	if err := ctx.Err(); err != nil {
		cancel()
		return errors.Join(fmt.Errorf("failover manager: %w", err), m.close())
	}
	for _, p := range m.pollers {
		m.running.Go(func() { p.run(watching, m.config.Interval) })
	}
	m.running.Go(func() {
		defer close(m.ended)
		m.watch(watching)
	})
	return nil
}

// Stop ends watching. A recovery under way is brought to its end; when ctx ends before it, that is an
// error, and the recovery goes on until its own limits.
func (m *Manager) Stop(ctx context.Context) error {
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

func (m *Manager) close() error {
	var errs []error
	for _, p := range m.pollers {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// Audits are the recoveries, refusals and alerts until now.
func (m *Manager) Audits() []failover.Audit { return m.journal.all() }

// State is what the manager knew when it last considered the cluster.
func (m *Manager) State() failover.State {
	if seen := m.seen.Load(); seen != nil {
		return *seen
	}
	return failover.State{}
}

// Health are the faults that no failover repairs, in what the manager last knew.
func (m *Manager) Health() []failover.Plan { return Health(m.State()) }

// state is what the manager knows now.
func (m *Manager) state() failover.State {
	var seen []failover.Observation
	for _, p := range m.pollers {
		seen = append(seen, p.observation())
	}
	return m.stateOf(seen)
}

// stateOf is the state that observations of all servers, in the order of the pollers, make.
func (m *Manager) stateOf(seen []failover.Observation) failover.State {
	s := failover.State{Now: time.Now(), LastRecovery: m.lastFailover, Replaced: m.members.successors(), Servers: seen}
	identify(s.Servers)
	m.witnesses(s.Servers)
	m.recallPrimary(s.Servers)
	return s
}

// watch considers the cluster after every poll.
func (m *Manager) watch(ctx context.Context) {
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

func (m *Manager) consider(ctx context.Context) {
	state := m.state()
	m.seen.Store(&state)
	m.fence(ctx, state)
	if m.resume(context.WithoutCancel(ctx), state) {
		return
	}
	if m.rejoinReplicas(ctx, state) {
		return // what was known before is out of date
	}
	m.rejoinPrimaries(ctx, state)
	m.notePrimary(state)
	m.reportHealth(state)
	plan := m.config.decide(state)
	switch plan.Action {
	case failover.Promote, failover.Relocate:
		m.recover(context.WithoutCancel(ctx), plan, state)
	case failover.Unblock:
		m.unblock(ctx, plan, state)
	case failover.Alert, failover.Refuse:
		m.report(plan, state)
	case failover.Watch:
		m.pollNow(ctx, plan, state)
	}
	m.lastPlan = plan
}

// numbers are what differs from poll to poll in a reason.
var numbers = regexp.MustCompile(`[0-9]+`)

// report enters an alert or a refusal once for each reason, not at every poll.
func (m *Manager) report(plan failover.Plan, state failover.State) {
	if plan.Action != m.lastPlan.Action || plan.Problem != m.lastPlan.Problem || plan.Dead != m.lastPlan.Dead {
		m.reported = map[string]bool{}
	}
	reason := numbers.ReplaceAllString(plan.Reason, "")
	if m.reported[reason] {
		return
	}
	m.reported[reason] = true
	m.journal.begin(failover.Audit{Plan: plan, State: state, Done: true})
}

// pollNow polls at once the servers that a decision about a silent primary waits for, rather than at the next
// tick. It does not wait for the polls: they report by themselves.
func (m *Manager) pollNow(ctx context.Context, plan failover.Plan, state failover.State) {
	if plan.Problem != failover.UnreachablePrimary {
		return
	}
	since := observationOf(state, plan.Dead).Since
	for i, o := range state.Servers {
		unconfirmed := !o.Reachable && o.Failures < m.config.Policy.confirmations()
		stale := o.Name != plan.Dead && o.Reachable && !o.Fresh(since)
		if unconfirmed || stale {
			m.running.Go(func() { m.pollers[i].pollIfIdle(ctx) })
		}
	}
}

// pollAll polls every server within a limit and waits for what these polls see, in the order of the pollers.
func (m *Manager) pollAll(ctx context.Context, limit time.Duration) []failover.Observation {
	var all sync.WaitGroup
	seen := make([]failover.Observation, len(m.pollers))
	for n, p := range m.pollers {
		all.Go(func() { seen[n] = p.pollWithin(ctx, limit) })
	}
	all.Wait()
	return seen
}

// act does something on a connection of its own, within the limit of an action.
func (m *Manager) act(ctx context.Context, member failover.Member, do func(context.Context, *server.Server) error) error {
	ctx, cancel := context.WithTimeout(ctx, m.config.ActionLimit)
	defer cancel()
	if err := m.pass(); err != nil {
		return err
	}
	s, err := m.open(ctx, member)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, s), s.Close())
}

func (m *Manager) open(ctx context.Context, member failover.Member) (*server.Server, error) {
	endpoint := member.Endpoint
	endpoint.Limit = m.config.ActionLimit
	return server.Open(ctx, endpoint)
}
