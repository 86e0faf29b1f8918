package embedded

import (
	"fmt"
	"slices"

	"mysqlmatrix/harness/failover"
)

// Decide says what is to be done in a state. It is a pure function: it asks no server and remembers nothing.
//
// A primary is dead only when it does not answer and no replica that does answer still replicates from it. A replica is
// left out only when it has missed as many polls as the primary must have.
// Nothing is promoted beside another server that takes writes, nor soon after another recovery.
func Decide(s failover.State, p Policy) failover.Plan {
	plan := failover.Plan{Action: failover.Watch, Problem: failover.NoProblem, Reason: "every source answers"}
	sources := sourcesOf(s)
	for _, addr := range sources {
		one := decideFor(s, p, addr)
		if one.Action > plan.Action || plan.Problem == failover.NoProblem {
			plan = one
		}
	}
	for _, o := range s.Servers {
		if !o.Reachable || slices.Contains(sources, o.Addr) {
			continue
		}
		// Its replicas may be gone before they were ever seen.
		if one, ok := lacksAcknowledgers(o, o.Acknowledging, p); ok && one.Action > plan.Action {
			plan = one
		}
	}
	return plan
}

// sourcesOf are the addresses that servers replicate from, sorted.
func sourcesOf(s failover.State) []string {
	var addrs []string
	for _, o := range s.Servers {
		for _, l := range o.Links {
			addrs = append(addrs, l.Source)
		}
	}
	slices.Sort(addrs)
	return slices.Compact(addrs)
}

func decideFor(s failover.State, p Policy, addr string) failover.Plan {
	index := slices.IndexFunc(s.Servers, func(o failover.Observation) bool { return o.Addr == addr })
	if index < 0 {
		return failover.Plan{Action: failover.Alert, Problem: failover.UnreachablePrimary, Dead: addr,
			Reason: "servers replicate from " + addr + ", which is not one of the servers that are watched"}
	}
	source := s.Servers[index]
	if source.Reachable {
		return decideAlive(s, p, source)
	}
	plan := failover.Plan{Action: failover.Watch, Problem: failover.UnreachablePrimary, Dead: source.Name}
	switch {
	case source.Failures < p.confirmations():
		plan.Reason = fmt.Sprintf("%s has not answered %d of %d times: %s", source.Name, source.Failures, p.confirmations(), source.Error)
		return plan
	}
	if by := successorOf(s, source.Name); by != "" && !p.again {
		return decideReplaced(s, source, by)
	}
	return decideUnreachable(s, p, source)
}

// successorOf is the name of the primary that has taken the place of a replaced one; "" when that was not replaced.
func successorOf(s failover.State, name string) (by string) {
	for range s.Servers {
		next := s.Replaced[name]
		if next == "" {
			break
		}
		by, name = next, next
	}
	return by
}

// decideReplaced is the plan for a dead primary that was replaced already: its replicas are late ones, which follow the new primary
// when that answers. When it does not, it may be alive all the same, and take writes: no replica of it is there to ask.
func decideReplaced(s failover.State, dead failover.Observation, by string) failover.Plan {
	plan := failover.Plan{Action: failover.Watch, Problem: failover.UnreachablePrimary, Dead: dead.Name,
		Reason: dead.Name + " was replaced by " + by + ", which its replicas are to follow"}
	if o := observationOf(s, by); !o.Reachable && !hasReplicas(s, o) {
		plan.Action, plan.Dead = failover.Refuse, by
		plan.Reason = by + " has taken the place of " + dead.Name + " and does not answer, and nobody replicates from it: it may take writes. Start it, or see that it is dead and promote another one by hand"
	}
	return plan
}

func decideAlive(s failover.State, p Policy, source failover.Observation) failover.Plan {
	plan := failover.Plan{Action: failover.Watch, Problem: failover.NoProblem, Reason: source.Name + " answers"}
	replicating, replicas := 0, 0
	for _, o := range s.Servers {
		link, ok := o.LinkTo(source.Addr)
		if !ok || !o.Reachable {
			continue
		}
		replicas++
		if link.Fetch == failover.Running {
			replicating++
		}
		if link.Error != "" {
			plan = failover.Plan{Action: failover.Alert, Problem: failover.BrokenReplica, Dead: o.Name, Reason: o.Name + ": " + link.Error}
		}
	}
	if replicas > 0 && replicating == 0 {
		plan = failover.Plan{Action: failover.Alert, Problem: failover.ReplicasNotReplicating, Dead: source.Name,
			Reason: source.Name + " answers, and none of its replicas replicates from it"}
	}
	// Its own count may be of replicas that are gone and have not been missed yet.
	if blocked, ok := lacksAcknowledgers(source, min(source.Acknowledging, replicating), p); ok {
		return blocked
	}
	return plan
}

