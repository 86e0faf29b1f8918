package failover

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

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
func deadPrimary() Observation {
	return Observation{Name: "primary", Addr: primaryAddr, Rule: Neutral, At: now.Add(-time.Second), Failures: 2, Since: since,
		Error: "connection refused", Flavor: v80, Format: FormatRow, LogUpdates: true, ServerID: 1, UUID: primaryUUID,
		Executed: upTo(100), Wrote: upTo(100)}
}

// replicaAt is a replica that has received n transactions and lost its primary.
func replicaAt(number, n int) Observation {
	return Observation{Name: fmt.Sprintf("replica%d", number), Addr: fmt.Sprintf("127.0.0.1:%d", 1000+number), Rule: Neutral,
		Reachable: true, At: now.Add(-100 * time.Millisecond), Flavor: v80, Format: FormatRow, LogUpdates: true, ReadOnly: true,
		ServerID: uint64(1 + number), UUID: strings.Replace(replicaUUID, "b", fmt.Sprint(number), 1),
		Executed: upTo(n - 1), Wrote: upTo(n - 1),
		Links: []Link{{Source: primaryAddr, GTID: true, Fetch: Connecting, Apply: Running, Received: upTo(n),
			Read: server.Coordinates{File: "mysql-bin.000001", Pos: uint64(n)}, Applied: server.Coordinates{File: "mysql-bin.000001", Pos: uint64(n - 1)}}}}
}

