package embedded

import (
	"fmt"
	"slices"
	"strings"

	"mysqlmatrix/harness/failover"
)

// mayLose is why no replica may be promoted under semi-synchronous replication, though none is seen to have more: so many replicas
// do not answer that they alone may acknowledge a commit. They may have done so since they were last asked, and do it again when
// they and the old primary wake up or are connected again: their receivers were not stopped. Of N replicas of which K have to
// acknowledge, at least N-K+1 must have been stopped. One that was started again and begins with empty relay logs counts as one
// that does not answer: it may have acknowledged what it has no more. "" when so many are.
func mayLose(s failover.State, p Policy, dead failover.Observation) string {
	if !dead.SemiSync || p.quorumless {
		return ""
	}
	var missing, emptied []string
	for _, o := range s.Servers {
		switch {
		case !o.Reachable && mayAcknowledge(s, o, dead):
			missing = append(missing, o.Name)
		case o.Reachable && mayHaveForgotten(o, dead):
			emptied = append(emptied, o.Name)
		}
	}
	needed := max(dead.WaitsFor, 1)
	if len(missing)+len(emptied) < needed {
		return ""
	}
	var who, remedy []string
	if len(missing) > 0 {
		who = append(who, "do not answer ("+strings.Join(missing, ", ")+")")
		remedy = append(remedy, strings.Join(missing, ", "))
	}
	if len(emptied) > 0 {
		who = append(who, "were started again with empty relay logs ("+strings.Join(emptied, ", ")+")")
	}
	return fmt.Sprintf("acknowledged writes may be lost: a commit of %s waits for %d acknowledgements, and that many may have come from servers that %s: "+
		"what they have acknowledged no other server need have. Start %s; or allow the loss", dead.Name, needed, strings.Join(who, " or "), strings.Join(append(remedy, dead.Name), ", or "))
}

// mayHaveForgotten says whether a replica may have acknowledged a dead primary's commits and have them no more: it died after the
// primary was last asked, and was started again without its relay logs.
func mayHaveForgotten(o, dead failover.Observation) bool {
	_, replica := o.LinkTo(dead.Addr)
	return replica && o.Acknowledges && o.DropsRelayLogs && !o.Restarted.IsZero() && !o.Restarted.Before(dead.At)
}

// mayAcknowledge says whether a server that does not answer may acknowledge a dead primary's commits, or have done so. It is one of
// those that acknowledge, was connected, or was never seen.
func mayAcknowledge(s failover.State, o, dead failover.Observation) bool {
	if o.Name == dead.Name {
		return false
	}
	_, replica := o.LinkTo(dead.Addr)
	// A primary that was replaced is known to have followed nobody; a link says that it was rebuilt since.
	never := o.At.IsZero() && s.Replaced[o.Name] == ""
	connected := slices.Contains(dead.Serves, o.ServerID) || never && servesStrangers(s, dead)
	if !connected && wasGone(o, dead) {
		return false
	}
	return replica && o.Acknowledges || never || connected
}

// wasGone says whether a server had stopped answering before its primary did, so that it has acknowledged nothing since the primary
// was last asked whom it serves; and the process of the primary has ended, so that it will not wake up and be acknowledged.
func wasGone(o, dead failover.Observation) bool { return dead.Gone && o.Since.Before(dead.At) }

// servesStrangers says whether a replica was connected to a primary that is none of the servers that were seen.
func servesStrangers(s failover.State, primary failover.Observation) bool {
	return slices.ContainsFunc(primary.Serves, func(id uint64) bool {
		return !slices.ContainsFunc(s.Servers, func(o failover.Observation) bool { return o.ServerID == id })
	})
}
