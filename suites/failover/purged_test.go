package failover_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// purgedRounds is how often a new primary lacks what a follower needs: whether its receiver runs for a moment before the error is
// a race.
const purgedRounds = 5

var _ = Describe("a new primary that has purged what a replica needs", func() {
	It("is not followed by it, and the replica is named", Label(cell.LabelFull), Label(cell.LabelLong), func(ctx SpecContext) {
		for range purgedRounds {
			s, audit := failOverToPurged(ctx, nil)
			Expect(audit.Followers).NotTo(ContainElement("replica2"), "a replica that cannot follow is called a follower: %s", describeOne(audit))
			Expect(audit.Excluded).To(ContainElement(HaveField("Name", "replica2")), "the replica that cannot follow is not named: %s", describeOne(audit))
			s.expectAfterFailover(ctx, audit)
			s.end(ctx)
		}
	})
})

// failOverToPurged cuts replica2 off, has replica1 purge what replica2 lacks, and kills the primary.
func failOverToPurged(ctx context.Context, plant func(*embedded.Config)) (*fixture, failover.Audit) {
	GinkgoHelper()
	s := deploy(ctx, topology.Options{GTID: true})
	cut := s.lagging(ctx, "replica2")
	s.manage(ctx, plant)
	s.write(ctx)
	cut()
	s.waitUntilAhead(ctx, "replica1", "replica2")
	s.rotateAndPurge(ctx, "replica1")
	s.killPrimary(ctx)
	audit := s.waitForFailover(ctx)
	Expect(audit.Plan.Promote).To(Equal("replica1"), describeOne(audit))
	s.finishWrites(ctx)
	return s, audit
}

// rotateAndPurge leaves a server only the binary log that it writes now.
func (s *fixture) rotateAndPurge(ctx context.Context, name string) {
	GinkgoHelper()
	n := s.named(name).Server
	suitekit.NoFault(n.Exec(ctx, "FLUSH BINARY LOGS"))
	at, _, err := n.BinaryLogStatus(ctx)
	suitekit.NoFault(err)
	// MariaDB keeps a log until its transactions are in the storage engine, which is a moment later.
	Eventually(ctx, func() (logs []server.BinaryLog, err error) {
		if err := n.Exec(ctx, "PURGE BINARY LOGS TO '"+at.File+"'"); err != nil {
			return nil, err
		}
		return n.BinaryLogs(ctx)
	}).WithTimeout(catchUpLimit).WithPolling(auditPoll).Should(HaveLen(1), "the server keeps its binary logs")
}

// waitUntilAhead waits until one replica has applied some transactions that another one has not received.
func (s *fixture) waitUntilAhead(ctx context.Context, ahead, behind string) {
	GinkgoHelper()
	style := s.Flavor.Dialect().GTID
	Eventually(ctx, func() (uint64, error) {
		executed, err := s.named(ahead).Server.GTIDExecuted(ctx)
		if err != nil {
			return 0, err
		}
		has, err := server.ParseGTIDSet(style, executed)
		if err != nil {
			return 0, err
		}
		lacks, err := receivedOf(ctx, s.named(behind).Server)
		return has.Minus(lacks).Count(), err
	}).WithTimeout(writeLimit).WithPolling(auditPoll).Should(BeNumerically(">=", some), "%s does not get ahead of %s", ahead, behind)
}
