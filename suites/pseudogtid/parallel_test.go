package pseudogtid_test

import (
	"database/sql"
	"fmt"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

// rounds is how often a parallel applier is stopped and matched.
const rounds = 6

// parallel are four appliers, in every server's words.
func parallel(order string) []string {
	return []string{"loose-slave_parallel_threads=4", "loose-slave_parallel_mode=optimistic", "loose-slave_parallel_workers=4",
		"loose-slave_parallel_type=LOGICAL_CLOCK", "loose-replica_parallel_workers=4",
		"loose-replica_preserve_commit_order=" + order, "loose-slave_preserve_commit_order=" + order}
}

var _ = describe("Pseudo-GTID", func() {
	for _, order := range []string{"ON", "OFF"} {
		It("never matches wrongly with parallel appliers, preserved commit order "+order, tier(order == "OFF"), func(ctx SpecContext) {
			suitekit.Require(sandbox.ProfileFast, flavor.CapParallelApplier)
			s := deploy(ctx, "star:2", topology.Options{PerNode: map[int][]string{1: parallel(order), 2: parallel(order)}})
			s.run(ctx, 0, "CREATE DATABASE other", "CREATE TABLE shop.one (id INT PRIMARY KEY, n INT)", "CREATE TABLE other.two (id INT PRIMARY KEY, n INT)")
			answers, refusals := 0, 0
			for round := range rounds {
				s.inject(ctx)
				s.twoWriters(ctx, round)
				suitekit.NoFault(s.at(2).StopReplica(ctx, ""))
				suitekit.NoFault(s.at(1).WaitForCoordinates(ctx, s.end(ctx, 0), ""))
				at, err := pseudogtid.Match(ctx, s.at(2), s.at(1))
				if err != nil {
					// Another order of commits on either server: coordinates between them exist on one only.
					isRefusal(err, pseudogtid.Diverged, pseudogtid.ReplicaAhead)
					refusals++
					suitekit.NoFault(s.at(2).StartReplica(ctx, ""))
					s.caughtUp(ctx)
					continue
				}
				answers++
				Expect(s.at(2).PointTo(ctx, server.Source{Endpoint: s.Nodes[1].Sandbox.ReplicationEndpoint(), At: at})).To(Succeed())
				Expect(s.at(2).StartReplica(ctx, "")).To(Succeed())
				s.source[2] = 1
				s.caughtUp(ctx)
				for _, table := range []string{"shop.one", "other.two"} {
					want, err := s.at(0).Rows(ctx, "SELECT * FROM "+table+" ORDER BY id")
					suitekit.NoFault(err)
					Expect(s.at(2).Rows(ctx, "SELECT * FROM "+table+" ORDER BY id")).To(Equal(want), "a wrong answer in round %d", round)
				}
				suitekit.NoFault(s.at(2).StopReplica(ctx, ""))
				s.backToPrimary(ctx, 2)
			}
			suitekit.Detail("answers", "", float64(answers))
			suitekit.Detail("refusals", "", float64(refusals))
		})
	}
})

// backToPrimary points a stopped replica that has everything at the end of the root's log.
func (s *scene) backToPrimary(ctx SpecContext, i int) {
	GinkgoHelper()
	suitekit.NoFault(s.at(i).PointTo(ctx, server.Source{Endpoint: s.Nodes[s.root].Sandbox.ReplicationEndpoint(), At: s.end(ctx, s.root)}))
	suitekit.NoFault(s.at(i).StartReplica(ctx, ""))
	s.source[i] = s.root
}

// twoWriters write to two databases at once, in what a server may apply in another order where it can be
// told so: replication domains of their own.
func (s *scene) twoWriters(ctx SpecContext, round int) {
	GinkgoHelper()
	var both sync.WaitGroup
	errs := make([]error, 2)
	for w, name := range []string{"shop.one", "other.two"} {
		both.Go(func() {
			defer GinkgoRecover()
			errs[w] = s.session(ctx, 0, func(conn *sql.Conn) error {
				_, _ = conn.ExecContext(ctx, fmt.Sprintf("SET SESSION gtid_domain_id = %d", w+1)) // unknown to most servers
				for i := range 60 {
					if _, err := conn.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%d, %d)", name, round*1000+i, i)); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	both.Wait()
	suitekit.NoFault(errs[0])
	suitekit.NoFault(errs[1])
}