func TestDecide(t *testing.T) {
	type change func(*State, *Policy)
	on := func(name string, do func(*Observation)) change {
		return func(s *State, _ *Policy) {
			for i := range s.Servers {
				if s.Servers[i].Name == name {
					do(&s.Servers[i])
				}
			}
		}
	}
	for _, c := range []struct {
		what    string
		change  change
		action  Action
		problem Problem
		promote string
		rewire  string
		apart   string // names
		reason  string // a part of it
	}{
		{what: "all is well", change: on("primary", func(o *Observation) { o.Reachable = true }), action: Alert, problem: ReplicasNotReplicating},
		{what: "the most data wins", action: Promote, problem: DeadPrimary, promote: "replica2", rewire: "replica1 replica3"},
		{what: "one failed poll", change: on("primary", func(o *Observation) { o.Failures = 1 }), action: Watch, problem: UnreachablePrimary},
		{what: "a replica still replicates", change: on("replica3", func(o *Observation) { o.Links[0].Fetch = Running }), action: Alert,
			problem: UnreachablePrimary, reason: "replica3 still replicates"},
		{what: "a replica was last asked before", change: on("replica3", func(o *Observation) { o.At = since.Add(-time.Millisecond) }), action: Watch,
			problem: UnreachablePrimary, reason: "replica3 has not been asked since"},
		{what: "a silent replica", change: on("replica3", func(o *Observation) { o.Reachable = false }), action: Promote, problem: DeadPrimary,
			promote: "replica2", rewire: "replica1", apart: "replica3"},
		{what: "no replica answers", change: func(s *State, _ *Policy) {
			for i := range s.Servers {
				s.Servers[i].Reachable = false
			}
		}, action: Refuse, problem: DeadPrimaryAndReplicas},
		{what: "the rule decides among equals only", change: on("replica1", func(o *Observation) { o.Rule = Prefer }), action: Promote,
			problem: DeadPrimary, promote: "replica2", rewire: "replica1 replica3"},
		{what: "among equals the rule decides", change: func(s *State, _ *Policy) { s.Servers[3] = replicaAt(3, 90); s.Servers[3].Rule = Prefer },
			action: Promote, problem: DeadPrimary, promote: "replica3", rewire: "replica1 replica2"},
		{what: "must not, though it has the most", change: on("replica2", func(o *Observation) { o.Rule = MustNot }), action: Promote,
			problem: DeadPrimary, promote: "replica1", rewire: "replica3", apart: "replica2"},
		{what: "a broken applier", change: on("replica2", func(o *Observation) { o.Links[0].Error = "error 1062" }), action: Promote,
			problem: DeadPrimary, promote: "replica1", rewire: "replica3", apart: "replica2"},
		{what: "all appliers broken", change: func(s *State, _ *Policy) {
			for i := 1; i < 4; i++ {
				s.Servers[i].Links[0].Error = "error 1062"
			}
		}, action: Refuse, problem: DeadPrimary, reason: "cannot apply"},
		{what: "an errant transaction", change: on("replica2", func(o *Observation) { o.Wrote = o.Wrote.Union(gtids(replicaUUID + ":1")) }),
			action: Promote, problem: DeadPrimary, promote: "replica1", rewire: "replica3", apart: "replica2"},
		{what: "never a newer version above an older one", change: on("replica2", func(o *Observation) { o.Flavor = v84 }), action: Promote,
			problem: DeadPrimary, promote: "replica1", rewire: "replica3", apart: "replica2"},
		{what: "an older version above a newer one", change: on("replica1", func(o *Observation) { o.Flavor = v84 }), action: Promote,
			problem: DeadPrimary, promote: "replica2", rewire: "replica1 replica3"},
		{what: "a higher log format", change: on("replica1", func(o *Observation) { o.Format = FormatStatement }), action: Promote,
			problem: DeadPrimary, promote: "replica1", rewire: "replica3", apart: "replica2"},
		{what: "a replica that does not log what it applies", change: on("replica2", func(o *Observation) { o.LogUpdates = false }), action: Promote,
			problem: DeadPrimary, promote: "replica1", rewire: "replica3", apart: "replica2"},
		{what: "another server takes writes", change: func(s *State, _ *Policy) {
			s.Servers = append(s.Servers, Observation{Name: "other", Addr: "127.0.0.1:9", Reachable: true, At: now})
		}, action: Refuse, problem: DeadPrimary, reason: "two primaries"},
		{what: "soon after a recovery", change: func(s *State, p *Policy) { s.LastRecovery = now.Add(-time.Second); p.AntiFlapping = time.Minute },
			action: Refuse, problem: DeadPrimary, reason: "anti-flapping"},
		{what: "long after a recovery", change: func(s *State, p *Policy) { s.LastRecovery = now.Add(-time.Hour); p.AntiFlapping = time.Minute },
			action: Promote, problem: DeadPrimary, promote: "replica2", rewire: "replica1 replica3"},
		{what: "an intermediate primary", change: intermediate, action: Relocate, problem: DeadIntermediate, rewire: "replica1 replica2 replica3"},
		{what: "an intermediate primary whose source is dead as well", change: on("primary", func(o *Observation) { o.Links = []Link{{Source: "127.0.0.1:7"}} }),
			action: Refuse, problem: DeadIntermediate, reason: "does not answer either"},
		{what: "an errant transaction below an intermediate primary", change: func(s *State, p *Policy) {
			intermediate(s, p)
			s.Servers[2].Wrote = s.Servers[2].Wrote.Union(gtids(s.Servers[2].UUID + ":1"))
		}, action: Relocate, problem: DeadIntermediate, rewire: "replica1 replica3", apart: "replica2"},
		{what: "an intermediate primary that others still replicate from", change: func(s *State, p *Policy) {
			intermediate(s, p)
			s.Servers[2].Links[0].Fetch = Running
		}, action: Alert, problem: UnreachablePrimary},
		{what: "a partner in a ring, though others have more", change: func(s *State, _ *Policy) {
			s.Servers[0].Links = []Link{{Source: s.Servers[1].Addr, GTID: true}}
			s.Servers[1].Wrote = s.Servers[1].Wrote.Union(gtids(s.Servers[1].UUID + ":1-5"))
		}, action: Promote, problem: DeadPrimary, promote: "replica1", rewire: "replica3", apart: "replica2"},
		{what: "a primary that waits for nobody", change: func(s *State, p *Policy) { blocked(s, p); s.Servers[0].SemiSync = false }, action: Alert, problem: ReplicasNotReplicating},
		{what: "a primary that waits in vain", change: blocked, action: Alert, problem: BlockedPrimary},
		{what: "a primary that is to wait no more", change: func(s *State, p *Policy) { blocked(s, p); p.Unblock = true }, action: Unblock, problem: BlockedPrimary},
		{what: "without GTID and without help", change: coordinatesOnly, action: Promote, problem: DeadPrimary, promote: "replica2", apart: "replica1 replica3"},
		{what: "without GTID, with help", change: func(s *State, p *Policy) { coordinatesOnly(s, p); p.Rewirable = true }, action: Promote,
			problem: DeadPrimary, promote: "replica2", rewire: "replica1 replica3"},
		{what: "a primary that was never seen", change: on("primary", func(o *Observation) {
			*o = Observation{Name: "primary", Addr: primaryAddr, Rule: Neutral, Failures: 2, Since: since}
		}), action: Promote, problem: DeadPrimary, promote: "replica2", rewire: "replica1 replica3"},
		{what: "a source that nobody watches", change: func(s *State, _ *Policy) { s.Servers = s.Servers[1:] }, action: Alert, problem: UnreachablePrimary},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := State{Now: now, Servers: []Observation{deadPrimary(), replicaAt(1, 80), replicaAt(2, 90), replicaAt(3, 70)}}
			var p Policy
			if c.change != nil {
				c.change(&s, &p)
			}
			got := Decide(s, p)
			var apart []string
			for _, a := range got.Apart {
				apart = append(apart, a.Name)
			}
			if got.Action != c.action || got.Problem != c.problem || got.Promote != c.promote ||
				strings.Join(got.Rewire, " ") != c.rewire || strings.Join(apart, " ") != c.apart || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// intermediate puts another server above the dead one.
func intermediate(s *State, _ *Policy) {
	above := Observation{Name: "above", Addr: "127.0.0.1:7", Rule: Neutral, Reachable: true, At: now, Flavor: v80, Format: FormatRow, LogUpdates: true,
		ServerID: 99, UUID: strings.Replace(replicaUUID, "b", "c", 1), Executed: upTo(100), Wrote: upTo(100)}
	s.Servers[0].Links = []Link{{Source: above.Addr, GTID: true}}
	s.Servers = append(s.Servers, above)
}

// blocked is a primary that answers and whose replicas are all cut off.
func blocked(s *State, _ *Policy) {
	s.Servers[0].Reachable, s.Servers[0].SemiSync, s.Servers[0].WaitsFor = true, true, 1
}

func coordinatesOnly(s *State, _ *Policy) {
	for i := range s.Servers {
		s.Servers[i].Executed, s.Servers[i].Wrote = server.GTIDSet{}, server.GTIDSet{}
		for j := range s.Servers[i].Links {
			s.Servers[i].Links[j].GTID, s.Servers[i].Links[j].Received = false, server.GTIDSet{}
		}
	}
}

// model is a replica as the fuzz test made it: what Decide must conclude is told from these plain facts.
type model struct {
	name                                          string
	received                                      int
	rule                                          Rule
	version                                       flavor.Version
	mustNot, reachable, fresh, running            bool
	broken, errant, logs, several, linked, writes bool
	format                                        Format
}

// FuzzDecide holds what may never happen, in any state: data of a cluster is at stake.
func FuzzDecide(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 80, 1, 0, 0, 90, 2, 0, 0, 70, 3}, true, false)
	f.Add([]byte{96, 0, 0, 80, 1, 0, 0, 90, 2, 0, 0, 70, 3}, true, false)
	f.Add([]byte{1, 9, 1, 0, 80, 1, 16, 0, 80, 2, 33, 0, 80, 3}, false, true)
	f.Fuzz(func(t *testing.T, data []byte, byGTID, allowErrant bool) {
		s, models, p := fuzzState(data, byGTID)
		p.AllowErrant = allowErrant
		plan := Decide(s, p)
		reversed := s
		reversed.Servers = slices.Clone(s.Servers)
		slices.Reverse(reversed.Servers)
		if other := Decide(reversed, p); other.Action != plan.Action || other.Promote != plan.Promote {
			t.Fatalf("the order of servers matters: %+v and %+v", plan, other)
		}
		if plan.Action == Relocate {
			for _, fault := range misplaced(plan, s, models) {
				t.Errorf("%s\nplan %+v\nmodels %+v", fault, plan, models)
			}
			return
		}
		if plan.Action != Promote {
			if plan.Promote != "" || len(plan.Rewire) > 0 {
				t.Fatalf("a plan without promotion does something: %+v", plan)
			}
			return
		}
		for _, fault := range broken(plan, s, models, p) {
			t.Errorf("%s\nplan %+v\nmodels %+v", fault, plan, models)
		}
	})
}

