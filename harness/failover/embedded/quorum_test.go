package embedded

import (
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/failover"
)

// TestPromotionNeedsAQuorum: with semi-synchronous replication, so many replicas must have been stopped that the others cannot
// acknowledge a commit of the old primary by themselves.
func TestPromotionNeedsAQuorum(t *testing.T) {
	before, after := now.Add(-2*time.Second), now.Add(-500*time.Millisecond) // the primary was last seen a second ago
	type servers = []failover.Observation
	missing := func(o *failover.Observation, from time.Time) {
		o.Reachable, o.Failures, o.Since, o.Error = false, 2, from, "i/o timeout"
	}
	for _, c := range []struct {
		what   string
		change func(s servers, f *failover.State, p *Policy) // the primary, which waits for one of two replicas
		lost   string                                        // who may have acknowledged; "" when a replica is promoted
	}{
		{"every replica answers", func(servers, *failover.State, *Policy) {}, ""},
		{"one does not, and was connected", func(s servers, _ *failover.State, _ *Policy) { missing(&s[2], after) }, "replica2"},
		{"one died with the primary", func(s servers, _ *failover.State, _ *Policy) { missing(&s[2], after); s[0].Gone = true }, "replica2"},
		{"one hung before the primary died, and is connected", func(s servers, _ *failover.State, _ *Policy) { missing(&s[2], before); s[0].Gone = true }, "replica2"},
		{"one was dead before the primary died", func(s servers, _ *failover.State, _ *Policy) {
			missing(&s[2], before)
			s[0].Gone, s[0].Serves = true, []uint64{2}
		}, ""},
		{"one was dead before the primary hung, which may wake up", func(s servers, _ *failover.State, _ *Policy) {
			missing(&s[2], before)
			s[0].Serves = []uint64{2}
		}, "replica2"},
		{"two acknowledgements are needed, of which one can be missing", func(s servers, _ *failover.State, _ *Policy) { missing(&s[2], after); s[0].WaitsFor = 2 }, ""},
		{"the missing one acknowledges nothing", func(s servers, _ *failover.State, _ *Policy) {
			missing(&s[2], after)
			s[2].Acknowledges, s[0].Serves = false, []uint64{2}
		}, ""},
		{"the missing one was never seen, and the primary neither", func(s servers, _ *failover.State, _ *Policy) {
			s[2] = failover.Observation{Name: s[2].Name, Addr: s[2].Addr, Rule: s[2].Rule, Failures: 2, Since: since}
			s[0].At, s[0].Serves = time.Time{}, nil
		}, "replica2"},
		{"the missing one was never seen, and the primary served somebody unknown", func(s servers, _ *failover.State, _ *Policy) {
			s[2] = failover.Observation{Name: s[2].Name, Addr: s[2].Addr, Rule: s[2].Rule, Failures: 2, Since: before}
			s[0].Gone = true
		}, "replica2"},
		{"the missing one was never seen, and the primary served none but those seen", func(s servers, _ *failover.State, _ *Policy) {
			s[2] = failover.Observation{Name: s[2].Name, Addr: s[2].Addr, Rule: s[2].Rule, Failures: 2, Since: before}
			s[0].Gone, s[0].Serves = true, []uint64{2}
		}, ""},
		{"the missing one was pointed to the primary since it was last seen", func(s servers, _ *failover.State, _ *Policy) { missing(&s[2], after); s[2].Links = nil }, "replica2"},
		{"the missing one is a primary that was replaced before", func(s servers, f *failover.State, _ *Policy) {
			missing(&s[2], before)
			s[2].Links, s[0].Serves, f.Replaced = nil, []uint64{2}, map[string]string{"replica2": "primary"}
		}, ""},
		{"the missing one was replaced before, and follows the primary since", func(s servers, f *failover.State, _ *Policy) {
			missing(&s[2], after)
			f.Replaced = map[string]string{"replica2": "primary"}
		}, "replica2"},
		{"one was started again with empty relay logs", func(s servers, _ *failover.State, _ *Policy) {
			s[2].Restarted, s[2].DropsRelayLogs = after, true
		}, "primary"},
		{"one was started again, and goes on in its relay logs", func(s servers, _ *failover.State, _ *Policy) { s[2].Restarted = after }, ""},
		{"one was started again before the primary died", func(s servers, _ *failover.State, _ *Policy) {
			s[2].Restarted, s[2].DropsRelayLogs = before, true
		}, ""},
		{"loss is allowed", func(s servers, _ *failover.State, p *Policy) { missing(&s[2], after); p.AllowLoss = true }, ""},
		{"commits wait for nobody", func(s servers, _ *failover.State, _ *Policy) { missing(&s[2], after); s[0].SemiSync = false }, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := failover.State{Now: now, Servers: servers{deadPrimary(), replicaAt(1, 100), replicaAt(2, 100)}}
			s.Servers[0].SemiSync, s.Servers[0].WaitsFor, s.Servers[0].Serves = true, 1, []uint64{2, 3}
			for i := range s.Servers {
				s.Servers[i].Acknowledges, s.Servers[i].CanWait = i > 0, true
			}
			var p Policy
			c.change(s.Servers, &s, &p)
			plan := Decide(s, p)
			if c.lost == "" && (plan.Action != failover.Promote || plan.Promote != "replica1") {
				t.Errorf("got %+v", plan)
			}
			if c.lost != "" && (plan.Action != failover.Refuse || !strings.Contains(plan.Reason, "may be lost") || !strings.Contains(plan.Reason, "Start "+c.lost)) {
				t.Errorf("got %+v", plan)
			}
			unsafe := (&Config{Policy: p, planted: forgetMissing}).decide(s)
			if unsafe.Action != failover.Promote {
				t.Errorf("the planted bug does not promote: %+v", unsafe)
			}
		})
	}
}
