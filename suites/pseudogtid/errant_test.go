package pseudogtid_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/workload"
)

var _ = describe("Pseudo-GTID", func() {
	It("refuses a replica with an errant transaction after the last entry, and shows both events", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		s.inject(ctx)
		s.set(ctx, 2, 1, 4711)
		s.run(ctx, 0, "INSERT INTO "+table.String()+" (id, seq, payload) VALUES (1000000, 0, 'x')")
		s.caughtUp(ctx)
		refusal := s.refused(ctx, 2, 1, pseudogtid.Diverged)
		Expect(refusal.OnReplica.String()).To(ContainSubstring("4711"))
		Expect(refusal.OnTarget.String()).To(ContainSubstring("1000000"))
		Expect(refusal.Detail).To(ContainSubstring("the replica wrote its own one itself"))
		suitekit.NoFault(s.at(2).StopReplica(ctx, ""))
		explained, err := pseudogtid.Matcher{}.Explain(ctx, s.at(2), s.at(1))
		Expect(err).NotTo(HaveOccurred())
		AddReportEntry("explanation", explained.String())
		Expect(explained.String()).To(And(ContainSubstring("4711"), ContainSubstring("1000000"), ContainSubstring("here the histories begin to differ")))
		// On the other side.
		refusal = isRefusal(mustFail(pseudogtid.Match(ctx, s.at(1), s.at(2))), pseudogtid.Diverged)
		Expect(refusal.OnTarget.String()).To(ContainSubstring("4711"))
	})

	It("refuses a replica with an errant transaction before the last entry; Thorough finds older ones", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		s.inject(ctx)
		s.set(ctx, 2, 1, 4711)
		s.inject(ctx)
		refusal := s.refused(ctx, 2, 1, pseudogtid.Diverged)
		Expect(refusal.OnReplica.String()).To(ContainSubstring("4711"))
		for range 20 {
			_, err := pseudogtid.Inject(ctx, s.at(0))
			suitekit.NoFault(err)
		}
		s.caughtUp(ctx)
		far := isRefusal(s.relocate(ctx, 2, 1, pseudogtid.Matcher{Thorough: true}), pseudogtid.Diverged)
		Expect(far.OnReplica.String()).To(ContainSubstring("4711"))
	})

	It("finds the same coordinates as GTID", func(ctx SpecContext) {
		suitekit.Require(sandbox.ProfileFast, flavor.CapGTID)
		s := deploy(ctx, "star:2", topology.Options{GTID: true})
		s.write(ctx)
		s.inject(ctx)
		s.waitForWrites(ctx, 50)
		suitekit.NoFault(s.at(2).StopReplica(ctx, ""))
		executed, err := logged(ctx, s.at(2))
		suitekit.NoFault(err)
		s.waitForWrites(ctx, 50)
		s.rest()
		delete(s.source, 2)
		s.caughtUp(ctx)
		at, err := pseudogtid.Match(ctx, s.at(2), s.at(1))
		Expect(err).NotTo(HaveOccurred())
		Expect(executedAt(ctx, s.at(1), at)).To(Equal(executed), "GTIDs that precede %s on the target", at)
	})
})

// set changes one row on one server.
func (s *scene) set(ctx context.Context, i, id, counter int) {
	GinkgoHelper()
	s.run(ctx, i, fmt.Sprintf("UPDATE %s SET counter = %d WHERE id = %d", table, counter, id))
}

func (s *scene) compare(ctx context.Context, a, b int) []workload.RowDifference {
	GinkgoHelper()
	differences, err := workload.Compare(ctx, workload.Side{Server: s.at(a), Table: table}, workload.Side{Server: s.at(b), Table: table}, []string{"id"}, 10)
	suitekit.NoFault(err)
	return differences
}

// executedAt is the GTID set that a server had executed at coordinates of its binary log, as the server itself
// says.
func executedAt(ctx context.Context, s *server.Server, at server.Coordinates) (string, error) {
	if s.Dialect.GTID == flavor.GTIDMariaDB {
		var position string
		err := s.DB.QueryRowContext(ctx, "SELECT BINLOG_GTID_POS(?, ?)", at.File, at.Pos).Scan(&position)
		return position, err
	}
	return executedBefore(ctx, s, at)
}
