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
// acknowledge, at least N-K+1 must have been stopped. "" when so many are.
func mayLose(s failover.State, p Policy, dead failover.Observation) string {
	if !dead.SemiSync || p.quorumless {
		return ""
	}
	var missing []string
	for _, o := range s.Servers {
		if !o.Reachable && mayAcknowledge(s, o, dead) {
			missing = append(missing, o.Name)
		}
	}
	needed := max(dead.WaitsFor, 1)
	if len(missing) < needed {
		return ""
	}
	names := strings.Join(missing, ", ")
	return fmt.Sprintf("acknowledged writes may be lost: a commit of %s waits for %d acknowledgements, and that many may come from servers that do not answer (%s): "+
		"what they have acknowledged no other server need have. Start %s, or %s; or allow the loss", dead.Name, needed, names, names, dead.Name)
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
