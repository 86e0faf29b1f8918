package embedded

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/server"
)

var (
	now   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	since = now.Add(-400 * time.Millisecond) // when the primary's first poll failed
	v80   = flavor.Flavor{Vendor: flavor.MySQL, Version: flavor.Version{Major: 8, Minor: 0, Patch: 36}}
	v84   = flavor.Flavor{Vendor: flavor.MySQL, Version: flavor.Version{Major: 8, Minor: 4, Patch: 2}}
)

const (
	primaryUUID = "aaaaaaaa-0000-0000-0000-000000000000"
	replicaUUID = "bbbbbbbb-0000-0000-0000-000000000000"
	primaryAddr = "127.0.0.1:1000"
)

func gtids(text string) server.GTIDSet {
	set, err := server.ParseGTIDSet(flavor.GTIDMySQL, text)
	if err != nil {
		panic(err)
	}
	return set
}

// upTo is what the primary wrote up to its n-th transaction.
func upTo(n int) server.GTIDSet {
	if n == 0 {
		return server.GTIDSet{}
	}
	return gtids(fmt.Sprintf("%s:1-%d", primaryUUID, n))
}

// deadPrimary is a primary at its 100th transaction that has stopped answering.
func deadPrimary() failover.Observation {
	return failover.Observation{Name: "primary", Addr: primaryAddr, Rule: failover.Neutral, At: now.Add(-time.Second), Failures: 2, Since: since,
		Error: "connection refused", Flavor: v80, Format: failover.FormatRow, LogUpdates: true, ServerID: 1, UUID: primaryUUID,
		Executed: upTo(100), Wrote: upTo(100)}
}

// replicaAt is a replica that has received n transactions and lost its primary.
func replicaAt(number, n int) failover.Observation {
	return failover.Observation{Name: fmt.Sprintf("replica%d", number), Addr: fmt.Sprintf("127.0.0.1:%d", 1000+number), Rule: failover.Neutral,
		Reachable: true, At: now.Add(-100 * time.Millisecond), Flavor: v80, Format: failover.FormatRow, LogUpdates: true, ReadOnly: true,
		ServerID: uint64(1 + number), UUID: strings.Replace(replicaUUID, "b", fmt.Sprint(number), 1),
		Executed: upTo(n - 1), Wrote: upTo(n - 1),
		Links: []failover.Link{{Source: primaryAddr, GTID: true, Fetch: failover.Connecting, Apply: failover.Running, Received: upTo(n),
			Read: server.Coordinates{File: "mysql-bin.000001", Pos: uint64(n)}, Applied: server.Coordinates{File: "mysql-bin.000001", Pos: uint64(n - 1)}}}}
}

