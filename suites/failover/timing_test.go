package failover_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

const (
	measuredRounds = 20
	hungRounds     = 5
	// Kills at random moments, in groups that fit into the time of a spec.
	killGroups, killsOfGroup = 10, 10
	// defaultNetTime is the servers' default of slave_net_timeout.
	defaultNetTime = 60 * time.Second
)

var _ = Describe("repeated failovers", func() {
	It(fmt.Sprintf("of %d primaries are timed", measuredRounds), Label(cell.LabelFull), Label(cell.LabelLong), func(ctx SpecContext) {
		measureRounds(ctx, measuredRounds, "", fault.Kill{}, nil)
	})

	It(fmt.Sprintf("of %d hung primaries are timed, with the network time-out of the suite", hungRounds), Label(cell.LabelFull), Label(cell.LabelLong), func(ctx SpecContext) {
		measureRounds(ctx, hungRounds, ", hung", fault.Pause{}, nil)
	})

	It("of a hung primary is timed once, with the servers' default network time-out", Label(cell.LabelFull), Label(cell.LabelLong), polling(), func(ctx SpecContext) {
		name := suitekit.Flavor(sandbox.ProfileDurable).Dialect().ReplicaNetTime
		measureRounds(ctx, 1, ", hung, default time-out", fault.Pause{}, nil, fmt.Sprintf("%s=%.0f", name, defaultNetTime.Seconds()))
	})

	It("with polls of 5 s are timed once, as published for orchestrator 3.0.6 (15 to 20 s)", Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
		measureRounds(ctx, 1, ", polls of 5 s", fault.Kill{}, func(c *embedded.Config) { c.Interval = 5 * time.Second })
	})

	for group := range killGroups {
		It(fmt.Sprintf("with semi-synchronous replication lose no acknowledged write, kills %d to %d", group*killsOfGroup+1, (group+1)*killsOfGroup), Label(cell.LabelFull), polling(), Label(cell.LabelLong), func(ctx SpecContext) {
			lost := 0
			for round := range killsOfGroup {
				s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
				s.round = uint64(group*killsOfGroup + round)
				s.manage(ctx, nil)
				s.write(ctx)
				s.killPrimary(ctx)
				audit := s.waitForFailover(ctx)
				s.finishWrites(ctx)
				c := s.clusterAfter(audit)
				Expect(s.check(ctx, c).Err()).NotTo(HaveOccurred(), "kill %d", s.round+1)
				account, err := s.ledger.Account(ctx, c.primary.Server, table)
				suitekit.NoFault(err)
				Expect(account.Lost).To(BeEmpty(), "kill %d: %s", s.round+1, account)
				lost += len(account.Lost)
				s.end(ctx)
			}
			suitekit.Measure("acknowledged writes lost", "", float64(lost))
		})
	}
})

// measureRounds crashes as many primaries and keeps the median, the 95th percentile and the worst of each
// phase; how, what is otherwise than usual, is added to their names. The fault is of the kind that is given; options are the
// servers'.
func measureRounds(ctx context.Context, rounds int, how string, kind fault.Fault, change func(*embedded.Config), options ...string) {
	GinkgoHelper()
	phases := map[string][]float64{}
	for round := range rounds {
		s := deploy(ctx, topology.Options{GTID: true, Server: options})
		s.round = uint64(round)
		if len(options) > 0 {
			s.patience = recoveryLimit + 2*defaultNetTime // a receiver that is to stop waits for it once more
		}
		s.manage(ctx, change)
		s.write(ctx)
		if _, hangs := kind.(fault.Pause); hangs {
			kind = fault.Pause{Node: s.Primary()}
		} else {
			kind = fault.Kill{Node: s.Primary()}
		}
		s.injectAtRandom(ctx, kind)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.watchers.Wait()
		Expect(s.check(ctx, s.clusterAfter(audit)).Err()).NotTo(HaveOccurred(), "failover %d", round+1)
		for name, at := range map[string]time.Time{"detected": audit.Phases.Detected, "decided": audit.Phases.ReceiversStopped, "promoted": audit.Phases.Writable,
			"first write": s.firstAfter, "all following": s.following} {
			if at.IsZero() {
				continue // not every manager says
			}
			phases[name] = append(phases[name], float64(at.Sub(s.crashed).Microseconds())/1000)
		}
		s.end(ctx)
	}
	for _, name := range []string{"detected", "decided", "promoted", "first write", "all following"} {
		list := phases[name]
		if len(list) == 0 {
			continue
		}
		slices.Sort(list)
		for _, one := range list {
			suitekit.Detail(name+how+", each", "ms", one)
		}
		suitekit.Measure(name+how+", median", "ms", percentile(list, 0.5))
		suitekit.Measure(name+how+", p95", "ms", percentile(list, 0.95))
		suitekit.Measure(name+how+", worst", "ms", list[len(list)-1])
	}
}

// percentile is the smallest value of a sorted list that at least this part of it does not exceed.
func percentile(sorted []float64, part float64) float64 {
	return sorted[max(0, int(math.Ceil(part*float64(len(sorted))))-1)]
}
