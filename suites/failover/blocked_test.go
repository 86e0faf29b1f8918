package failover_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("a semi-synchronous primary that no replica is left to acknowledge", func() {
	for _, c := range []struct {
		what    string
		unblock bool
	}{{"is reported, and left to wait", false}, {"is made to go on when the operator wants that", true}} {
		It(c.what, quick(), Label(cell.LabelWaiting), func(ctx SpecContext) {
			s := deploy(ctx, topology.Options{GTID: true, SemiSync: true})
			s.manage(ctx, func(config *failover.Config) { config.Policy.Unblock = c.unblock })
			s.write(ctx)
			for _, n := range s.Replicas() {
				s.breaks(ctx, fault.Kill{Node: n})
			}
			s.reported(ctx, failover.BlockedPrimary)
			if c.unblock {
				s.awaitWrites(ctx, some)
			} else {
				before := s.ledger.Acknowledged()
				Consistently(ctx, s.ledger.Acknowledged).WithTimeout(time.Second).WithPolling(auditPoll).
					Should(BeNumerically("<=", before+writers), "it acknowledges what no replica has")
			}
			s.unmoved(ctx)
			for _, n := range s.Replicas() {
				s.heals(ctx, fault.Kill{Node: n})
			}
			s.settle(ctx)
			account := s.expect(ctx, cluster{primary: s.Primary()})
			Expect(account.Lost).To(BeEmpty(), account.String())
		})
	}
})
