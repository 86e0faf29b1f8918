package pseudogtid_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

var _ = describe("Pseudo-GTID", func() {
	It("moves a replica below its sibling under load, and back below the primary", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		injector := s.injecting(ctx)
		s.write(ctx)
		s.moves(ctx, 2, 1)
		s.waitForWrites(ctx, 100)
		s.caughtUp(ctx)
		s.moves(ctx, 2, 0)
		s.waitForWrites(ctx, 100)
		s.rest()
		Expect(injector.Stop()).To(Succeed())
		s.agreed(ctx)
	})

	It("moves a replica up a chain under load, and makes it a sibling of its former source", func(ctx SpecContext) {
		s := deploy(ctx, "chain:3", topology.Options{})
		injector := s.injecting(ctx)
		s.write(ctx)
		_, err := pseudogtid.Matcher{}.MoveUp(ctx, s.at(3))
		Expect(err).NotTo(HaveOccurred())
		s.source[3] = 1
		s.waitForWrites(ctx, 50)
		s.caughtUp(ctx)
		_, err = pseudogtid.Matcher{}.MakeSibling(ctx, s.at(3), s.at(1))
		Expect(err).NotTo(HaveOccurred())
		s.source[3] = 0
		s.waitForWrites(ctx, 50)
		s.caughtUp(ctx)
		s.moves(ctx, 3, 2)
		Expect(s.relocate(ctx, 2, 3, pseudogtid.Matcher{})).To(MatchError(ContainSubstring("replicates from the replica")), "that would be a circle")
		s.waitForWrites(ctx, 50)
		s.rest()
		Expect(injector.Stop()).To(Succeed())
		s.agreed(ctx)
	})

	It("regroups a dead primary's replicas below the most advanced one", func(ctx SpecContext) {
		s := deployOwn(ctx, "star:3", topology.Options{})
		s.write(ctx)
		s.inject(ctx)
		// Replica 2 gets most, replica 1 less, replica 3 least.
		Expect(s.at(3).StopReplica(ctx, "")).To(Succeed())
		s.waitForWrites(ctx, 30)
		Expect(s.at(1).StopReplica(ctx, "")).To(Succeed())
		s.waitForWrites(ctx, 30)
		s.rest()
		delete(s.source, 1)
		delete(s.source, 3)
		s.caughtUp(ctx)
		Expect(s.Nodes[0].Sandbox.Kill()).To(Succeed())
		ahead := isRefusal(mustFail(pseudogtid.Match(ctx, s.at(2), s.at(1))), pseudogtid.ReplicaAhead)
		Expect(ahead.Reverse.IsZero()).To(BeFalse(), "the coordinates for the other way round")
		Expect(pseudogtid.Match(ctx, s.at(1), s.at(2))).To(Equal(ahead.Reverse))
		group, err := pseudogtid.Matcher{}.Regroup(ctx, s.servers(1, 2, 3), s.endpoint)
		Expect(err).NotTo(HaveOccurred())
		Expect(group.Primary).To(Equal(s.at(2)), "the one that has most")
		Expect(group.Refused).To(BeEmpty())
		s.root, s.source = 2, map[int]int{1: 2, 3: 2}
		s.agreed(ctx)
		// Replica 1 becomes the source of replica 3.
		s.injectPromoted(ctx)
		s.moves(ctx, 3, 1)
		s.agreed(ctx)
	})

	It("finds equivalent coordinates on both servers of a ring, and reattaches one", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, "ring:2", topology.Options{})
		delete(s.source, 0)
		s.write(ctx)
		s.inject(ctx)
		s.waitForWrites(ctx, 50)
		s.rest()
		s.caughtUp(ctx)
		for i := range 2 {
			there, err := pseudogtid.Matcher{}.Equivalent(ctx, s.at(i), s.end(ctx, i), s.at(1-i))
			Expect(err).NotTo(HaveOccurred())
			back, err := pseudogtid.Matcher{}.Equivalent(ctx, s.at(1-i), there, s.at(i))
			Expect(err).NotTo(HaveOccurred())
			Expect(nothingBetween(ctx, s.at(i), back, s.end(ctx, i))).To(Succeed())
		}
		Expect(s.at(0).StopReplica(ctx, "")).To(Succeed())
		s.moves(ctx, 1, 0)
		s.agreed(ctx)
	})
})

func mustFail(at server.Coordinates, err error) error {
	GinkgoHelper()
	Expect(err).To(HaveOccurred(), "it answered %s", at)
	return err
}

func (s *scene) servers(indices ...int) (list []*server.Server) {
	for _, i := range indices {
		list = append(list, s.at(i))
	}
	return list
}

// endpoint is where replicas connect to a server.
func (s *scene) endpoint(one *server.Server) server.Endpoint {
	for _, n := range s.Nodes {
		if n.Server == one {
			return n.Sandbox.ReplicationEndpoint()
		}
	}
	return server.Endpoint{}
}

// injectPromoted opens a promoted root for writes and injects.
func (s *scene) injectPromoted(ctx context.Context) {
	GinkgoHelper()
	Expect(s.at(s.root).SetReadOnly(ctx, false)).To(Succeed())
	s.inject(ctx)
}