// lacksAcknowledgers is the plan for a primary whose commits wait for more acknowledgements than its replicas can give.
func lacksAcknowledgers(primary failover.Observation, able int, p Policy) (plan failover.Plan, ok bool) {
	if !primary.SemiSync || primary.ReadOnly || able >= primary.WaitsFor {
		return plan, false
	}
	plan = failover.Plan{Action: failover.Alert, Problem: failover.BlockedPrimary, Dead: primary.Name,
		Reason: fmt.Sprintf("%s waits for %d acknowledgements, and %d replicas can give one", primary.Name, primary.WaitsFor, able)}
	if p.Unblock {
		plan.Action = failover.Unblock
	}
	return plan, true
}

// decideUnreachable asks the replicas whether a primary that does not answer is dead.
func decideUnreachable(s failover.State, p Policy, dead failover.Observation) failover.Plan {
	plan := failover.Plan{Action: failover.Watch, Problem: failover.UnreachablePrimary, Dead: dead.Name}
	var replicas []failover.Observation
	var stale, unconfirmed string
	witnesses := 0
	for _, o := range s.Servers {
		link, ok := o.LinkTo(dead.Addr)
		switch {
		case !ok:
		case !o.Reachable && o.Failures < p.confirmations():
			unconfirmed = o.Name // it may have the most
		case !o.Reachable:
		case !o.Fresh(dead.Since):
			stale = o.Name
		case link.Fetch == failover.Running:
			plan.Action, plan.Reason = failover.Alert, o.Name+" still replicates from "+dead.Name
			return plan
		case link.Refused():
			plan.Action, plan.Reason = failover.Alert, dead.Name+" refuses "+o.Name+", and so is alive: "+link.FetchError
			return plan
		default:
			if link.LostSource() {
				witnesses++
			}
			replicas = append(replicas, o)
		}
	}
	if stale != "" {
		plan.Reason = stale + " has not been asked since"
		return plan
	}
	if unconfirmed != "" {
		plan.Reason = unconfirmed + " has missed a poll: it may have more than the others"
		return plan
	}
	if len(replicas) > 0 && witnesses == 0 {
		plan.Action = failover.Alert
		plan.Reason = "it is not known whether " + dead.Name + " is dead: the receivers of all its replicas were stopped before, and none has lost it"
		return plan
	}
	if len(replicas) == 0 {
		plan.Action, plan.Problem, plan.Reason = failover.Refuse, failover.DeadPrimaryAndReplicas, "none of the replicas of "+dead.Name+" answers"
		return plan
	}
	if len(dead.Links) > 0 && !inRing(s, dead) {
		return relocate(s, p, dead, replicas)
	}
	plan.Problem = failover.DeadPrimary
	if reason := forbidden(s, p, dead); reason != "" {
		plan.Action, plan.Reason = failover.Refuse, reason
		return plan
	}
	return choose(s, p, dead, replicas)
}

// forbidden is why no failover may be done now, "" when it may.
func forbidden(s failover.State, p Policy, dead failover.Observation) string {
	if !s.LastRecovery.IsZero() && s.Now.Sub(s.LastRecovery) < p.AntiFlapping {
		return fmt.Sprintf("the last recovery ended less than the anti-flapping period of %s ago", p.AntiFlapping)
	}
	for _, o := range s.Servers {
		if o.Name != dead.Name && o.Reachable && len(o.Links) == 0 && !o.ReadOnly && !ofAnotherSet(s, dead, o) {
			return o.Name + " takes writes already: there must not be two primaries"
		}
	}
	return ""
}

// ofAnotherSet says that a primary has nothing to do with a dead one but a replica that both have: no transaction of the dead one
// ever came to it.
func ofAnotherSet(s failover.State, dead, o failover.Observation) bool {
	shared := slices.ContainsFunc(s.Servers, func(r failover.Observation) bool {
		_, of := r.LinkTo(dead.Addr)
		_, too := r.LinkTo(o.Addr)
		return of && too
	})
	known := dead.ServerID != 0 && !o.Wrote.IsEmpty()
	return shared && known && writtenBy(dead, o.Wrote).IsEmpty() && successorOf(s, dead.Name) != o.Name
}
