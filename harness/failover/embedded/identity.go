package embedded

import (
	"slices"

	"mysqlmatrix/harness/failover"
)

// identify gives each link the address of its source as the manager knows it. A replica may name its source otherwise: by a
// host name, an alias, an IPv6 address or a proxy. Who it is says its server_uuid, or else its server_id.
func identify(servers []failover.Observation) {
	for i, o := range servers {
		servers[i].Links = slices.Clone(o.Links)
		for j, l := range o.Links {
			if slices.ContainsFunc(servers, func(s failover.Observation) bool { return s.Addr == l.Source }) {
				continue
			}
			at := slices.IndexFunc(servers, func(s failover.Observation) bool {
				if s.Name == o.Name || s.ServerID == 0 {
					return false
				}
				if s.UUID != "" && l.SourceUUID != "" {
					return s.UUID == l.SourceUUID
				}
				return s.ServerID == l.SourceID
			})
			if at >= 0 {
				servers[i].Links[j].Source = servers[at].Addr
			}
		}
	}
}
