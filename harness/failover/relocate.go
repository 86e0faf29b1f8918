package failover

import (
	"slices"
	"strings"
)

// inRing says whether a server replicates from one that replicates from it.
func inRing(s State, o Observation) bool { return partner(s, o) != "" }

// partner is the name of the server that a server replicates from and that replicates from it; "" when there
// is none.
func partner(s State, o Observation) string {
	for _, other := range s.Servers {
		_, there := o.linkTo(other.Addr)
		_, back := other.linkTo(o.Addr)
		if there && back {
			return other.Name
		}
	}
	return ""
}

// relocate moves the replicas of a dead intermediate primary to its source, which has all that they have
// and more.
func relocate(s State, p Policy, dead Observation, replicas []Observation) Plan {
	plan := Plan{Action: Refuse, Problem: DeadIntermediate, Dead: dead.Name}
	above := slices.IndexFunc(s.Servers, func(o Observation) bool { return o.Addr == dead.Links[0].Source })
	switch {
	case len(dead.Links) > 1:
		plan.Reason = dead.Name + " replicated from several sources"
		return plan
	case above < 0 || !s.Servers[above].Reachable:
		plan.Reason = "the source of " + dead.Name + ", " + dead.Links[0].Source + ", does not answer either"
		return plan
	}
	source := s.Servers[above]
	plan.Action, plan.Above = Relocate, source.Name
	for _, o := range s.Servers {
		link, ok := o.linkTo(dead.Addr)
		if !ok {
			continue
		}
		reason := "it does not answer: " + o.Error
		if slices.ContainsFunc(replicas, func(r Observation) bool { return r.Name == o.Name }) {
			reason = immovable(o, link, source, p)
		}
		if reason == "" {
			plan.Rewire = append(plan.Rewire, o.Name)
		} else {
			plan.Apart = append(plan.Apart, Apart{o.Name, reason})
		}
	}
	plan.Reason = dead.Name + " is dead: " + dead.Error + "; move to its source " + source.Name + ": " + strings.Join(plan.Rewire, ", ")
	return plan
}

// immovable is why a replica cannot follow the source of its own source, "" when it can.
func immovable(o Observation, link Link, source Observation, p Policy) string {
	own := o.Wrote.Minus(o.Wrote.Without(o.UUID)) // on MySQL by UUID
	if o.Flavor.IsMariaDB() {
		own = o.Wrote.Minus(o.Wrote.WithoutServer(o.ServerID))
	}
	errant := own.Minus(source.Wrote)
	switch {
	case link.Error != "":
		return "its applier has stopped: " + link.Error
	case len(o.Links) > 1:
		return "it replicates from several sources"
	case !errant.IsEmpty():
		return "it has transactions that nobody else has: " + errant.String()
	case !link.GTID && !p.Rewirable:
		return "it does not use GTID, and nothing is there to find its place in the new source's log"
	}
	return cannotFollow(candidate{Observation: o}, candidate{Observation: source})
}
