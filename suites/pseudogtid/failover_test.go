package pseudogtid_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = describe("Failover by Pseudo-GTID under load", func() {
	It("leaves every replica with the same rows, twice", func(ctx SpecContext) { failovers(ctx, 2) })
	It("leaves every replica with the same rows, twenty times", Label(cell.LabelFull), func(ctx SpecContext) { failovers(ctx, 20) })
})

// failovers kills the primary of a fresh star so many times.
func failovers(ctx SpecContext, times int) {
	GinkgoHelper()
	refused := 0
	for range times {
		refused += failOver(ctx)
	}
	suitekit.Detail("failovers", "", float64(times))
	suitekit.Detail("replicas not moved", "", float64(refused))
	Expect(refused).To(BeZero())
}

func failOver(ctx SpecContext) (refused int) {
	GinkgoHelper()
	s := deployOwn(ctx, "star:2", topology.Options{})
	injector := s.injecting(ctx)
	s.write(ctx)
	Expect(s.Nodes[0].Sandbox.Kill()).To(Succeed())
	_ = injector.Stop() // it met the kill
	group, err := pseudogtid.Matcher{}.Regroup(ctx, s.servers(1, 2), s.endpoint)
	Expect(err).NotTo(HaveOccurred())
	for one, why := range group.Refused {
		AddReportEntry("refused", one.Endpoint.Addr()+": "+why.Error())
	}
	root := 1
	if group.Primary == s.at(2) {
		root = 2
	}
	Expect(s.at(root).ResetReplica(ctx, "")).To(Succeed())
	Expect(s.at(root).SetReadOnly(ctx, false)).To(Succeed())
	s.root, s.source = root, map[int]int{3 - root: root}
	again := s.injecting(ctx)
	// Replication is asynchronous: what the dead primary alone had is lost, a writer's row with it, and so the
	// writers rest. The two that are left agree on everything else.
	_ = s.load.Stop()
	for i := range 20 {
		s.set(ctx, root, i+1, 77)
	}
	Expect(again.Stop()).To(Succeed())
	s.caughtUp(ctx)
	Expect(s.compare(ctx, 1, 2)).To(BeEmpty())
	differences, err := s.ledger.Verify(ctx, s.at(root), table)
	suitekit.NoFault(err)
	for _, one := range differences {
		Expect(one.Lost || one.Want == "no row: it was deleted").To(BeTrue(), one.Got)
	}
	Expect(s.Close()).To(Succeed())
	return len(group.Refused)
}