func fuzzState(data []byte, byGTID bool) (State, map[string]model, Policy) {
	next := func() byte {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return b
	}
	dead := deadPrimary()
	flags := next()
	dead.Reachable = flags&1 != 0 && flags&2 != 0
	dead.Failures = 2 - int(flags>>2&1)
	s := State{Now: now, Servers: []Observation{dead}}
	if flags&32 != 0 && flags&64 != 0 {
		intermediate(&s, nil)
		s.Servers[1].Reachable = flags&128 == 0
	}
	p := Policy{AntiFlapping: time.Minute, Rewirable: true}
	if flags&8 != 0 && flags&16 != 0 {
		s.LastRecovery = now.Add(-time.Second)
	}
	models := map[string]model{}
	for number := 1; len(data) > 0 && number <= 6; number++ {
		o, m := fuzzReplica(number, next(), next(), next(), next())
		if !byGTID {
			one := State{Servers: []Observation{o}}
			coordinatesOnly(&one, nil)
			o, m.errant = one.Servers[0], false
		}
		s.Servers = append(s.Servers, o)
		models[o.Name] = m
	}
	return s, models, p
}

func fuzzReplica(number int, a, b, received, c byte) (Observation, model) {
	rare := func(b byte, shift int) bool { return b>>shift&3 == 3 }
	o := replicaAt(number, int(received)+1)
	m := model{name: o.Name, received: int(received) + 1, reachable: !rare(a, 0), fresh: !rare(a, 2), running: rare(a, 4), broken: rare(a, 6),
		errant: rare(b, 0), logs: !rare(b, 2), several: rare(b, 4), linked: !rare(b, 6), mustNot: c&3 == 3}
	o.Rule = []Rule{Prefer, Neutral, PreferNot, MustNot}[c&3]
	m.rule = o.Rule
	m.version = []flavor.Version{v80.Version, v80.Version, v84.Version, {Major: 9, Minor: 7}}[c>>2&3]
	o.Flavor.Version = m.version
	m.format = []Format{FormatRow, FormatRow, FormatMixed, FormatStatement}[c>>4&3]
	o.Format, o.LogUpdates, o.Reachable = m.format, m.logs, m.reachable
	if !m.fresh {
		o.At = since.Add(-time.Millisecond)
	}
	if m.running {
		o.Links[0].Fetch = Running
	}
	if m.broken {
		o.Links[0].Error = "error 1062"
	}
	if m.errant {
		o.Wrote = o.Wrote.Union(gtids(o.UUID + ":1"))
	}
	if m.several {
		o.Links = append(o.Links, Link{Source: "127.0.0.1:7"})
	}
	if !m.linked {
		m.writes = c>>6&3 == 3
		o.Links, o.ReadOnly = nil, !m.writes
	}
	return o, m
}

