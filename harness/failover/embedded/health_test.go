package embedded

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/failover"
)

// wellCluster is a primary at its 100th transaction with two replicas that follow.
func wellCluster() failover.State {
	primary := deadPrimary()
	primary.Reachable, primary.Failures, primary.Error, primary.At = true, 0, "", now
	s := failover.State{Now: now, Servers: []failover.Observation{primary, replicaAt(1, 100), replicaAt(2, 100)}}
	for i := 1; i < len(s.Servers); i++ {
		s.Servers[i].Links[0].Fetch = failover.Running
	}
	return s
}

func TestHealthOfSettings(t *testing.T) {
	for _, c := range []struct {
		what    string
		change  func(servers []failover.Observation)
		problem failover.Problem
		server  string
		says    string
	}{
		{"events that run nowhere", func(s []failover.Observation) { s[0].Survey.IdleEvents = []string{"shop.tick"} }, failover.MisplacedEvents, "primary", "ENABLE"},
		{"events on a replica", func(s []failover.Observation) { s[1].Survey.Events = []string{"shop.tick"} }, failover.MisplacedEvents, "replica1", "DISABLE"},
		{"the default network time-out", func(s []failover.Observation) { s[2].Survey.NetTimeout = time.Minute }, failover.SlowToNotice, "replica2", "net_timeout"},
		{"a replica that takes writes", func(s []failover.Observation) { s[1].ReadOnly = false }, failover.ErrantServer, "replica1", "read_only = 1"},
		{"writes that wait", func(s []failover.Observation) {
			s[0].Survey.Waiting, s[0].Survey.Wait = 3, "waiting for handler commit"
		}, failover.StalledWrites, "primary", "full disk"},
		{"writes that wait, on a primary that answers no poll", func(s []failover.Observation) {
			s[0].Reachable, s[0].Failures = false, 3
			s[0].Survey.Waiting, s[0].Survey.Wait = 3, "waiting for handler commit"
		}, failover.StalledWrites, "primary", "full disk"},
		{"a lost end of the binary log", func(s []failover.Observation) {
			s[1].Links[0].Received, s[1].At = upTo(103), now.Add(-time.Second)
			s[1].Links[0].Fetch, s[1].Links[0].FetchErrno = failover.Stopped, 1236
		}, failover.LostBinlogEnd, "primary", "101-103"},
	} {
		s := wellCluster()
		c.change(s.Servers)
		found := slices.DeleteFunc(Health(s), func(p failover.Plan) bool { return p.Problem == failover.BrokenReplica })
		if len(found) != 1 || found[0].Problem != c.problem || found[0].Dead != c.server || !strings.Contains(found[0].Reason, c.says) {
			t.Errorf("%s: %+v", c.what, found)
		}
	}
	if found := Health(wellCluster()); len(found) > 0 {
		t.Errorf("of a cluster that is well: %+v", found)
	}
}

// After every server was started again, all are read-only: which one was promoted last is known when nobody replicates from it, too.
func TestTheLastPromotedServerIsReportedReadOnly(t *testing.T) {
	s := wellCluster()
	for i := range s.Servers {
		s.Servers[i].Links, s.Servers[i].ReadOnly = nil, true
	}
	if found := Health(s); len(found) > 0 {
		t.Errorf("nothing tells which is the primary: %+v", found)
	}
	s.Replaced = map[string]string{"primary": "replica1", "replica1": "replica2"}
	found := Health(s)
	if len(found) != 1 || found[0].Problem != failover.ReadOnlyPrimary || found[0].Dead != "replica2" {
		t.Errorf("after two failovers: %+v", found)
	}
	s.Servers[2].ReadOnly = false
	if found := Health(s); len(found) > 0 {
		t.Errorf("it takes writes: %+v", found)
	}
}

func TestAcknowledgedWritesThatAreGoneAreNotForgotten(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(servers []failover.Observation)
		action failover.Action
		reason string
	}{
		{"all are there", func([]failover.Observation) {}, failover.Promote, ""},
		{"lost by the candidate", func(s []failover.Observation) {
			s[1].Links[0].Received, s[2].Links[0].Received = upTo(90), upTo(90)
			s[2].Lost = upTo(100).Minus(upTo(90))
		}, failover.Refuse, "replica2 had received " + primaryUUID + ":100, which"},
		{"lost by one, there on another", func(s []failover.Observation) {
			s[2].Links[0].Received, s[2].Lost = upTo(90), upTo(100).Minus(upTo(90))
		}, failover.Promote, ""},
		{"with a replica that is gone", func(s []failover.Observation) {
			s[1].Links[0].Received = upTo(90)
			s[2].Reachable, s[2].Failures = false, 2
		}, failover.Refuse, "does not answer"},
		{"of a replica that did not acknowledge", func(s []failover.Observation) {
			s[1].Links[0].Received = upTo(90)
			s[2].Reachable, s[2].Failures, s[2].Acknowledges = false, 2, false
		}, failover.Promote, ""},
		{"that the primary had not committed", func(s []failover.Observation) {
			s[0].Executed, s[0].Gone = upTo(90), true
			s[1].Links[0].Received = upTo(90)
			s[2].Reachable, s[2].Failures, s[2].Since = false, 2, s[0].At.Add(-time.Second) // or it may have acknowledged more
		}, failover.Promote, ""},
	} {
		primary := deadPrimary()
		primary.SemiSync, primary.WaitsFor = true, 1
		s := failover.State{Now: now, Servers: []failover.Observation{primary, replicaAt(1, 100), replicaAt(2, 100)}}
		for i := range s.Servers {
			s.Servers[i].Acknowledges, s.Servers[i].CanWait = true, true
		}
		c.change(s.Servers)
		if plan := Decide(s, Policy{}); plan.Action != c.action || !strings.Contains(plan.Reason, c.reason) {
			t.Errorf("%s: %s: %s", c.what, plan.Action, plan.Reason)
		}
	}
}

func TestReplacedPrimaryIsNotReplacedAgain(t *testing.T) {
	s := failover.State{Now: now, Servers: []failover.Observation{deadPrimary(), replicaAt(1, 100), replicaAt(2, 100)}, Replaced: map[string]string{"primary": "replica1"}}
	s.Servers[1].Links, s.Servers[1].ReadOnly = nil, false
	if plan := Decide(s, Policy{}); plan.Action != failover.Watch {
		t.Errorf("the new primary answers: %s: %s", plan.Action, plan.Reason)
	}
	s.Servers[1].Reachable, s.Servers[1].Failures, s.Servers[1].Error = false, 9, "timeout"
	if plan := Decide(s, Policy{}); plan.Action != failover.Refuse || plan.Dead != "replica1" {
		t.Errorf("the new primary does not answer: %s of %s: %s", plan.Action, plan.Dead, plan.Reason)
	}
	if plan := Decide(s, Policy{again: true}); plan.Action != failover.Promote {
		t.Errorf("the planted bug: %s: %s", plan.Action, plan.Reason)
	}
}
