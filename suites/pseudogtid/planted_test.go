//go:build planted

package pseudogtid_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = describe("Pseudo-GTID", func() {
	It("specs catch a planted matcher that is off by one transaction", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		s.inject(ctx)
		suitekit.NoFault(s.at(2).StopReplica(ctx, ""))
		// A random write may be written over by a later one, and its loss with it.
		for _, id := range []string{"1000001", "1000002"} {
			s.run(ctx, 0, "INSERT INTO "+table.String()+" (id, seq, payload) VALUES ("+id+", 0, 'x')")
		}
		delete(s.source, 2)
		s.caughtUp(ctx)
		Expect(s.relocate(ctx, 2, 1, pseudogtid.OffByOne())).To(Succeed())
		s.caughtUp(ctx)
		differences := s.compare(ctx, 0, 2)
		Expect(differences).To(HaveLen(1), "a transaction was skipped, and nobody noticed")
		Expect(differences[0].Left).To(ContainSubstring("1000001"))
	})

	It("specs catch planted matchers that ignore the contents of rows or accept another order", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		s.inject(ctx)
		suitekit.NoFault(s.at(1).StopReplica(ctx, ""))
		suitekit.NoFault(s.at(2).StopReplica(ctx, ""))
		s.set(ctx, 1, 1, 1)
		s.set(ctx, 2, 1, 2)
		Expect(pseudogtid.IgnoringContents().Match(ctx, s.at(2), s.at(1))).NotTo(BeZero(), "the planted fault does not do what it is for")
		isRefusal(mustFail(pseudogtid.Match(ctx, s.at(2), s.at(1))), pseudogtid.Diverged)
		Expect(s.compare(ctx, 1, 2)).To(HaveLen(1))

		s.run(ctx, 0, "DELETE FROM "+table.String()+" WHERE id = 1")
		suitekit.NoFault(s.at(1).StartReplica(ctx, ""))
		suitekit.NoFault(s.at(2).StartReplica(ctx, ""))
		for range 20 {
			s.inject(ctx)
		}
		suitekit.NoFault(s.at(1).StopReplica(ctx, ""))
		suitekit.NoFault(s.at(2).StopReplica(ctx, ""))
		insert := "INSERT INTO " + table.String() + " (id, seq, payload, changed) VALUES (%d, 0, 'x', '2026-01-02 03:04:05')"
		for i, order := range map[int][2]int{1: {1000001, 1000002}, 2: {1000002, 1000001}} {
			s.run(ctx, i, fmt.Sprintf(insert, order[0]), fmt.Sprintf(insert, order[1]))
		}
		Expect(pseudogtid.AcceptingReordered().Match(ctx, s.at(2), s.at(1))).NotTo(BeZero(), "the planted fault does not do what it is for")
		isRefusal(mustFail(pseudogtid.Match(ctx, s.at(2), s.at(1))), pseudogtid.Diverged)
	})
})