// mayLead says, from the plain facts, whether a server may be promoted above the others.
func (m model) mayLead(all map[string]model) bool {
	if !m.linked || !m.reachable || m.mustNot || m.broken || m.several || m.errant {
		return false
	}
	for _, o := range all {
		if o.name == m.name || !o.linked || !o.reachable || o.broken {
			continue
		}
		if !m.logs || o.version.Series() != m.version.Series() && o.version.Compare(m.version) < 0 || o.logs && o.format < m.format {
			return false
		}
	}
	return true
}

// broken are the invariants that a plan to promote violates.
func broken(plan Plan, s State, models map[string]model, p Policy) (faults []string) {
	fail := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	chosen, ok := models[plan.Promote]
	if !ok {
		fail("%q is no replica", plan.Promote)
		return faults
	}
	if !s.LastRecovery.IsZero() {
		fail("promoted within the anti-flapping period")
	}
	if s.Servers[0].Reachable || s.Servers[0].Failures < 2 {
		fail("the primary is not known to be dead")
	}
	if !chosen.mayLead(models) && !(p.AllowErrant && chosen.errant && !chosen.mustNot && !chosen.broken) {
		fail("%s may not be promoted", chosen.name)
	}
	for _, m := range models {
		if m.writes && m.reachable {
			fail("%s takes writes: there would be two primaries", m.name)
		}
		if !m.linked || !m.reachable {
			continue
		}
		if m.running || !m.fresh {
			fail("%s still replicates, or was not asked", m.name)
		}
		if m.mayLead(models) && m.received == chosen.received && !chosen.errant && m.rule < chosen.rule {
			fail("%s is as good as %s, and wanted more", m.name, chosen.name)
		}
		if m.mayLead(models) && m.received > chosen.received {
			fail("%s may be promoted and has %d, the chosen one %d", m.name, m.received, chosen.received)
		}
	}
	return append(faults, placed(plan, models, chosen)...)
}

