package embedded

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// poller polls one server, never twice at once. A tick is skipped while a poll is under way; a caller
// that needs a result waits for its turn. Every connection and query is bounded by limit, so that a
// server whose packets vanish is noticed within it and delays no other poll.
type poller struct {
	member failover.Member
	limit  time.Duration
	ended  func()        // called after each poll
	gate   chan struct{} // holds one token while a poll is under way
	passed atomic.Int64  // ticks that found a poll under way
	server *server.Server
	within time.Duration // the limit that its connection was made with

	mu     sync.Mutex
	last   failover.Observation
	had    server.GTIDSet // all that it was ever seen to have received
	survey failover.Survey
}

func newPoller(m failover.Member, limit time.Duration, ended func()) *poller {
	p := &poller{member: m, limit: limit, ended: ended, gate: make(chan struct{}, 1)}
	p.last = failover.Observation{Name: m.Name, Addr: m.Replication.Addr(), Rule: m.Rule}
	return p
}

// run polls at every tick until ctx ends.
func (p *poller) run(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var polls sync.WaitGroup
	defer polls.Wait()
	polls.Go(func() { p.runSurvey(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			polls.Go(func() { p.pollIfIdle(ctx) })
		}
	}
}

// pollIfIdle polls unless a poll is under way.
func (p *poller) pollIfIdle(ctx context.Context) {
	select {
	case p.gate <- struct{}{}:
		defer func() { <-p.gate }()
		p.pollHeld(ctx, p.limit)
	default:
		p.passed.Add(1)
	}
}

// poll polls once the poll under way has ended, and returns what it saw.
func (p *poller) poll(ctx context.Context) failover.Observation { return p.pollWithin(ctx, p.limit) }

// pollWithin is poll with another limit.
func (p *poller) pollWithin(ctx context.Context, limit time.Duration) failover.Observation {
	select {
	case p.gate <- struct{}{}:
		defer func() { <-p.gate }()
		p.pollHeld(ctx, limit)
	case <-ctx.Done():
	}
	return p.observation()
}

func (p *poller) observation() failover.Observation {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.last
	o.Survey = p.survey
	return o
}

// pollHeld polls with the gate held.
func (p *poller) pollHeld(ctx context.Context, limit time.Duration) {
	begin := time.Now()
	o := p.observation()
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := p.ask(limited, limit, &o)
	if ctx.Err() != nil {
		return // the manager is being stopped: this says nothing about the server
	}
	p.enter(begin, o, err)
	p.ended()
}

// enter keeps what a poll has shown. What a server that does not answer said of itself before is kept.
func (p *poller) enter(begin time.Time, o failover.Observation, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		o.Restarted = restarted(o, p.last)
		o.Reachable, o.At, o.Failures, o.Since, o.Error, o.Gone = true, begin, 0, time.Time{}, "", false
		if has := o.Received(); o.Flavor.ReceivesWholeTransactions() { // else it may have had the beginning of one
			p.had = p.had.Union(has)
			o.Lost = p.had.Minus(has)
		}
		p.last = o
		return
	}
	if p.last.Failures == 0 {
		p.last.Since = begin
	}
	p.last.Reachable, p.last.Error, p.last.Gone = false, err.Error(), errors.Is(err, syscall.ECONNREFUSED)
	p.last.Failures++
}

// startPrecision is how far two answers of one process may differ on when it was started: servers count whole seconds.
const startPrecision = 2 * time.Second

// restarted is when a server that answers stopped answering before it was started again; zero when it was not, or has received
// something since.
func restarted(o, was failover.Observation) time.Time {
	switch {
	case slices.ContainsFunc(o.Links, func(l failover.Link) bool { return l.Fetch == failover.Running }):
		return time.Time{}
	case was.Gone:
		return was.Since
	case !was.At.IsZero() && o.Started.Sub(was.Started) > startPrecision:
		return cmp.Or(was.Since, was.At)
	default:
		return was.Restarted
	}
}

func (p *poller) ask(ctx context.Context, limit time.Duration, o *failover.Observation) (err error) {
	if p.server != nil && p.within != limit {
		// Its reads would end at another limit.
		err = p.server.Close()
		p.server = nil
		if err != nil {
			return err
		}
	}
	if p.server == nil {
		endpoint := p.member.Endpoint
		endpoint.Limit, p.within = limit, limit
		if p.server, err = server.Open(ctx, endpoint); err != nil {
			p.server = nil
			return err
		}
		p.server.DB.SetMaxOpenConns(1)
	}
	if err := observe(ctx, p.server, o); err != nil {
		// A new connection next time; the old one may be dead without knowing.
		closeErr := p.server.Close()
		p.server = nil
		return errors.Join(err, closeErr)
	}
	return nil
}

// close gives the connection up; it waits for a poll under way.
func (p *poller) close() error {
	p.gate <- struct{}{}
	defer func() { <-p.gate }()
	if p.server == nil {
		return nil
	}
	err := p.server.Close()
	p.server = nil
	return err
}
