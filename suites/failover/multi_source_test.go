package failover_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

// besides is what the other primary has.
var besides = workload.Table{Database: "beside", Name: "t"}

var _ = Describe("a replica of two primaries", func() {
	if !underTest().MovesChannels {
		return
	}
	It("receives from both after one of them is replaced", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deployOneOfTwo(ctx, nil)
		s.killPrimary(ctx)
		audit := s.waitForFailover(ctx)
		Expect(audit.Plan.Promote).To(Equal("replica1"), describeOne(audit))
		Expect(audit.Followers).To(ConsistOf("replica"), describeOne(audit))
		s.expectBoth(ctx)
	})
})

// deployOneOfTwo makes two primaries, the first of which has a replica of its own and shares one with the other, and writes to it.
// Both replicas have all of that: one that has more than the new primary could not follow it.
func deployOneOfTwo(ctx SpecContext, plant func(*embedded.Config)) *fixture {
	GinkgoHelper()
	s := deploy(ctx, topology.Options{Shape: topology.MustShape("multi-source"), GTID: true})
	suitekit.NoFault(s.named("primary2").Server.Exec(ctx, "CREATE DATABASE "+besides.Database, "CREATE TABLE "+besides.String()+" (n INT PRIMARY KEY)"))
	suitekit.NoFault(s.WaitCaughtUp(ctx))
	s.manage(ctx, plant)
	s.write(ctx)
	Expect(s.load.Stop()).To(Succeed())
	suitekit.NoFault(s.WaitCaughtUp(ctx))
	return s
}

// expectBoth sees that what both primaries write comes to the replica, that its rows are theirs, and that the other primary was left
// alone.
func (s *fixture) expectBoth(ctx context.Context) {
	GinkgoHelper()
	Expect(s.writable(ctx)).To(ConsistOf("replica1", "primary2"))
	suitekit.NoFault(s.named("primary2").Server.Exec(ctx, "INSERT INTO "+besides.String()+" VALUES (1)"))
	promoted, replica := s.named("replica1").Server, s.named("replica").Server
	suitekit.NoFault(promoted.Exec(ctx, "CREATE TABLE "+aside.String()+" (id BIGINT PRIMARY KEY)", "INSERT INTO "+aside.String()+" VALUES (1)"))
	for _, one := range []struct {
		of  workload.Side
		key string
	}{
		{workload.Side{Server: promoted, Table: table}, "id"},
		{workload.Side{Server: promoted, Table: table.Journal()}, "number"},
		{workload.Side{Server: promoted, Table: aside}, "id"},
		{workload.Side{Server: s.named("primary2").Server, Table: besides}, "n"},
	} {
		Eventually(ctx, func() error {
			return workload.Same(ctx, one.of, workload.Side{Server: replica, Table: one.of.Table}, []string{one.key})
		}).WithTimeout(catchUpLimit).WithPolling(auditPoll).Should(Succeed())
	}
	statuses, err := replica.ReplicaStatus(ctx)
	suitekit.NoFault(err)
	for _, status := range statuses {
		Expect(status.Healthy()).To(BeTrue(), status.String())
	}
}
