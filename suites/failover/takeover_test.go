package failover_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// takeoverLimit is how long a takeover that cannot be done may take until it says so.
const takeoverLimit = 30 * time.Second

var _ = Describe("a planned takeover under load", func() {
	It("loses no write, and the old primary becomes a replica", inPRTier(fastManagers), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		s.takeOver(ctx, "replica1")
	})

	It("with semi-synchronous replication, loses no write", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
		s.manage(ctx, nil)
		s.write(ctx)
		s.takeOver(ctx, "replica1")
		Expect(s.waitsForReplicas(ctx, "replica1")).To(BeTrue(), "the new primary does not wait for its replicas")
	})

	It("with commits that wait for two replicas, loses no write", Label(cell.LabelFull), func(ctx SpecContext) {
		name := suitekit.Flavor(sandbox.ProfileDurable).Dialect().SemiSync.WaitCount
		if name == "" {
			suitekit.Unsupported("commits wait for one replica here, whatever one wants")
		}
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true, Shape: topology.MustShape("star:3"), Server: []string{name + "=2"}})
		s.manage(ctx, nil)
		s.write(ctx)
		s.takeOver(ctx, "replica1")
		Expect(s.waitsForReplicas(ctx, "replica1")).To(BeTrue(), "the new primary does not wait for its replicas")
		Expect(s.named("replica1").Server.Variable(ctx, name)).To(Equal("2"))
	})

	It("behind a table lock fails within its limit, and writes go on", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true})
		s.manage(ctx, nil)
		s.write(ctx)
		suitekit.NoFault(s.Primary().Server.Exec(ctx, "CREATE TABLE "+aside.String()+" (id BIGINT PRIMARY KEY)"))
		unlock := s.lockTable(ctx, s.Primary(), aside)
		limited, cancel := context.WithTimeout(ctx, takeoverLimit)
		defer cancel()
		err := s.manager.(failover.Switcher).Takeover(limited, "replica1")
		suitekit.NoFault(unlock())
		Expect(limited.Err()).NotTo(HaveOccurred(), "the takeover has not given up after %s", takeoverLimit)
		if err == nil { // a server that does not wait for such locks
			s.finishWrites(ctx)
			s.expectCluster(ctx, cluster{primary: s.named("replica1")})
			return
		}
		s.finishWrites(ctx)
		s.expectCluster(ctx, cluster{primary: s.Primary()})
	})

	It("by a replica that cannot wait for acknowledgements is refused, and writes go on", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
		s.removeSourcePlugin(ctx, "replica1")
		s.manage(ctx, nil)
		s.write(ctx)
		Expect(s.manager.(failover.Switcher).Takeover(ctx, "replica1")).NotTo(Succeed())
		s.finishWrites(ctx)
		s.expectCluster(ctx, cluster{primary: s.Primary()})
	})
})

// takeOver makes a replica the primary while the application writes, and judges what is there then. Nodes that are excluded do
// not follow it.
func (s *fixture) takeOver(ctx SpecContext, to string, excluded ...string) {
	GinkgoHelper()
	switcher, ok := s.manager.(failover.Switcher)
	Expect(ok).To(BeTrue(), "the manager knows no planned takeover")
	Expect(switcher.Takeover(ctx, to)).To(Succeed())
	s.finishWrites(ctx)
	s.watchers.Wait()
	s.mu.Lock()
	suitekit.Measure("time without a write", "ms", float64(s.firstAfter.Sub(s.lastBefore).Microseconds())/1000)
	s.mu.Unlock()
	account := s.expectCluster(ctx, cluster{primary: s.named(to), excluded: excluded})
	Expect(account.Lost).To(BeEmpty(), account.String())
}
