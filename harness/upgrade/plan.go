package upgrade

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// Plan is what an upgrade does, node by node: made from the ways, the versions and a seed, and printed before it runs.
type Plan struct {
	From, To flavor.Flavor
	Steps    []Step
	Refused  string // why there are no steps
	Seed     uint64
	Ways     []WayPlan
}

// WayPlan is one way of upgrading.
type WayPlan struct {
	Way       string   `json:"way"`
	Supported bool     `json:"supported"` // by the vendor
	Why       string   `json:"why,omitempty"`
	Actions   []string `json:"actions"`
}

// NewPlan plans the ways from one server over others to the last. servers are all of them, in order; replicas is how many there
// are below the primary on the rolling way.
func NewPlan(servers []flavor.Flavor, ways []string, replicas int, seed uint64) Plan {
	from, to := servers[0], servers[len(servers)-1]
	p := Plan{From: from, To: to, Seed: seed}
	steps, err := Steps(from, to)
	if p.Steps = steps; err != nil {
		p.Refused = err.Error()
	}
	direct := len(servers) == 2
	for _, way := range ways {
		w := WayPlan{Way: way, Supported: err == nil}
		switch {
		case way == WayLogical:
			w.Supported = true
		case err != nil:
			w.Why = err.Error()
		case direct && len(steps) > 1:
			w.Supported = false
			w.Why = fmt.Sprintf("its vendor supports it only by %s (%s)", Path(steps), mysqlPaths)
		}
		w.Actions = p.actions(way, servers, replicas)
		p.Ways = append(p.Ways, w)
	}
	return p
}

func (p Plan) actions(way string, servers []flavor.Flavor, replicas int) []string {
	from, to := servers[0], servers[len(servers)-1]
	switch way {
	case WayLogical:
		return []string{fmt.Sprintf("load the dump on %s", from), fmt.Sprintf("load the dump on %s", to), "compare"}
	case WayInPlace:
		list := []string{fmt.Sprintf("load the dump on %s, shut it down cleanly (innodb_fast_shutdown=0), keep its data directory", from)}
		for _, f := range servers[1:] {
			list = append(list, fmt.Sprintf("start %s on a copy of it, %s", f, upgradeProgram(f)))
		}
		return append(list, "compare", fmt.Sprintf("way back: the data directory that was kept; if %s does not start, %s starts again on what it has left", to, from))
	case WayReplica:
		list := []string{fmt.Sprintf("primary: %s, empty", from)}
		for i, f := range servers[1:] {
			list = append(list, fmt.Sprintf("replica%d: %s, replicates from the one before", i+1, f))
		}
		return append(list, "load the dump on the primary", "wait until the last replica has applied it, promote it", "compare")
	case WayRolling:
		return p.rolling(servers, replicas)
	}
	return nil
}

// rolling is the plan of the rolling way, with the names that nodes keep when another becomes the primary.
func (p Plan) rolling(servers []flavor.Flavor, replicas int) []string {
	list := []string{fmt.Sprintf("star:%d of %s, load the dump, a writer writes to the primary", replicas, servers[0])}
	nodes := []string{"primary"}
	for i := range replicas {
		nodes = append(nodes, fmt.Sprintf("replica%d", i+1))
	}
	primary := nodes[0]
	order := ReplicaOrder(p.Seed, replicas)
	for i, f := range servers[1:] {
		var below []string
		for _, n := range nodes {
			if n != primary {
				below = append(below, n)
			}
		}
		for _, r := range order {
			list = append(list, fmt.Sprintf("%s: in place to %s, catch up", below[r], f))
		}
		next := below[order[0]]
		list = append(list, fmt.Sprintf("switchover: %s read-only, %s catches up and is promoted, the writer goes on there", primary, next),
			fmt.Sprintf("way back up to here: %s is still %s", primary, servers[i]),
			fmt.Sprintf("%s: in place to %s, replicates from %s", primary, f, next))
		primary = next
	}
	return append(list, "compare every node with the writer's ledger, and the new primary with the old version")
}

// ReplicaOrder is the order in which n replicas are upgraded.
func ReplicaOrder(seed uint64, n int) []int { return rand.New(rand.NewPCG(seed, 0)).Perm(n) }

// upgradeProgram says who brings the system tables up to date.
func upgradeProgram(f flavor.Flavor) string {
	switch {
	case f.IsMariaDB():
		return "mariadb-upgrade"
	case f.MinMySQL(8, 0, 16):
		return "which upgrades its system tables by itself"
	}
	return "mysql_upgrade"
}

// String is the plan for people.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "upgrade %s → %s, seed %d\n", p.From, p.To, p.Seed)
	if p.Refused != "" {
		fmt.Fprintf(&b, "rule: %s\n", p.Refused)
	} else {
		fmt.Fprintf(&b, "rule: %s (%s)\n", Path(p.Steps), p.Steps[0].Source)
	}
	for _, w := range p.Ways {
		mark := ""
		if !w.Supported {
			mark = ", not supported by the vendor"
		}
		fmt.Fprintf(&b, "%s%s:\n", w.Way, mark)
		for i, a := range w.Actions {
			fmt.Fprintf(&b, "  %d. %s\n", i+1, a)
		}
	}
	return b.String()
}
