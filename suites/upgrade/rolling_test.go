package upgrade_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/upgrade"
)

// upgraded upgrades a node in place.
func upgraded(ctx context.Context, n *topology.Node) {
	GinkgoHelper()
	Expect(upgrade.Install(ctx, n, suitekit.Golden(sandbox.ProfileDurable))).To(Succeed(), n.Name+" starts as the new version")
	upgradeSystemTables(ctx, n.Sandbox)
}

var _ = func() bool {
	for _, p := range predecessors {
		Describe("a star:2 of "+p.what+" under load", p.labels, func() { describeRolling(p) })
	}
	return true
}()

func describeRolling(p predecessor) {
	It("loses no acknowledged write and no object when it is upgraded node by node, the primary last", func(ctx SpecContext) {
		from, to := p.server(), suitekit.Golden(sandbox.ProfileDurable)
		gtid := from.Capabilities[flavor.CapGTID] && to.Capabilities[flavor.CapGTID]
		t := suitekit.Deploy(ctx, sandbox.ProfileDurable, topology.Options{Shape: topology.MustShape("star:2"), GTID: gtid,
			Server: []string{"event_scheduler=OFF", "loose-log_bin_trust_function_creators=1"}, Golden: map[int]*sandbox.Golden{0: from, 1: from, 2: from}})
		primary, replicas := t.Primary(), t.Replicas()
		suitekit.NoFault(upgrade.Load(ctx, primary.Sandbox, source()))
		suitekit.NoFault(t.WaitCaughtUp(ctx))
		writer, err := upgrade.NewWriter(ctx, primary.Server.Endpoint)
		suitekit.NoFault(err)
		stop := func() error { return writer.Stop() }
		DeferCleanup(stop)

		order := upgrade.ReplicaOrder(uint64(suitekit.Cell().Seed), len(replicas))
		for _, i := range order {
			suitekit.NoFault(replicas[i].Server.StopReplica(ctx, ""))
			upgraded(ctx, replicas[i])
			Expect(upgrade.CaughtUp(ctx, primary, replicas[i])).To(Succeed(), "a newer replica follows the older primary")
		}
		next := replicas[order[0]]
		suitekit.NoFault(primary.Server.SetReadOnly(ctx, true))
		for _, n := range replicas {
			Expect(upgrade.CaughtUp(ctx, primary, n)).To(Succeed())
		}
		suitekit.NoFault(upgrade.Promote(ctx, next.Server))
		suitekit.NoFault(upgrade.PointTo(ctx, replicas[order[1]], next, gtid))
		writer.Move(next.Server.Endpoint)
		// What a vendor does not support is tried, and told: it decides nothing.
		arrived, err := upgrade.Reverse(ctx, primary.Server, next.Server, gtid)
		AddReportEntry("the way back by replication, from the new primary to the old one", fmt.Sprintf("%d rows arrived; error: %v", arrived, err))
		suitekit.Detail("rows that arrived on the way back", "", float64(arrived))
		upgraded(ctx, primary)
		suitekit.NoFault(upgrade.PointTo(ctx, primary, next, gtid))

		before, _ := writer.Acknowledged()
		Eventually(ctx, func() int { n, _ := writer.Acknowledged(); return n }).WithTimeout(20*time.Second).Should(BeNumerically(">", before), "writes go on at the new primary")
		suitekit.NoFault(writer.Stop())
		writes, gap := writer.Acknowledged()
		suitekit.Measure("without writes", "s", gap.Seconds())
		suitekit.Detail("writes", "", float64(writes))
		for _, n := range t.Nodes {
			if n != next {
				Expect(upgrade.CaughtUp(ctx, next, n)).To(Succeed())
			}
			lost, err := writer.Missing(ctx, n.Server)
			suitekit.NoFault(err)
			Expect(lost).To(BeZero(), fmt.Sprintf("acknowledged writes missing on %s, of %d", n.Name, writes))
		}
		var all servers
		equal(ctx, all.loaded(ctx, from), next.Sandbox)
	})
}
