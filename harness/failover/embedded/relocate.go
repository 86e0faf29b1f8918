package embedded

import (
	"slices"
	"strings"

	"mysqlmatrix/harness/failover"
)

// inRing says whether a server replicates from one that replicates from it.
func inRing(s failover.State, o failover.Observation) bool { return partner(s, o) != "" }

// partner is the name of the server that a server replicates from and that replicates from it; "" when there
// is none.
func partner(s failover.State, o failover.Observation) string {
	for _, other := range s.Servers {
		_, there := o.LinkTo(other.Addr)
		_, back := other.LinkTo(o.Addr)
		if there && back {
			return other.Name
		}
	}
	return ""
}

// relocate moves the replicas of a dead intermediate primary to its source, which has all that they have
// and more.
func relocate(s failover.State, p Policy, dead failover.Observation, replicas []failover.Observation) failover.Plan {
	plan := failover.Plan{Action: failover.Refuse, Problem: failover.DeadIntermediate, Dead: dead.Name}
	above := slices.IndexFunc(s.Servers, func(o failover.Observation) bool { return o.Addr == dead.Links[0].Source })
	successor := ""
	if above >= 0 {
		// It may have died together with its own source, which was replaced since.
		for name := s.Servers[above].Name; s.Replaced[name] != ""; name = successor {
			successor = s.Replaced[name]
		}
	}
	if successor != "" {
		above = slices.IndexFunc(s.Servers, func(o failover.Observation) bool { return o.Name == successor })
	}
	switch {
	case len(dead.Links) > 1:
		plan.Reason = dead.Name + " replicated from several sources"
		return plan
	case above < 0 || !s.Servers[above].Reachable:
		plan.Reason = "the source of " + dead.Name + ", " + dead.Links[0].Source + ", does not answer either"
		return plan
	}
	source := s.Servers[above]
	plan.Action, plan.Source = failover.Relocate, source.Name
	for _, o := range s.Servers {
		link, ok := o.LinkTo(dead.Addr)
		if !ok {
			continue
		}
		reason := "it does not answer: " + o.Error
		if slices.ContainsFunc(replicas, func(r failover.Observation) bool { return r.Name == o.Name }) {
			reason = relocateReason(o, link, source, p)
			if more := link.Received.Minus(source.Executed); reason == "" && successor != "" && !more.IsEmpty() {
				reason = "it has more than the new primary: " + more.String()
			}
		}
		if reason == "" {
			plan.Repoint = append(plan.Repoint, o.Name)
		} else {
			plan.Excluded = append(plan.Excluded, failover.Exclusion{Name: o.Name, Reason: reason})
		}
	}
	plan.Reason = dead.Name + " is dead: " + dead.Error + "; move to its source " + source.Name + ": " + strings.Join(plan.Repoint, ", ")
	return plan
}

// relocateReason is why a replica cannot follow the source of its own source, "" when it can.
func relocateReason(o failover.Observation, link failover.Link, source failover.Observation, p Policy) string {
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
		return "it has transactions that no other server has: " + errant.String()
	case !link.GTID && !p.FindsPositions:
		return "it does not use GTID, and there is no way to find its position in the new source's log"
	}
	return cannotFollow(candidate{Observation: o}, candidate{Observation: source})
}
