package failover_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("a new semi-synchronous primary", func() {
	It("with one replica left of the two that commits waited for, takes writes", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploySemiSyncCount(ctx)
		s.manage(ctx, nil)
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		account := s.expectAfterFailover(ctx, audit)
		Expect(account.Lost).To(BeEmpty(), account.String())
		Expect(s.waitsForReplicas(ctx, audit.Plan.Promote)).To(BeTrue(), "the new primary does not wait for its replica")
	})

	It("whose only replica is asynchronous, takes writes", inPRTier(fastManagers), func(ctx SpecContext) {
		s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
		replica2 := s.named("replica2").Server
		suitekit.NoFault(replica2.Exec(ctx, "SET GLOBAL "+replica2.Dialect.SemiSync.ReplicaEnabled+" = 0"))
		suitekit.NoFault(replica2.StopIOThread(ctx, ""))
		suitekit.NoFault(replica2.StartReplica(ctx, ""))
		s.waitForReceivers(ctx)
		s.manage(ctx, func(c *embedded.Config) { prefer(c, "replica1") })
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		account := s.expectAfterFailover(ctx, audit)
		Expect(account.Lost).To(BeEmpty(), account.String())
	})
})

// deploySemiSyncCount is a star of three whose primary waits for both replicas.
func deploySemiSyncCount(ctx SpecContext) *fixture {
	GinkgoHelper()
	name := suitekit.Flavor(sandbox.ProfileDurable).Dialect().SemiSync.WaitCount
	if name == "" {
		suitekit.Unsupported("commits wait for one replica here, whatever is configured")
	}
	return deploy(ctx, topology.Options{GTID: true, SemiSync: true, Server: []string{name + "=2"}})
}
