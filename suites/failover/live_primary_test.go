package failover_test

import (
	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("a live primary", func() {
	for _, c := range []struct {
		what   string
		breaks func(*fixture) fault.Fault
	}{
		{"without a free connection is not replaced", func(s *fixture) fault.Fault {
			return &fault.NoConnections{Node: s.Primary(), As: application(s.Primary())}
		}},
		{"behind a global lock is not replaced", func(s *fixture) fault.Fault { return &fault.GlobalLock{Node: s.Primary()} }},
	} {
		It(c.what, Label(cell.LabelFull), Label(cell.LabelWaiting), func(ctx SpecContext) {
			s := deploy(ctx, topology.Options{GTID: true})
			s.manage(ctx, nil)
			s.write(ctx)
			f := c.breaks(s)
			s.inject(ctx, f)
			DeferCleanup(f.Heal)
			s.expectNoRecovery(ctx)
			s.heal(ctx, f)
			s.finishWrites(ctx)
			s.expectCluster(ctx, cluster{primary: s.Primary()})
		})
	}
})
