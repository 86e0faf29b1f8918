package failover_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("a semi-synchronous primary without acknowledging replicas", func() {
	for _, c := range []struct {
		what    string
		unblock bool
	}{{"is reported and keeps waiting", false}, {"takes writes again when the operator allows asynchronous replication", true}} {
		It(c.what, Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
			s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
			s.manage(ctx, func(config *embedded.Config) { config.Policy.Unblock = c.unblock })
			s.write(ctx)
			for _, n := range s.Replicas() {
				s.inject(ctx, fault.Kill{Node: n})
			}
			s.waitForReport(ctx, failover.BlockedPrimary)
			if c.unblock {
				s.waitForWrites(ctx, some)
			} else {
				before := s.ledger.Acknowledged()
				Consistently(ctx, s.ledger.Acknowledged).WithTimeout(time.Second).WithPolling(auditPoll).
					Should(BeNumerically("<=", before+writers), "it acknowledges what no replica has")
			}
			s.expectNoRecovery(ctx)
			for _, n := range s.Replicas() {
				s.heal(ctx, fault.Kill{Node: n})
			}
			s.finishWrites(ctx)
			account := s.expectCluster(ctx, cluster{primary: s.Primary()})
			Expect(account.Lost).To(BeEmpty(), account.String())
		})
	}
})
