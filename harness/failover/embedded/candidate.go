package embedded

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// candidate is a replica of the dead primary.
type candidate struct {
	failover.Observation
	link   failover.Link
	errant server.GTIDSet // transactions that the primary never had
	// unclear says that it replicates from other sources as well, and it is not known which transactions are theirs.
	unclear bool
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
		c := candidateOf(s, o, link, dead)
		if o.Name == ring {
			c.errant = server.GTIDSet{} // a primary as well: it writes of its own right
		}
		all = append(all, c)
	}
	eligible, reasons := qualify(all, s, p, dead)
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
	slices.SortFunc(best, p.preference)
	chosen := best[0]
	if reason := cmp.Or(wouldLose(s, p, chosen, all, byGTID, dead), mayLose(s, p, dead)); reason != "" && !p.AllowLoss {
		plan.Reason = reason + passedOver(reasons)
		return plan
	}
	plan.Action, plan.Promote = failover.Promote, chosen.Name
	for _, c := range best[1:] {
		plan.Alternatives = append(plan.Alternatives, c.Name)
	}
	plan.Reason = fmt.Sprintf("%s is dead: %s; no replica receives from it; no replica that may be promoted has more data than %s (%s), rule %s%s",
		dead.Name, dead.Error, chosen.Name, describe(chosen, byGTID), chosen.Rule, passedOver(reasons))
	plan.Repoint, plan.Excluded = followers(s, p, dead, all, chosen, byGTID)
	return plan
}

func passedOver(reasons []string) string {
	if len(reasons) == 0 {
		return ""
	}
	return "; not to be promoted: " + strings.Join(reasons, "; ")
}

// followers are the replicas of the dead primary that can follow the chosen one, and those that cannot.
func followers(s failover.State, p Policy, dead failover.Observation, all []candidate, chosen candidate, byGTID bool) (repoint []string, excluded []failover.Exclusion) {
	for _, o := range s.Servers {
		if _, ok := o.LinkTo(dead.Addr); !ok || o.Name == chosen.Name {
			continue // below another server: it stays there
		}
		reason := "it does not answer: " + o.Error
		if at := slices.IndexFunc(all, func(c candidate) bool { return c.Name == o.Name }); at >= 0 {
			reason = followerReason(all[at], chosen, byGTID, p)
		}
		if reason == "" {
			repoint = append(repoint, o.Name)
		} else {
			excluded = append(excluded, failover.Exclusion{Name: o.Name, Reason: reason})
		}
	}
	return repoint, excluded
}

// wouldLose is why no replica may be promoted under semi-synchronous replication: one has acknowledged what the best candidate
// lacks, be it that it answers, does not answer, or has lost it since. "" when none has.
func wouldLose(s failover.State, p Policy, chosen candidate, all []candidate, byGTID bool, dead failover.Observation) string {
	if !dead.SemiSync || p.forgets {
		return ""
	}
	for _, o := range s.Servers {
		link, replica := o.LinkTo(dead.Addr)
		if !replica || !o.Acknowledges || !byGTID || !o.Flavor.ReceivesWholeTransactions() {
			continue
		}
		had, how := o.Lost, "and has it no more: its relay logs are gone; start the old primary"
		if !o.Reachable {
			had, how = o.Received(), "and does not answer: start it, or the old primary"
		}
		// What the primary was not seen to have committed may never have been acknowledged.
		if gone := intersection(had, dead.Executed).Minus(chosen.link.Received).Minus(chosen.Executed); link.GTID && !gone.IsEmpty() {
			return fmt.Sprintf("acknowledged writes would be lost: %s had received %s, which %s, the best candidate, lacks, %s", o.Name, gone, chosen.Name, how)
		}
	}
	for _, c := range all {
		if c.Acknowledges && hasMore(c, chosen, byGTID) {
			return fmt.Sprintf("acknowledged writes would be lost: %s has received %s, and %s, the best candidate, only %s",
				c.Name, describe(c, byGTID), chosen.Name, describe(chosen, byGTID))
		}
	}
	return ""
}

func intersection(a, b server.GTIDSet) server.GTIDSet { return a.Minus(a.Minus(b)) }

// writtenBy is the part of a set that a server has written.
func writtenBy(o failover.Observation, set server.GTIDSet) server.GTIDSet {
	if o.Flavor.IsMariaDB() {
		return set.Minus(set.WithoutServer(o.ServerID))
	}
	return set.Minus(set.Without(o.UUID))
}

// candidateOf is a replica of a primary as one that may be promoted, or may follow who is.
func candidateOf(s failover.State, o failover.Observation, link failover.Link, dead failover.Observation) candidate {
	c := candidate{Observation: o, link: link, errant: errant(o, dead)}
	if len(o.Links) > 1 {
		return c.ofOneSource(s, dead)
	}
	return c
}

// ofOneSource is a replica of several sources as one of the dead primary's: without what it has of the others.
func (c candidate) ofOneSource(s failover.State, dead failover.Observation) candidate {
	for _, l := range c.Links {
		if l.Source == dead.Addr {
			continue
		}
		other, ok := observationAt(s, l.Source)
		if !ok || !other.Reachable || !l.GTID {
			c.unclear = true
			continue
		}
		// The replica may have received more since the other one was asked.
		theirs := other.Executed.Union(other.Wrote).Union(writtenBy(other, l.Received))
		c.errant = c.errant.Minus(theirs)
		c.link.Received = c.link.Received.Minus(theirs)
	}
	return c
}