func TestDecide(t *testing.T) {
	type change func(*failover.State, *Policy)
	on := func(name string, do func(*failover.Observation)) change {
		return func(s *failover.State, _ *Policy) {
			for i := range s.Servers {
				if s.Servers[i].Name == name {
					do(&s.Servers[i])
				}
			}
		}
	}
	for _, c := range []struct {
		what     string
		change   change
		action   failover.Action
		problem  failover.Problem
		promote  string
		repoint  string
		excluded string // names
		reason   string // a part of it
	}{
		{what: "all is well", change: on("primary", func(o *failover.Observation) { o.Reachable = true }), action: failover.Alert, problem: failover.ReplicasNotReplicating},
		{what: "the most data wins", action: failover.Promote, problem: failover.DeadPrimary, promote: "replica2", repoint: "replica1 replica3"},
		{what: "one failed poll", change: on("primary", func(o *failover.Observation) { o.Failures = 1 }), action: failover.Watch, problem: failover.UnreachablePrimary},
		{what: "a replica still replicates", change: on("replica3", func(o *failover.Observation) { o.Links[0].Fetch = failover.Running }), action: failover.Alert,
			problem: failover.UnreachablePrimary, reason: "replica3 still replicates"},
		{what: "a replica was last asked before", change: on("replica3", func(o *failover.Observation) { o.At = since.Add(-time.Millisecond) }), action: failover.Watch,
			problem: failover.UnreachablePrimary, reason: "replica3 has not been asked since"},
		{what: "a replica that has missed a poll", change: on("replica3", func(o *failover.Observation) { o.Reachable, o.Failures = false, 1 }), action: failover.Watch, problem: failover.UnreachablePrimary},
		{what: "a silent replica", change: on("replica3", func(o *failover.Observation) { o.Reachable, o.Failures = false, 2 }), action: failover.Promote, problem: failover.DeadPrimary,
			promote: "replica2", repoint: "replica1", excluded: "replica3"},
		{what: "no replica answers", change: func(s *failover.State, _ *Policy) {
			for i := range s.Servers {
				s.Servers[i].Reachable, s.Servers[i].Failures = false, 2
			}
		}, action: failover.Refuse, problem: failover.DeadPrimaryAndReplicas},
		{what: "the rule decides among equals only", change: on("replica1", func(o *failover.Observation) { o.Rule = failover.Prefer }), action: failover.Promote,
			problem: failover.DeadPrimary, promote: "replica2", repoint: "replica1 replica3"},
		{what: "among equals the rule decides", change: func(s *failover.State, _ *Policy) {
			s.Servers[3] = replicaAt(3, 90)
			s.Servers[3].Rule = failover.Prefer
		},
			action: failover.Promote, problem: failover.DeadPrimary, promote: "replica3", repoint: "replica1 replica2"},
		{what: "must not, though it has the most", change: on("replica2", func(o *failover.Observation) { o.Rule = failover.MustNot }), action: failover.Promote,
			problem: failover.DeadPrimary, promote: "replica1", repoint: "replica3", excluded: "replica2"},
		{what: "a broken applier", change: on("replica2", func(o *failover.Observation) { o.Links[0].Error = "error 1062" }), action: failover.Promote,
			problem: failover.DeadPrimary, promote: "replica1", repoint: "replica3", excluded: "replica2"},
		{what: "all appliers broken", change: func(s *failover.State, _ *Policy) {
			for i := 1; i < 4; i++ {
				s.Servers[i].Links[0].Error = "error 1062"
			}
		}, action: failover.Refuse, problem: failover.DeadPrimary, reason: "cannot apply"},
		{what: "an errant transaction", change: on("replica2", func(o *failover.Observation) { o.Wrote = o.Wrote.Union(gtids(replicaUUID + ":1")) }),
			action: failover.Promote, problem: failover.DeadPrimary, promote: "replica1", repoint: "replica3", excluded: "replica2"},
		{what: "never a newer version above an older one", change: on("replica2", func(o *failover.Observation) { o.Flavor = v84 }), action: failover.Promote,
			problem: failover.DeadPrimary, promote: "replica1", repoint: "replica3", excluded: "replica2"},
		{what: "an older version above a newer one", change: on("replica1", func(o *failover.Observation) { o.Flavor = v84 }), action: failover.Promote,
			problem: failover.DeadPrimary, promote: "replica2", repoint: "replica1 replica3"},
		{what: "a higher log format", change: on("replica1", func(o *failover.Observation) { o.Format = failover.FormatStatement }), action: failover.Promote,
			problem: failover.DeadPrimary, promote: "replica1", repoint: "replica3", excluded: "replica2"},
		{what: "a replica that does not log what it applies", change: on("replica2", func(o *failover.Observation) { o.LogUpdates = false }), action: failover.Promote,
			problem: failover.DeadPrimary, promote: "replica1", repoint: "replica3", excluded: "replica2"},
		{what: "another server takes writes", change: func(s *failover.State, _ *Policy) {
			s.Servers = append(s.Servers, failover.Observation{Name: "other", Addr: "127.0.0.1:9", Reachable: true, At: now})
		}, action: failover.Refuse, problem: failover.DeadPrimary, reason: "two primaries"},
		{what: "soon after a recovery", change: func(s *failover.State, p *Policy) {
			s.LastRecovery = now.Add(-time.Second)
			p.AntiFlapping = time.Minute
		},
			action: failover.Refuse, problem: failover.DeadPrimary, reason: "anti-flapping"},
		{what: "long after a recovery", change: func(s *failover.State, p *Policy) { s.LastRecovery = now.Add(-time.Hour); p.AntiFlapping = time.Minute },
			action: failover.Promote, problem: failover.DeadPrimary, promote: "replica2", repoint: "replica1 replica3"},
		{what: "an intermediate primary", change: intermediate, action: failover.Relocate, problem: failover.DeadIntermediate, repoint: "replica1 replica2 replica3"},
		{what: "an intermediate primary whose source is dead as well", change: on("primary", func(o *failover.Observation) { o.Links = []failover.Link{{Source: "127.0.0.1:7"}} }),
			action: failover.Refuse, problem: failover.DeadIntermediate, reason: "does not answer either"},
		{what: "an errant transaction below an intermediate primary", change: func(s *failover.State, p *Policy) {
			intermediate(s, p)
			s.Servers[2].Wrote = s.Servers[2].Wrote.Union(gtids(s.Servers[2].UUID + ":1"))
		}, action: failover.Relocate, problem: failover.DeadIntermediate, repoint: "replica1 replica3", excluded: "replica2"},
		{what: "an intermediate primary that others still replicate from", change: func(s *failover.State, p *Policy) {
			intermediate(s, p)
			s.Servers[2].Links[0].Fetch = failover.Running
		}, action: failover.Alert, problem: failover.UnreachablePrimary},
		{what: "a partner in a ring, though others have more", change: func(s *failover.State, _ *Policy) {
			s.Servers[0].Links = []failover.Link{{Source: s.Servers[1].Addr, GTID: true}}
			s.Servers[1].Wrote = s.Servers[1].Wrote.Union(gtids(s.Servers[1].UUID + ":1-5"))
		}, action: failover.Promote, problem: failover.DeadPrimary, promote: "replica1", repoint: "replica3", excluded: "replica2"},
		{what: "an asynchronous primary", change: func(s *failover.State, p *Policy) { blocked(s, p); s.Servers[0].SemiSync = false }, action: failover.Alert, problem: failover.ReplicasNotReplicating},
		{what: "a primary that waits in vain", change: blocked, action: failover.Alert, problem: failover.BlockedPrimary},
		{what: "a primary that waits in vain, and whose replicas were never seen", change: func(s *failover.State, p *Policy) { blocked(s, p); s.Servers = s.Servers[:1] },
			action: failover.Alert, problem: failover.BlockedPrimary, reason: "0 replicas"},
		{what: "a primary whose replicas were not seen yet, and acknowledge", change: func(s *failover.State, p *Policy) {
			blocked(s, p)
			s.Servers, s.Servers[0].Acknowledging = s.Servers[:1], 1
		}, action: failover.Watch, problem: failover.NoProblem},
		{what: "a primary that is to wait no more", change: func(s *failover.State, p *Policy) { blocked(s, p); p.Unblock = true }, action: failover.Unblock, problem: failover.BlockedPrimary},
		{what: "without GTID and without help", change: coordinatesOnly, action: failover.Promote, problem: failover.DeadPrimary, promote: "replica2", excluded: "replica1 replica3"},
		{what: "without GTID, with help", change: func(s *failover.State, p *Policy) { coordinatesOnly(s, p); p.FindsPositions = true }, action: failover.Promote,
			problem: failover.DeadPrimary, promote: "replica2", repoint: "replica1 replica3"},
		{what: "a primary that was never seen", change: on("primary", func(o *failover.Observation) {
			*o = failover.Observation{Name: "primary", Addr: primaryAddr, Rule: failover.Neutral, Failures: 2, Since: since}
		}), action: failover.Promote, problem: failover.DeadPrimary, promote: "replica2", repoint: "replica1 replica3"},
		{what: "a source that is not watched", change: func(s *failover.State, _ *Policy) { s.Servers = s.Servers[1:] }, action: failover.Alert, problem: failover.UnreachablePrimary},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := failover.State{Now: now, Servers: []failover.Observation{deadPrimary(), replicaAt(1, 80), replicaAt(2, 90), replicaAt(3, 70)}}
			var p Policy
			if c.change != nil {
				c.change(&s, &p)
			}
			got := Decide(s, p)
			var excluded []string
			for _, a := range got.Excluded {
				excluded = append(excluded, a.Name)
			}
			if got.Action != c.action || got.Problem != c.problem || got.Promote != c.promote ||
				strings.Join(got.Repoint, " ") != c.repoint || strings.Join(excluded, " ") != c.excluded || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// A replica of two primaries follows the one that takes the dead one's place, and the other primary is no second one.
func TestDecideWithTwoPrimaries(t *testing.T) {
	const otherUUID = "cccccccc-0000-0000-0000-000000000000"
	of := func(text string) server.GTIDSet { return gtids(text) }
	state := func() failover.State {
		other := failover.Observation{Name: "other", Addr: "127.0.0.1:7", Rule: failover.Neutral, Reachable: true, At: now, Flavor: v80,
			Format: failover.FormatRow, LogUpdates: true, ServerID: 99, UUID: otherUUID, Executed: of(otherUUID + ":1-50"), Wrote: of(otherUUID + ":1-50")}
		both := replicaAt(2, 80)
		both.Executed = both.Executed.Union(other.Executed)
		both.Wrote = both.Executed
		both.Links[0].Received = both.Links[0].Received.Union(other.Executed)
		both.Links = append(both.Links, failover.Link{Source: other.Addr, Channel: "other", GTID: true, Fetch: failover.Running, Apply: failover.Running,
			Received: both.Executed.Union(of(otherUUID + ":51-52"))}) // it is ahead of what the other one was seen to have
		both.Wrote = both.Wrote.Union(of(otherUUID + ":51"))
		return failover.State{Now: now, Servers: []failover.Observation{deadPrimary(), replicaAt(1, 80), both, other}}
	}
	if got := Decide(state(), Policy{}); got.Action != failover.Promote || got.Promote != "replica1" || strings.Join(got.Repoint, " ") != "replica2" {
		t.Errorf("with two primaries: %+v", got)
	}
	own := state()
	own.Servers[2].Wrote = own.Servers[2].Wrote.Union(of(own.Servers[2].UUID + ":1"))
	if got := Decide(own, Policy{}); len(got.Repoint) > 0 || len(got.Excluded) != 1 || !strings.Contains(got.Excluded[0].Reason, own.Servers[2].UUID) {
		t.Errorf("one with a transaction of its own: %+v", got)
	}
	silent := state()
	silent.Servers[3].Reachable, silent.Servers[3].Failures = false, 5
	if got := Decide(silent, Policy{}); got.Promote != "replica1" || len(got.Excluded) != 1 || !strings.Contains(got.Excluded[0].Reason, "by hand") {
		t.Errorf("one of whose sources does not answer: %+v", got)
	}
	second := state()
	second.Servers[3].Executed = second.Servers[3].Executed.Union(upTo(90))
	second.Servers[3].Wrote = second.Servers[3].Executed
	if got := Decide(second, Policy{}); got.Action != failover.Refuse || !strings.Contains(got.Reason, "two primaries") {
		t.Errorf("another one that has the dead one's data and takes writes: %+v", got)
	}
}

// intermediate puts another server above the dead one.
func intermediate(s *failover.State, _ *Policy) {
	above := failover.Observation{Name: "above", Addr: "127.0.0.1:7", Rule: failover.Neutral, Reachable: true, At: now, Flavor: v80, Format: failover.FormatRow, LogUpdates: true,
		ServerID: 99, UUID: strings.Replace(replicaUUID, "b", "c", 1), Executed: upTo(100), Wrote: upTo(100)}
	s.Servers[0].Links = []failover.Link{{Source: above.Addr, GTID: true}}
	s.Servers = append(s.Servers, above)
}

// blocked is a primary that answers and whose replicas are all cut off.
func blocked(s *failover.State, _ *Policy) {
	s.Servers[0].Reachable, s.Servers[0].SemiSync, s.Servers[0].WaitsFor = true, true, 1
}

func coordinatesOnly(s *failover.State, _ *Policy) {
	for i := range s.Servers {
		s.Servers[i].Executed, s.Servers[i].Wrote = server.GTIDSet{}, server.GTIDSet{}
		for j := range s.Servers[i].Links {
			s.Servers[i].Links[j].GTID, s.Servers[i].Links[j].Received = false, server.GTIDSet{}
		}
	}
}
