package pseudogtid_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

// smallLogs is how many logs one side is cut into.
const smallLogs = 200

var _ = describe("Pseudo-GTID", func() {
	It("moves a replica when logs were rotated around the last entry, and when logs are empty", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		rotate := func(indices ...int) {
			for _, i := range indices {
				Expect(s.at(i).Exec(ctx, "FLUSH BINARY LOGS")).To(Succeed())
			}
		}
		s.write(ctx)
		// The entry alone in a log, on all three.
		s.rest()
		s.caughtUp(ctx)
		rotate(0, 1, 2)
		s.inject(ctx)
		rotate(0, 1, 2)
		s.matchesAtEnd(ctx, 2, 1)
		s.matchesAtEnd(ctx, 2, 0)
		// Empty logs at the end of either side.
		rotate(1, 1)
		s.matchesAtEnd(ctx, 2, 1)
		rotate(2, 2, 2)
		s.matchesAtEnd(ctx, 2, 1)
		s.matchesAtEnd(ctx, 1, 2)
		s.run(ctx, 0, "INSERT INTO "+table.String()+" (id, seq, payload) VALUES (900001, 0, 'x')", "DELETE FROM "+table.String()+" WHERE id = 900001")
		s.caughtUp(ctx)
		rotate(1)
		s.matchesAtEnd(ctx, 2, 1)
		s.moves(ctx, 2, 1)
		s.agreed(ctx)
	})

	It("moves a replica under load while logs rotate on both sides after the last entry", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		s.write(ctx)
		s.inject(ctx)
		for _, i := range []int{1, 2, 1, 0} {
			s.waitForWrites(ctx, 20)
			Expect(s.at(i).Exec(ctx, "FLUSH BINARY LOGS")).To(Succeed())
		}
		s.waitForWrites(ctx, 20)
		s.moves(ctx, 2, 1)
		s.waitForWrites(ctx, 50)
		s.rest()
		s.agreed(ctx)
	})

	It("finds an entry among 200 small logs, and opens fewer than half of them", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		s.inject(ctx)
		for i := range smallLogs {
			Expect(s.at(1).Exec(ctx, "FLUSH BINARY LOGS")).To(Succeed())
			if i%4 == 0 {
				_, err := pseudogtid.Inject(ctx, s.at(0))
				suitekit.NoFault(err)
			}
		}
		s.caughtUp(ctx)
		answer, err := pseudogtid.Matcher{}.Examine(ctx, s.at(2), s.at(1))
		Expect(err).NotTo(HaveOccurred())
		logs, err := s.at(1).BinaryLogs(ctx)
		suitekit.NoFault(err)
		Expect(len(logs)).To(BeNumerically(">", smallLogs))
		suitekit.Detail("logs opened", "", float64(answer.Opened))
		Expect(answer.Opened).To(BeNumerically("<", len(logs)/2), "the right log is found by halving")
		s.moves(ctx, 2, 1)
		s.moves(ctx, 2, 0)
		s.agreed(ctx)
	})

	It("refuses when logs were purged on either server, or the replica's last entry is errant", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		s.inject(ctx)
		Expect(s.at(2).StopReplica(ctx, "")).To(Succeed())
		// Replica 2 stays behind; on replica 1 all that it knows is purged.
		s.run(ctx, 0, "INSERT INTO "+table.String()+" (id, seq, payload) VALUES (900001, 0, 'x')")
		delete(s.source, 2)
		s.inject(ctx)
		s.purge(ctx, 1)
		s.inject(ctx)
		refusal := s.refused(ctx, 2, 1, pseudogtid.Purged)
		Expect(refusal.Error()).To(ContainSubstring("target's logs"))
		Expect(s.at(2).StartReplica(ctx, "")).To(Succeed())
		s.source[2] = 0
		s.caughtUp(ctx)
		s.purge(ctx, 2)
		refusal = s.refused(ctx, 2, 1, pseudogtid.Purged)
		Expect(refusal.Error()).To(ContainSubstring("replica's logs"))
		// An entry of the replica's own is an errant transaction, and not a sign that it is ahead.
		s.inject(ctx)
		_, err := pseudogtid.Inject(ctx, s.at(2))
		suitekit.NoFault(err)
		suitekit.NoFault(s.at(2).StopReplica(ctx, ""))
		errant := isRefusal(mustFail(pseudogtid.Match(ctx, s.at(2), s.at(1))), pseudogtid.Diverged)
		Expect(errant.Error()).To(ContainSubstring("wrote this itself"))
		suitekit.NoFault(s.at(2).StartReplica(ctx, ""))
		s.caughtUp(ctx)
	})

	It("stops waiting for a replica whose source has purged the log that it needs", func(ctx SpecContext) {
		s := deploy(ctx, "star:1", topology.Options{})
		s.caughtUp(ctx)
		suitekit.NoFault(s.at(1).StopReplica(ctx, ""))
		s.run(ctx, 0, "INSERT INTO "+table.String()+" (id, seq, payload) VALUES (900001, 0, 'x')")
		s.purge(ctx, 0)
		suitekit.NoFault(s.at(1).StartReplica(ctx, ""))
		limited, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		Expect(s.catchUp(limited)).To(MatchError(And(ContainSubstring("the receiver has given up"), MatchRegexp("IO error (1236|13114)")))) // 13114 since MySQL 8.0
	})

	It("refuses a replica that is ahead of a target which does not replicate", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		s.write(ctx)
		s.inject(ctx)
		s.waitForWrites(ctx, 20)
		suitekit.NoFault(s.at(1).StopReplica(ctx, ""))
		s.waitForWrites(ctx, 30)
		s.rest()
		delete(s.source, 1)
		s.caughtUp(ctx)
		refusal := s.refused(ctx, 2, 1, pseudogtid.ReplicaAhead)
		Expect(refusal.OnReplica).NotTo(BeNil())
		// The same with entries after the target's end.
		s.inject(ctx)
		later := s.refused(ctx, 2, 1, pseudogtid.ReplicaAhead)
		Expect(later.Reverse).To(Equal(refusal.Reverse), "the coordinates for the target have not changed")
		Expect(pseudogtid.Match(ctx, s.at(1), s.at(2))).To(Equal(refusal.Reverse))
		s.agreed(ctx)
	})
})

// purge removes all logs but a new one. MariaDB leaves a log alone, and says nothing, until its binary log
// checkpoint has moved on.
func (s *scene) purge(ctx context.Context, i int) {
	GinkgoHelper()
	suitekit.NoFault(s.at(i).Exec(ctx, "FLUSH BINARY LOGS"))
	now := s.end(ctx, i)
	purged := wait.State{What: "all logs but the newest are purged", Limit: 10 * time.Second, Poll: 20 * time.Millisecond}
	suitekit.NoFault(purged.Until(ctx, func(ctx context.Context) (string, bool, error) {
		err := s.at(i).Exec(ctx, "PURGE BINARY LOGS TO "+server.Quote(now.File))
		logs, listErr := s.at(i).BinaryLogs(ctx)
		return fmt.Sprintf("%d logs", len(logs)), len(logs) == 1, errors.Join(err, listErr)
	}))
}
