package embedded

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mysqlmatrix/harness/failover"
)

// candidate is a replica of the dead primary.
type candidate struct {
	failover.Observation
	link   failover.Link
	errant string // transactions that the primary never had; "" when there are none
}

// choose picks the new primary among the replicas that answer, and says who can follow it.
func choose(s failover.State, p Policy, dead failover.Observation, replicas []failover.Observation) failover.Plan {
	plan := failover.Plan{Action: failover.Refuse, Problem: failover.DeadPrimary, Dead: dead.Name}
	var all []candidate
	byGTID := true
	ring := partner(s, dead)
	for _, o := range replicas {
		link, _ := o.LinkTo(dead.Addr)
		byGTID = byGTID && link.GTID
		c := candidate{o, link, errant(o, dead)}
		if o.Name == ring {
			c.errant = "" // a primary as well: it writes of its own right
		}
		all = append(all, c)
	}
	eligible, reasons := qualify(all, p)
	if ring != "" {
		// No other replica needs what the partner has written.
		eligible = slices.DeleteFunc(eligible, func(c candidate) bool { return c.Name != ring })
	}
	if len(eligible) == 0 {
		plan.Reason = "no replica can be promoted: " + strings.Join(reasons, "; ")
		return plan
	}
	best := slices.DeleteFunc(slices.Clone(eligible), func(c candidate) bool {
		return slices.ContainsFunc(eligible, func(o candidate) bool { return hasMore(o, c, byGTID) })
	})
	chosen := slices.MinFunc(best, preference)
	plan.Action, plan.Promote = failover.Promote, chosen.Name
	plan.Reason = fmt.Sprintf("%s is dead: %s; no replica receives from it; no replica that may be promoted has more data than %s (%s), rule %s",
		dead.Name, dead.Error, chosen.Name, describe(chosen, byGTID), chosen.Rule)
	for _, o := range s.Servers {
		if _, ok := o.LinkTo(dead.Addr); !ok || o.Name == chosen.Name {
			continue // below another server: it stays there
		}
		reason := "it does not answer: " + o.Error
		if at := slices.IndexFunc(all, func(c candidate) bool { return c.Name == o.Name }); at >= 0 {
			reason = followerReason(all[at], chosen, byGTID, p)
		}
		if reason == "" {
			plan.Repoint = append(plan.Repoint, o.Name)
		} else {
			plan.Excluded = append(plan.Excluded, failover.Exclusion{Name: o.Name, Reason: reason})
		}
	}
	return plan
}

// qualify tells who may be promoted, and of the others why they may not.
func qualify(all []candidate, p Policy) (eligible []candidate, reasons []string) {
	var errants []candidate
	for _, c := range all {
		reason := disqualified(c, all)
		switch {
		case reason != "":
			reasons = append(reasons, c.Name+" "+reason)
		case c.errant != "":
			errants = append(errants, c)
			reasons = append(reasons, c.Name+" has transactions that the primary never had: "+c.errant)
		default:
			eligible = append(eligible, c)
		}
	}
	if len(eligible) == 0 && p.AllowErrant {
		eligible = errants
	}
	return eligible, reasons
}

// disqualified is why a replica may not be promoted, "" when nothing speaks against it.
func disqualified(c candidate, all []candidate) string {
	switch {
	case c.Rule == failover.MustNot:
		return "must not be promoted"
	case c.link.Error != "":
		return "cannot apply what it has: " + c.link.Error
	case len(c.Links) > 1:
		return "replicates from several sources"
	}
	for _, o := range all {
		if o.Name == c.Name || o.link.Error != "" {
			continue
		}
		if c.Format == failover.FormatNone || !c.LogUpdates {
			return "does not log what it applies, so that no replica could follow it"
		}
		if reason := cannotFollow(o, c); reason != "" {
			return "cannot be followed by " + o.Name + ": " + reason
		}
	}
	return ""
}

// cannotFollow is why a server cannot replicate from another, by version or binary log format; "" when
// it can.
func cannotFollow(replica, source candidate) string {
	if !replica.Flavor.CanReplicateFrom(source.Flavor) {
		return fmt.Sprintf("%s does not read the logs of %s", replica.Flavor, source.Flavor)
	}
	if replica.LogUpdates && replica.Format != failover.FormatNone && replica.Format < source.Format {
		return "its binary log format is lower"
	}
	return ""
}

// followerReason is why a replica cannot follow the new primary, "" when it can. Versions and formats are no reason:
// a candidate that a replica with a working applier could not follow does not qualify.
func followerReason(c, chosen candidate, byGTID bool, p Policy) string {
	switch {
	case c.link.Error != "":
		return "its applier has stopped: " + c.link.Error
	case len(c.Links) > 1:
		return "it replicates from several sources"
	case c.errant != "":
		return "it has transactions that the primary never had: " + c.errant
	case chosen.errant != "":
		return "the new primary has transactions that the old one never had: " + chosen.errant
	case hasMore(c, chosen, byGTID):
		return "it has more than the new primary: " + describe(c, byGTID)
	case !(c.link.GTID && chosen.link.GTID) && !p.FindsPositions:
		return "it does not use GTID, and there is no way to find its position in the new primary's log"
	default:
		return ""
	}
}

// hasMore says whether a has received all that b has, and more. Coordinates are comparable because both
// name places in the dead primary's logs.
func hasMore(a, b candidate, byGTID bool) bool {
	if byGTID {
		return a.link.Received.Contains(b.link.Received) && !b.link.Received.Contains(a.link.Received)
	}
	return a.link.Read.Compare(b.link.Read) > 0
}

func describe(c candidate, byGTID bool) string {
	if byGTID {
		return c.link.Received.String()
	}
	return c.link.Read.String()
}

// preference orders servers with the same data: by rule, then the older version, which more can follow,
// then the lower binary log format for the same reason, then by name.
func preference(a, b candidate) int {
	return cmp.Or(cmp.Compare(a.Rule, b.Rule), a.Flavor.Version.Compare(b.Flavor.Version),
		cmp.Compare(a.Format, b.Format), cmp.Compare(a.Name, b.Name))
}

// errant are transactions of a replica that its primary never had. What the primary itself wrote is left
// out of account: of that, the replica may have more than the manager has seen on the primary.
func errant(o, dead failover.Observation) string {
	if dead.ServerID == 0 {
		return "" // the manager never saw the primary alive
	}
	if o.Flavor.IsMariaDB() {
		return o.Wrote.WithoutServer(dead.ServerID).Minus(dead.Wrote).String()
	}
	return o.Wrote.Without(dead.UUID).Minus(dead.Wrote).String()
}