// qualify tells who may be promoted, and of the others why they may not.
func qualify(all []candidate, s failover.State, p Policy, dead failover.Observation) (eligible []candidate, reasons []string) {
	var errants []candidate
	for _, c := range all {
		reason := disqualified(c, all, dead)
		if failed, ok := s.Failed[c.Name]; ok {
			reason = "could not be promoted: " + failed
		}
		switch {
		case reason != "":
			reasons = append(reasons, c.Name+" "+reason)
		case !c.errant.IsEmpty():
			errants = append(errants, c)
			reasons = append(reasons, c.Name+" has transactions that the primary never had: "+c.errant.String())
		default:
			eligible = append(eligible, c)
		}
	}
	if len(eligible) == 0 && p.AllowErrant {
		eligible = errants
	}
	return eligible, reasons
}

// followerReason is why a replica cannot follow the new primary, "" when it can. Versions and formats are no reason:
// a candidate that a replica with a working applier could not follow does not qualify.
func followerReason(c, chosen candidate, byGTID bool, p Policy) string {
	switch {
	case c.link.Error != "":
		return "its applier has stopped: " + c.link.Error
	case len(c.Links) > 1 && (c.unclear || !c.link.GTID || !chosen.link.GTID):
		return fmt.Sprintf("it replicates from several sources, and what it has of each is known only when it uses GTID and all of them answer: move its channel %q to the new primary by hand, from where its data is; the others go on", c.link.Channel)
	case !c.errant.IsEmpty():
		return "it has transactions that the primary never had: " + c.errant.String()
	case !chosen.errant.IsEmpty():
		return "the new primary has transactions that the old one never had: " + chosen.errant.String()
	case hasMore(c, chosen, byGTID):
		return "it has more than the new primary: " + describe(c, byGTID)
	case !p.believes && c.link.GTID && chosen.link.GTID && !c.link.Received.Contains(chosen.Purged):
		return "the new primary has purged transactions that it has not received: " + chosen.Purged.Minus(c.link.Received).String()
	case !(c.link.GTID && chosen.link.GTID) && !p.FindsPositions:
		return "it does not use GTID, and there is no way to find its position in the new primary's log"
	default:
		return ""
	}
}

// hasMore says whether a has received all that b has, and more. Coordinates are comparable because both
// name positions in the dead primary's logs. What the primary never had does not count.
func hasMore(a, b candidate, byGTID bool) bool {
	if byGTID {
		received := a.link.Received.Minus(a.errant)
		return received.Contains(b.link.Received.Minus(b.errant)) && !b.link.Received.Contains(received)
	}
	return a.link.Read.Compare(b.link.Read) > 0
}

func describe(c candidate, byGTID bool) string {
	if byGTID {
		return c.link.Received.String()
	}
	return c.link.Read.String()
}

// readySoon is how many received transactions a replica may have left to apply and still count as ready: an applier that
// keeps up has a few.
const readySoon = 500

// slow says whether a replica needs long to apply what it has received: it applies late by configuration, its applier was
// stopped, or it is far behind.
func (c candidate) slow() bool {
	left := c.left()
	return left > 0 && (c.link.Delay > 0 || c.link.Apply == failover.Stopped || left > readySoon)
}

// left is how many received transactions are not applied; without GTID 1 when there are any.
func (c candidate) left() uint64 {
	if c.link.GTID {
		return c.link.Received.Minus(c.Executed).Count()
	}
	if c.link.Applied.Compare(c.link.Read) < 0 && !c.link.Drained {
		return 1
	}
	return 0
}

// preference orders servers with the same data: those that take writes soon, then by rule, then those whose commits can
// wait for replicas, then the older version, which more can follow, then the lower binary log format for the same reason,
// then the one with the least to apply. The server id is last, so that the choice does not depend on the order of servers.
func (p Policy) preference(a, b candidate) int {
	no := func(is bool) int {
		if is {
			return 0
		}
		return 1
	}
	if p.byName {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Name, b.Name))
	}
	return cmp.Or(cmp.Compare(no(!a.slow()), no(!b.slow())), cmp.Compare(a.Rule, b.Rule), cmp.Compare(no(a.CanWait), no(b.CanWait)),
		a.Flavor.Version.Compare(b.Flavor.Version), cmp.Compare(a.Format, b.Format), cmp.Compare(a.left(), b.left()),
		cmp.Compare(a.ServerID, b.ServerID), cmp.Compare(a.Name, b.Name))
}

// errant are transactions of a replica that its primary never had. What the primary itself wrote is left
// out of account: of that, the replica may have more than the manager has seen on the primary.
func errant(o, dead failover.Observation) server.GTIDSet {
	if dead.ServerID == 0 {
		return server.GTIDSet{} // the manager never saw the primary alive
	}
	if o.Flavor.IsMariaDB() {
		// A primary that was restored from a backup has in its binary log state none of what was written before: what
		// other servers wrote up to the position that it was restored at is in its data.
		return o.Wrote.WithoutServer(dead.ServerID).Minus(dead.Wrote).Minus(o.Wrote.RestoredAt(dead.Applied, dead.Wrote, o.ServerID))
	}
	return o.Wrote.Without(dead.UUID).Minus(dead.Wrote)
}
