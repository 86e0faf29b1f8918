package embedded

import (
	"slices"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/flavor"
)

// status is a member's part in the cluster, as the manager has left it.
type status uint8

// The statuses. The zero value is that of a member that nothing has happened to.
const (
	active    status = iota // the primary, or a replica
	demoted                 // a primary that was replaced, and has not been considered since it came back
	rejoining               // it is being attached to the new primary
	excluded                // a replaced primary that has come back and may not follow the new one
	returned                // it follows the new primary, while some of those that are to follow that as well have not answered since
)

// standing is a member's status and, of one that is not active, by whom it was replaced.
type standing struct {
	status status
	by     string // name of the new primary
	// link is the new primary's link to this server when it was promoted: what it had received of it.
	link  failover.Link
	style flavor.GTIDStyle // of the sets in link
	// absent are the servers that did not answer when it was replaced, and have not since: replicas of it among them are to follow
	// the new primary, and not it.
	absent []string
}

// standings are those of all members, by name. The methods are the only transitions:
//
//	active → demoted → rejoining → returned → active
//	            └──────────┴─────→ excluded → active, when it was rebuilt
//	any → active, when the member is promoted
type standings map[string]standing

// replaced says whether a server was a primary that another one was promoted for.
func (s standings) replaced(name string) bool {
	return s[name].status != active && s[name].status != returned
}

// promote makes one server the primary in place of another.
func (s standings) promote(name, inPlaceOf string, link failover.Link, style flavor.GTIDStyle, absent []string) {
	s[inPlaceOf] = standing{status: demoted, by: name, link: link, style: style, absent: absent}
	delete(s, name)
}

// rejoin says that a replaced primary is being attached to the new one.
func (s standings) rejoin(name string) { s.set(name, rejoining) }

// exclude keeps a replaced primary out of the cluster.
func (s standings) exclude(name string) { s.set(name, excluded) }

// activate makes a replaced primary that follows the new one a replica like others.
func (s standings) activate(name string) {
	if len(s[name].absent) > 0 {
		s.set(name, returned)
		return
	}
	delete(s, name)
}

// came says that a server that was absent when a primary was replaced has answered, and is where it is to be.
func (s standings) came(name, replaced string) {
	one, ok := s[replaced]
	if !ok {
		return
	}
	one.absent = slices.DeleteFunc(slices.Clone(one.absent), func(absent string) bool { return absent == name })
	s[replaced] = one
	if one.status == returned {
		s.activate(replaced)
	}
}

// successors are the replaced primaries, by name, with the name of the new primary.
func (s standings) successors() map[string]string {
	by := map[string]string{}
	for name, one := range s {
		if s.replaced(name) {
			by[name] = one.by
		}
	}
	return by
}

func (s standings) set(name string, to status) {
	if one, ok := s[name]; ok {
		one.status = to
		s[name] = one
	}
}
