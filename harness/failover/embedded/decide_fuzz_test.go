package embedded

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/flavor"
)

// model is a replica as the fuzz test made it: what Decide must conclude is told from these plain facts.
type model struct {
	name                                          string
	received                                      int
	rule                                          failover.Rule
	version                                       flavor.Version
	mustNot, reachable, fresh, running            bool
	broken, errant, logs, several, linked, writes bool
	format                                        failover.Format
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
		if plan.Action == failover.Relocate {
			for _, fault := range misplaced(plan, s, models) {
				t.Errorf("%s\nplan %+v\nmodels %+v", fault, plan, models)
			}
			return
		}
		if plan.Action != failover.Promote {
			if plan.Promote != "" || len(plan.Repoint) > 0 {
				t.Fatalf("a plan without promotion does something: %+v", plan)
			}
			return
		}
		for _, fault := range broken(plan, s, models, p) {
			t.Errorf("%s\nplan %+v\nmodels %+v", fault, plan, models)
		}
	})
}

func fuzzState(data []byte, byGTID bool) (failover.State, map[string]model, Policy) {
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
	s := failover.State{Now: now, Servers: []failover.Observation{dead}}
	if flags&32 != 0 && flags&64 != 0 {
		intermediate(&s, nil)
		s.Servers[1].Reachable = flags&128 == 0
	}
	p := Policy{AntiFlapping: time.Minute, FindsPositions: true}
	if flags&8 != 0 && flags&16 != 0 {
		s.LastRecovery = now.Add(-time.Second)
	}
	models := map[string]model{}
	for number := 1; len(data) > 0 && number <= 6; number++ {
		o, m := fuzzReplica(number, next(), next(), next(), next())
		if !byGTID {
			one := failover.State{Servers: []failover.Observation{o}}
			coordinatesOnly(&one, nil)
			o, m.errant = one.Servers[0], false
		}
		s.Servers = append(s.Servers, o)
		models[o.Name] = m
	}
	return s, models, p
}

func fuzzReplica(number int, a, b, received, c byte) (failover.Observation, model) {
	rare := func(b byte, shift int) bool { return b>>shift&3 == 3 }
	o := replicaAt(number, int(received)+1)
	m := model{name: o.Name, received: int(received) + 1, reachable: !rare(a, 0), fresh: !rare(a, 2), running: rare(a, 4), broken: rare(a, 6),
		errant: rare(b, 0), logs: !rare(b, 2), several: rare(b, 4), linked: !rare(b, 6), mustNot: c&3 == 3}
	o.Rule = []failover.Rule{failover.Prefer, failover.Neutral, failover.PreferNot, failover.MustNot}[c&3]
	m.rule = o.Rule
	m.version = []flavor.Version{v80.Version, v80.Version, v84.Version, {Major: 9, Minor: 7}}[c>>2&3]
	o.Flavor.Version = m.version
	m.format = []failover.Format{failover.FormatRow, failover.FormatRow, failover.FormatMixed, failover.FormatStatement}[c>>4&3]
	o.Format, o.LogUpdates, o.Reachable = m.format, m.logs, m.reachable
	if !m.fresh {
		o.At = since.Add(-time.Millisecond)
	}
	if m.running {
		o.Links[0].Fetch = failover.Running
	}
	if m.broken {
		o.Links[0].Error = "error 1062"
	}
	if m.errant {
		o.Wrote = o.Wrote.Union(gtids(o.UUID + ":1"))
	}
	if m.several {
		o.Links = append(o.Links, failover.Link{Source: "127.0.0.1:7"})
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
func broken(plan failover.Plan, s failover.State, models map[string]model, p Policy) (faults []string) {
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
func misplaced(plan failover.Plan, s failover.State, models map[string]model) (faults []string) {
	if plan.Promote != "" || plan.Source != "above" {
		faults = append(faults, fmt.Sprintf("%q is promoted, or the replicas move to %q", plan.Promote, plan.Source))
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
	source := model{name: plan.Source, received: math.MaxInt, version: v80.Version}
	return append(faults, placed(failover.Plan{Repoint: plan.Repoint, Excluded: plan.Excluded, Promote: plan.Source}, models, source)...)
}

// placed holds that every replica of the dead primary has exactly one place in a plan, and one that it
// can take.
func placed(plan failover.Plan, models map[string]model, chosen model) (faults []string) {
	places := map[string]int{plan.Promote: 1}
	for _, name := range plan.Repoint {
		places[name]++
		m := models[name]
		if m.received > chosen.received || m.broken || m.several || m.errant || !m.reachable {
			faults = append(faults, name+" cannot follow and is told to")
		}
		if m.version.Series() != chosen.version.Series() && m.version.Compare(chosen.version) < 0 {
			faults = append(faults, name+" is older than the new primary")
		}
	}
	for _, a := range plan.Excluded {
		places[a.Name]++
	}
	for _, m := range models {
		if m.linked && places[m.name] != 1 || !m.linked && places[m.name] != 0 {
			faults = append(faults, fmt.Sprintf("%s has %d places in the plan", m.name, places[m.name]))
		}
	}
	return faults
}
