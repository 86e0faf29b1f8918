package pseudogtid_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// unlogged makes replica 1 log nothing of what it replicates, and keep its relay logs.
func unlogged(more ...string) topology.Options {
	d := suitekit.Flavor("fast").Dialect()
	return topology.Options{PerNode: map[int][]string{1: append([]string{d.LogUpdates + "=0"}, more...)}}
}

var _ = describe("Pseudo-GTID", func() {
	It("moves a replica that does not log replicated events, and refuses it as a target", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", unlogged())
		injector := s.injecting(ctx)
		s.write(ctx)
		refusal := s.refused(ctx, 2, 1, pseudogtid.NoLog)
		Expect(refusal.Detail).To(ContainSubstring("does not log replicated events"))
		s.moves(ctx, 1, 2)
		s.waitForWrites(ctx, 50)
		s.caughtUp(ctx)
		s.moves(ctx, 1, 0)
		s.waitForWrites(ctx, 50)
		s.rest()
		Expect(injector.Stop()).To(Succeed())
		s.agreed(ctx)
		// What it wrote itself is found all the same.
		s.inject(ctx)
		s.run(ctx, 1, "INSERT INTO "+table.String()+" (id, seq, payload) VALUES (900001, 0, 'errant')")
		errant := s.refused(ctx, 1, 2, pseudogtid.Diverged)
		Expect(errant.OnReplica.String()).To(ContainSubstring("errant"))
	})

	It("moves a replica that logs no replicated events by its relay logs after its source died", func(ctx SpecContext) {
		s := deployOwn(ctx, "star:2", unlogged("relay_log_purge=0"))
		s.write(ctx)
		s.inject(ctx)
		s.waitForWrites(ctx, 30)
		Expect(s.at(1).Exec(ctx, "FLUSH LOGS")).To(Succeed()) // relay logs rotate as well
		s.waitForWrites(ctx, 30)
		s.rest()
		s.caughtUp(ctx)
		Expect(s.Nodes[0].Sandbox.Kill()).To(Succeed())
		group, err := pseudogtid.Matcher{}.Regroup(ctx, s.servers(1, 2), s.endpoint)
		Expect(err).NotTo(HaveOccurred())
		Expect(group.Primary).To(Equal(s.at(2)), "the other one logs nothing that could be replicated")
		Expect(group.Refused).To(BeEmpty())
		s.root, s.source = 2, map[int]int{1: 2}
		s.agreed(ctx)
	})

	It("refuses a replica that logs no replicated events, with purged relay logs and a dead source", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deployOwn(ctx, "star:2", unlogged())
		s.inject(ctx)
		s.run(ctx, 0, "FLUSH BINARY LOGS") // a new relay log, which makes the old ones free to go
		s.run(ctx, 0, "INSERT INTO "+table.String()+" (id, seq, payload) VALUES (900001, 0, 'x')")
		s.caughtUp(ctx)
		suitekit.NoFault(s.at(1).StopReplica(ctx, ""))
		suitekit.NoFault(s.at(1).StartReplica(ctx, "")) // and so does a restart of its threads
		s.run(ctx, 0, "INSERT INTO "+table.String()+" (id, seq, payload) VALUES (900002, 0, 'x')")
		s.caughtUp(ctx)
		suitekit.NoFault(s.at(1).StopReplica(ctx, ""))
		Expect(s.Nodes[0].Sandbox.Kill()).To(Succeed())
		refusal := isRefusal(mustFail(pseudogtid.Match(ctx, s.at(1), s.at(2))), pseudogtid.NoLog)
		Expect(refusal.Detail).To(ContainSubstring("relay logs"))
	})
})
