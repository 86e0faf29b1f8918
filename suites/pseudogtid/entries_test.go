package pseudogtid_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

var _ = describe("Pseudo-GTID", func() {
	It("matches when entries are rare, come from two injectors, or follow a clock that was set back", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		By("no entry for a long time")
		s.inject(ctx)
		s.write(ctx)
		s.waitForWrites(ctx, 300)
		s.moves(ctx, 2, 1)
		By("two injectors at once")
		first, second := s.injecting(ctx), s.injecting(ctx)
		s.waitForWrites(ctx, 100)
		s.moves(ctx, 2, 0)
		Expect(first.Stop()).To(Succeed())
		Expect(second.Stop()).To(Succeed())
		By("a clock set back, over several logs")
		now := time.Now()
		for i, step := range []time.Duration{0, time.Hour, -2 * time.Hour, time.Minute, -3 * time.Hour} {
			_, err := pseudogtid.InjectAt(ctx, s.at(0), now.Add(step))
			suitekit.NoFault(err)
			s.waitForWrites(ctx, 10)
			Expect(s.at(i%3).Exec(ctx, "FLUSH BINARY LOGS")).To(Succeed())
			s.moves(ctx, 2, 1-i%2)
		}
		s.rest()
		s.agreed(ctx)
	})

	It("has entries written by the event scheduler on the primary only, also after a failover", Label(cell.LabelFull), func(ctx SpecContext) {
		suitekit.Require(sandbox.ProfileFast, flavor.CapEventScheduler)
		s := deployOwn(ctx, "star:2", topology.Options{Server: []string{"event_scheduler=ON"}})
		Expect(pseudogtid.Schedule(ctx, s.at(0), time.Second)).To(Succeed())
		s.caughtUp(ctx)
		s.write(ctx)
		hint := s.entryBy(ctx, 101)
		s.rest()
		s.caughtUp(ctx)
		Expect(pseudogtid.Find(ctx, s.at(2), hint)).NotTo(BeNil(), "it replicates")
		Expect(hint).To(MatchRegexp(`^[0-9a-f]{8}:00000065:[0-9a-f]{16}$`), "orchestrator's own format, and the primary's id")
		s.moves(ctx, 2, 1)
		Expect(s.Nodes[0].Sandbox.Kill()).To(Succeed())
		group, err := pseudogtid.Matcher{}.Regroup(ctx, s.servers(1, 2), s.endpoint)
		Expect(err).NotTo(HaveOccurred())
		Expect(group.Refused).To(BeEmpty())
		s.root, s.source = 1, map[int]int{2: 1}
		if group.Primary == s.at(2) {
			s.root, s.source = 2, map[int]int{1: 2}
		}
		Expect(s.at(s.root).SetReadOnly(ctx, false)).To(Succeed())
		Expect(pseudogtid.Resume(ctx, s.at(s.root))).To(Succeed())
		s.entryBy(ctx, 101+s.root)
		Expect(pseudogtid.Unschedule(ctx, s.at(s.root))).To(Succeed())
		s.agreed(ctx)
	})

	It("matches entries in the format of orchestrator's manual", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{})
		s.run(ctx, 0, "drop view if exists `meta`.`_pseudo_gtid_hint__asc:6A5B4C3D:00000000000000FF:0123ABCD`")
		s.set(ctx, 0, 1, 3)
		s.caughtUp(ctx)
		last, err := pseudogtid.Last(ctx, s.at(2))
		Expect(err).NotTo(HaveOccurred())
		Expect(last.Hint).To(Equal("6A5B4C3D:00000000000000FF:0123ABCD"))
		s.matchesAtEnd(ctx, 2, 1)
		s.moves(ctx, 2, 1)
		s.agreed(ctx)
	})
})

// entryBy waits for an entry on the root that the server with an id has written.
func (s *scene) entryBy(ctx context.Context, id int) (hint string) {
	GinkgoHelper()
	written := wait.State{What: fmt.Sprintf("server %d writes an entry", id), Limit: 20 * time.Second, Poll: 50 * time.Millisecond}
	Expect(written.Until(ctx, func(ctx context.Context) (string, bool, error) {
		last, err := pseudogtid.Last(ctx, s.at(s.root))
		if err != nil || last == nil {
			return "no entry", false, err
		}
		hint = last.Hint
		return hint, strings.Contains(hint, fmt.Sprintf(":%08x:", id)), nil
	})).To(Succeed())
	return hint
}