// misplaced are the invariants that a plan to move replicas past a dead intermediate primary violates.
func misplaced(plan Plan, s State, models map[string]model) (faults []string) {
	if plan.Promote != "" || plan.Above != "above" {
		faults = append(faults, fmt.Sprintf("%q is promoted, or the replicas move to %q", plan.Promote, plan.Above))
	}
	if s.Servers[0].Reachable || s.Servers[0].Failures < 2 || !s.Servers[1].Reachable {
		faults = append(faults, "the intermediate primary is not known to be dead, or its source does not answer")
	}
	for _, m := range models {
		if m.linked && m.reachable && (m.running || !m.fresh) {
			faults = append(faults, m.name+" still replicates, or was not asked")
		}
	}
	// The source has all that any replica has, and the oldest version.
	source := model{name: plan.Above, received: math.MaxInt, version: v80.Version}
	return append(faults, placed(Plan{Rewire: plan.Rewire, Apart: plan.Apart, Promote: plan.Above}, models, source)...)
}

// placed holds that every replica of the dead primary has exactly one place in a plan, and one that it
// can take.
func placed(plan Plan, models map[string]model, chosen model) (faults []string) {
	places := map[string]int{plan.Promote: 1}
	for _, name := range plan.Rewire {
		places[name]++
		m := models[name]
		if m.received > chosen.received || m.broken || m.several || m.errant || !m.reachable {
			faults = append(faults, name+" cannot follow and is told to")
		}
		if m.version.Series() != chosen.version.Series() && m.version.Compare(chosen.version) < 0 {
			faults = append(faults, name+" is older than the new primary")
		}
	}
	for _, a := range plan.Apart {
		places[a.Name]++
	}
	for _, m := range models {
		if m.linked && places[m.name] != 1 || !m.linked && places[m.name] != 0 {
			faults = append(faults, fmt.Sprintf("%s has %d places in the plan", m.name, places[m.name]))
		}
	}
	return faults
}
