package embedded

import (
	"slices"

	"mysqlmatrix/harness/failover"
)

// bug is a fault in the manager. Only a build with the tag planted can set one.
type bug uint8

// The bugs. The zero value is none.
const (
	noBug                 bug = iota
	promoteTheOther           // promotes a replica that is to follow, and has the chosen one follow
	believeNobody             // takes a primary that it cannot reach for dead, whatever the replicas say
	forgetFollowers           // repoints no replica
	chooseByName              // prefers the first name among candidates with the same data
	trustStoppedReceivers     // takes a receiver that was stopped by hand for a witness of death
	stopReceiverFirst         // stops the receiver of a replica before it starts its applier
	skipSemiSyncCounts        // has commits wait for as many replicas as before, whoever is left
	believeFirstYes           // takes a receiver that runs for proof that it receives
	fencePolitely             // waits for commits of a replaced primary that wait for acknowledgements
	forgetTLS                 // points replicas anew without TLS
	forgetDemoted             // does not know which primaries a manager before it has replaced
	replaceAgain              // promotes another replica in place of a primary that was replaced already
	forgetReceived            // promotes a replica that lacks what it, or one that is gone, had acknowledged
	forgetMissing             // promotes a replica though others that do not answer may acknowledge the old primary's commits
	ignoreOthers              // does not look at the other sources of a replica of several
	forgetUnfinished          // does not go on with what a manager before it was doing
)

// decide is Decide, unless a bug is planted.
func (c *Config) decide(s failover.State) failover.Plan {
	if c.planted == believeNobody {
		s = withoutWitnesses(s)
	}
	policy := c.Policy
	policy.byName, policy.believes, policy.forgets = c.planted == chooseByName, c.planted == believeFirstYes, c.planted == forgetReceived
	if c.planted == ignoreOthers {
		s = withOneSource(s)
	}
	if c.planted == trustStoppedReceivers {
		s = withLostSources(s)
	}
	policy.again, policy.quorumless = c.planted == replaceAgain, c.planted == forgetMissing
	plan := Decide(s, policy)
	switch {
	case c.planted == forgetFollowers:
		plan.Repoint = nil
	case c.planted == promoteTheOther && plan.Action == failover.Promote && len(plan.Repoint) > 0:
		plan.Promote, plan.Repoint[0] = plan.Repoint[0], plan.Promote
	}
	return plan
}

// withoutWitnesses is a state in which no replica still replicates.
func withoutWitnesses(s failover.State) failover.State {
	s.Servers = slices.Clone(s.Servers)
	for i, o := range s.Servers {
		s.Servers[i].Links = slices.Clone(o.Links)
		for j := range o.Links {
			s.Servers[i].Links[j].Fetch = failover.Connecting
		}
	}
	return s
}

// withLostSources is a state in which each stopped receiver has lost its source.
func withLostSources(s failover.State) failover.State {
	s.Servers = slices.Clone(s.Servers)
	for i, o := range s.Servers {
		s.Servers[i].Links = slices.Clone(o.Links)
		for j, l := range o.Links {
			s.Servers[i].Links[j].Lost = l.Lost || l.Fetch == failover.Stopped
		}
	}
	return s
}

// withOneSource is a state in which a replica of several sources has its first one only.
func withOneSource(s failover.State) failover.State {
	s.Servers = slices.Clone(s.Servers)
	for i, o := range s.Servers {
		if len(o.Links) > 1 {
			s.Servers[i].Links = o.Links[:1]
		}
	}
	return s
}
