package failover_test

import (
	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/topology"
)

var _ = Describe("a primary that is alive", func() {
	for _, c := range []struct {
		what   string
		breaks func(*scene) fault.Fault
	}{
		{"is left alone when it has no connection left", func(s *scene) fault.Fault {
			return &fault.NoConnections{Node: s.Primary(), As: application(s.Primary())}
		}},
		{"is left alone when a lock blocks every write", func(s *scene) fault.Fault { return &fault.GlobalLock{Node: s.Primary()} }},
	} {
		It(c.what, quick(), Label(cell.LabelWaiting), func(ctx SpecContext) {
			s := deploy(ctx, topology.Options{GTID: true})
			s.manage(ctx, nil)
			s.write(ctx)
			f := c.breaks(s)
			s.breaks(ctx, f)
			DeferCleanup(f.Heal)
			s.unmoved(ctx)
			s.heals(ctx, f)
			s.settle(ctx)
			s.expect(ctx, cluster{primary: s.Primary()})
		})
	}
})
