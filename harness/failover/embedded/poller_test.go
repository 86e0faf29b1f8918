package embedded

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// silentListener accepts connections and never says a word, as a server does whose packets are dropped or
// whose process is stopped.
func silentListener(t *testing.T) server.Endpoint {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range open {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	address := listener.Addr().(*net.TCPAddr)
	return server.Endpoint{Host: "127.0.0.1", Port: address.Port, User: "u", Password: "p"}
}

func TestPollerNoticesSilenceWithinItsLimit(t *testing.T) {
	const limit = 100 * time.Millisecond
	p := newPoller(failover.Member{Name: "silent", Endpoint: silentListener(t), Rule: failover.Neutral}, limit, func() {})
	begin := time.Now()
	o := p.poll(t.Context())
	if took := time.Since(begin); took > 10*limit {
		t.Errorf("a silent server was noticed after %s, the limit is %s", took, limit)
	}
	if o.Reachable || o.Failures != 1 || o.Since.Before(begin) || o.Error == "" {
		t.Errorf("observation %+v", o)
	}
	if again := p.poll(t.Context()); again.Failures != 2 || !again.Since.Equal(o.Since) {
		t.Errorf("second observation %+v, the first failure was at %s", again, o.Since)
	}
}

func TestPollerYieldsAndBlocks(t *testing.T) {
	p := newPoller(failover.Member{Name: "silent", Endpoint: silentListener(t), Rule: failover.Neutral}, 200*time.Millisecond, func() {})
	var polls sync.WaitGroup
	p.gate <- struct{}{} // a poll is under way
	for range 5 {
		p.pollIfIdle(t.Context()) // five ticks find it so
	}
	if p.passed.Load() != 5 || p.observation().Failures != 0 {
		t.Fatalf("%d of 5 ticks passed, %d polls were made", p.passed.Load(), p.observation().Failures)
	}
	polls.Go(func() { p.poll(t.Context()) })
	<-p.gate // the poll ends, and the caller who must have a result gets its turn
	polls.Wait()
	if p.observation().Failures != 1 {
		t.Errorf("%d polls were made for the caller who waited", p.observation().Failures)
	}
}

func TestOneSilentServerDelaysNobody(t *testing.T) {
	const limit = time.Second
	silent := failover.Member{Name: "silent", Endpoint: silentListener(t), Rule: failover.Neutral}
	closed := failover.Member{Name: "closed", Endpoint: server.Endpoint{Host: "127.0.0.1", Port: 1}, Rule: failover.Neutral}
	m, err := New(Config{Members: []failover.Member{silent, closed}, Interval: 10 * time.Millisecond, Limit: limit, ActionLimit: limit})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	failures := func(i int) int { return m.pollers[i].observation().Failures }
	silentBefore, closedBefore := failures(0), failures(1)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for failures(1) < closedBefore+5 {
		if time.Since(begin) > 20*limit {
			t.Fatalf("the closed server was polled %d times in %s", failures(1)-closedBefore, time.Since(begin))
		}
		<-tick.C
	}
	if silentAfter := failures(0); silentAfter-silentBefore > 2 {
		t.Errorf("the silent server was polled %d times meanwhile", silentAfter-silentBefore)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, members := range [][]failover.Member{
		{{Name: "a", Rule: failover.Neutral}, {Name: "a", Rule: failover.Neutral}},
		{{Name: "a"}},
	} {
		if _, err := New(Config{Members: members}); err == nil {
			t.Errorf("members %v are taken", members)
		}
	}
}

func TestAuditsAreCopies(t *testing.T) {
	var j journal
	i := j.begin(failover.Audit{Plan: failover.Plan{Action: failover.Promote, Repoint: []string{"b"}}})
	j.note(i, time.Now(), "a", "read_only off", errors.New("no"))
	before := j.all()
	j.note(i, time.Now(), "b", "follow", nil)
	j.change(i, func(a *failover.Audit) { a.Done, a.Followers = true, []string{"b"} })
	if len(before[0].Steps) != 1 || before[0].Steps[0].Error != "no" || before[0].Succeeded() {
		t.Errorf("an audit changed after it was read: %+v", before[0])
	}
	if after := j.all(); len(after[0].Steps) != 2 || !after[0].Succeeded() {
		t.Errorf("audit %+v", after[0])
	}
}

var _ failover.Manager = (*Manager)(nil)

func TestStopIsBoundedByItsContext(t *testing.T) {
	m, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.running.Add(1) // a recovery that does not end
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Stop(ctx); err == nil {
		t.Error("Stop does not say that a recovery is under way")
	}
	m.running.Done()
}

func TestRestartedReplicaIsKnownUntilItReceives(t *testing.T) {
	asked, died := now.Add(-3*time.Second), now.Add(-2*time.Second)
	connecting := []failover.Link{{Fetch: failover.Connecting}}
	before := failover.Observation{At: asked, Started: now.Add(-time.Hour), Links: connecting}
	for _, c := range []struct {
		what  string
		was   func(*failover.Observation)
		now   failover.Observation
		since time.Time
	}{
		{"nothing happened", func(*failover.Observation) {}, before, time.Time{}},
		{"it was refused a connection", func(o *failover.Observation) { o.Gone, o.Since = true, died }, before, died},
		{"it hung", func(o *failover.Observation) { o.Since = died }, before, time.Time{}},
		{"it was started again between two polls", func(*failover.Observation) {}, failover.Observation{Started: now, Links: connecting}, asked},
		{"it was started again while polls failed", func(o *failover.Observation) { o.Since = died }, failover.Observation{Started: now, Links: connecting}, died},
		{"it has received nothing since", func(o *failover.Observation) { o.Restarted = died }, before, died},
		{"it receives", func(o *failover.Observation) { o.Restarted = died }, failover.Observation{Started: before.Started, Links: []failover.Link{{Fetch: failover.Running}}}, time.Time{}},
		{"it was never seen before", func(o *failover.Observation) { *o = failover.Observation{} }, before, time.Time{}},
	} {
		was := before
		c.was(&was)
		if since := restarted(c.now, was); !since.Equal(c.since) {
			t.Errorf("%s: %s, want %s", c.what, since, c.since)
		}
	}
}
