package failover_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/upgrade"
)

// upgrading is a star:2 in the middle of an upgrade node by node: both replicas are of the cell's version, the primary is older.
// The primary starts read-only, as operators have it, so that it takes no writes when it comes back, whatever the manager.
func upgrading(ctx SpecContext) *fixture {
	GinkgoHelper()
	older := suitekit.OlderSource(sandbox.ProfileDurable)
	s := deploy(ctx, topology.Options{GTID: true, Golden: map[int]*sandbox.Golden{0: older}, PerNode: map[int][]string{0: {"read_only=ON"}}})
	suitekit.NoFault(s.Primary().Server.SetReadOnly(ctx, false))
	AddReportEntry("versions", fmt.Sprintf("the primary is %s, both replicas are %s", older.Flavor, s.named("replica1").Server.Flavor))
	return s
}

var _ = Describe("in the middle of a rolling upgrade, with both replicas newer than the primary,", Label(cell.LabelFull), Label(cell.LabelOlder), func() {
	It("a planned takeover loses no write, and the old primary stays read-only", func(ctx SpecContext) {
		s := upgrading(ctx)
		s.manage(ctx, nil)
		s.write(ctx)
		s.takeOver(ctx, "replica1", "primary")
	})

	It("the old primary of a planned takeover is a replica once it is upgraded", func(ctx SpecContext) {
		from, to := suitekit.OlderSource(sandbox.ProfileDurable), suitekit.Golden(sandbox.ProfileDurable)
		if step := upgrade.Direct(from.Flavor, to.Flavor); !step.InPlace {
			suitekit.Unsupported(step.String() + " is not supported in place by the vendor: " + step.Source)
		}
		s := upgrading(ctx)
		s.manage(ctx, nil)
		s.write(ctx)
		s.takeOver(ctx, "replica1", "primary")
		old := s.Primary()
		suitekit.NoFault(upgrade.Install(ctx, old, to))
		detail, err := upgrade.SystemTables(ctx, old.Sandbox, suitekit.Cell().Dir)
		suitekit.NoFault(err)
		if detail != "" {
			suitekit.Unsupported(detail)
		}
		suitekit.NoFault(upgrade.PointTo(ctx, old, s.named("replica1"), true))
		Eventually(ctx, s.check).WithArguments(ctx, cluster{primary: s.named("replica1")}).WithTimeout(catchUpLimit).WithPolling(auditPoll).Should(BeEmpty())
	})

	It("a primary that dies is replaced; when it comes back it is not made a replica of a newer server", func(ctx SpecContext) {
		s := upgrading(ctx)
		s.manage(ctx, func(c *embedded.Config) { c.Readmit = true })
		s.write(ctx)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		s.finishWrites(ctx)
		s.expectAfterFailover(ctx, audit)
		suitekit.NoFault(upgrade.Restart(ctx, s.Primary()))
		if underTest().ReportsLiveFaults {
			report := s.waitForReport(ctx, failover.CannotFollowAfterFailure)
			Expect(report.Plan.Reason).To(ContainSubstring("does not read the logs of"))
		}
		s.expectCluster(ctx, cluster{primary: s.named(audit.Plan.Promote), excluded: []string{"primary"}})
	})
})
