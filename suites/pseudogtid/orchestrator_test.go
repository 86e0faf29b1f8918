package pseudogtid_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/orchestrator"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// describe holds specs of this project's own matcher; another tool has its own ones below.
func describe(text string, specs func()) bool {
	return Describe(text, func() {
		if suitekit.Cell().Tool.Name == "embedded" {
			specs()
		}
	})
}

var _ = Describe("Pseudo-GTID by orchestrator", func() {
	if suitekit.Cell().Tool.Name != "orchestrator" {
		return
	}

	It("finds the embedded matcher's coordinates, below a sibling and the primary", Label(cell.LabelWaiting), func(ctx SpecContext) {
		s, o := orchestrated(ctx)
		s.write(ctx)
		s.inject(ctx)
		s.waitForWrites(ctx, 50)
		s.rest()
		s.caughtUp(ctx)
		s.sameAnswer(ctx, o, 2, 1)
		s.sameAnswer(ctx, o, 2, 0)
		s.agreed(ctx)
	})

	It("matches after a log rotation that followed the last entry", Label(cell.LabelWaiting, cell.LabelFull), func(ctx SpecContext) {
		s, o := orchestrated(ctx)
		s.inject(ctx)
		s.set(ctx, 0, 1, 5)
		s.caughtUp(ctx)
		s.run(ctx, 1, "FLUSH BINARY LOGS")
		s.set(ctx, 0, 1, 6)
		s.caughtUp(ctx)
		s.matchesAtEnd(ctx, 2, 1)
		s.sameAnswer(ctx, o, 2, 1)
		s.agreed(ctx)
	})

	It("matches a replica that does not log replicated events", Label(cell.LabelWaiting, cell.LabelFull), func(ctx SpecContext) {
		s, o := orchestrated(ctx, unlogged("relay_log_purge=0").PerNode[1]...)
		s.inject(ctx)
		s.set(ctx, 0, 1, 5)
		s.caughtUp(ctx)
		s.matchesAtEnd(ctx, 1, 2)
		s.sameAnswer(ctx, o, 1, 2)
		s.agreed(ctx)
	})

	It("refuses a replica with an errant row whose executed coordinates equal its sibling's", Label(cell.LabelWaiting, cell.LabelFull), func(ctx SpecContext) {
		s, o := orchestrated(ctx)
		s.inject(ctx)
		s.set(ctx, 2, 1, 4711)
		s.set(ctx, 0, 2, 6)
		s.caughtUp(ctx)
		isRefusal(mustFail(pseudogtid.Match(ctx, s.at(2), s.at(1))), pseudogtid.Diverged)
		members := s.members(ctx, o, 2, 1)
		Expect(o.Relocate(ctx, members[0], members[1])).NotTo(Succeed(), "it attached a replica without looking whether the histories are the same")
	})
})

// orchestrated is a star with orchestrator, which moves what it is told to and recovers nothing.
func orchestrated(ctx SpecContext, first ...string) (*scene, *orchestrator.Manager) {
	GinkgoHelper()
	s := deploy(ctx, "star:2", topology.Options{Server: []string{"report_host=127.0.0.1"}, PerNode: map[int][]string{1: first}})
	program := suitekit.Cell().Tool
	o, err := orchestrator.New(orchestrator.Config{Path: program.Path, Resources: program.Dir, Dir: suitekit.WorkDir("orchestrator"),
		Scope: suitekit.Cell().Dir, Members: s.memberList(), Interval: time.Second, Settings: map[string]any{
			"PseudoGTIDPattern": "drop view if exists `_pseudo_gtid_`", "PseudoGTIDPatternIsFixedSubstring": true,
			"PseudoGTIDMonotonicHint": "asc:", "DetectPseudoGTIDQuery": "SELECT 1",
			"RecoverMasterClusterFilters": []string{}, "RecoverIntermediateMasterClusterFilters": []string{},
		}})
	suitekit.NoFault(err)
	suitekit.Attach(o.LogPath())
	Expect(o.Start(ctx)).To(Succeed())
	DeferCleanup(o.Stop)
	return s, o
}

func (s *scene) memberList() (list []failover.Member) {
	for _, n := range s.Nodes {
		list = append(list, failover.Member{Name: n.Name, Rule: failover.Neutral, Endpoint: n.Sandbox.Endpoint(), Replication: n.Sandbox.ReplicationEndpoint()})
	}
	return list
}

// members are some of the servers, as orchestrator has just seen them.
func (s *scene) members(ctx SpecContext, o *orchestrator.Manager, indices ...int) (list []failover.Member) {
	GinkgoHelper()
	all := s.memberList()
	for _, m := range all {
		suitekit.NoFault(o.Refresh(ctx, m))
	}
	for _, i := range indices {
		list = append(list, all[i])
	}
	return list
}

// sameAnswer asks this project's matcher, has orchestrator move the replica, and compares.
func (s *scene) sameAnswer(ctx SpecContext, o *orchestrator.Manager, replica, target int) {
	GinkgoHelper()
	want, err := pseudogtid.Match(ctx, s.at(replica), s.at(target))
	Expect(err).NotTo(HaveOccurred(), "this project's own matcher")
	members := s.members(ctx, o, replica, target)
	begin := time.Now()
	at, err := o.Match(ctx, members[0], members[1])
	Expect(err).NotTo(HaveOccurred())
	suitekit.Detail("match by orchestrator", "ms", float64(time.Since(begin).Milliseconds()))
	s.source[replica] = target
	Expect(at).To(Equal(want))
}
