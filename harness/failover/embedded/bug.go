package embedded

import (
	"slices"

	"mysqlmatrix/harness/failover"
)

// bug is a fault in the manager. Only a build with the tag planted can set one.
type bug uint8

// The bugs. The zero value is none.
const (
	noBug           bug = iota
	promoteTheOther     // promotes a replica that is to follow, and has the chosen one follow
	believeNobody       // takes a primary that it cannot reach for dead, whatever the replicas say
	forgetFollowers     // repoints no replica
)

// decide is Decide, unless a bug is planted.
func (c *Config) decide(s failover.State) failover.Plan {
	if c.planted == believeNobody {
		s = withoutWitnesses(s)
	}
	plan := Decide(s, c.Policy)
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
