package pseudogtid_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = describe("Pseudo-GTID", func() {
	It("moves a replica between servers of different versions", Label(cell.LabelOlder), func(ctx SpecContext) {
		older := suitekit.OlderSource(sandbox.ProfileFast)
		s := deploy(ctx, "star:2", topology.Options{Golden: map[int]*sandbox.Golden{0: older}})
		AddReportEntry("versions", fmt.Sprintf("%s below %s", s.at(1).Flavor, s.at(0).Flavor))
		injector := s.injecting(ctx)
		s.write(ctx)
		s.moves(ctx, 2, 1)
		s.waitForWrites(ctx, 50)
		s.caughtUp(ctx)
		s.moves(ctx, 2, 0)
		s.waitForWrites(ctx, 50)
		s.rest()
		Expect(injector.Stop()).To(Succeed())
		s.inject(ctx)
		for _, c := range contents[1:4] {
			s.play(ctx, c)
		}
		s.caughtUp(ctx)
		s.matchesAtEnd(ctx, 2, 1)
		s.matchesAtEnd(ctx, 2, 0)
		s.agreed(ctx)
	})

	It("refuses a replica that filters a database; AllowFilters compares the rest", func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{PerNode: map[int][]string{2: {"replicate-ignore-db=scratch"}}})
		s.run(ctx, 0, "CREATE DATABASE scratch")
		suitekit.NoFault(inDatabase(ctx, s.at(0), "scratch", "CREATE TABLE t (a INT PRIMARY KEY)"))
		s.inject(ctx)
		for i := range 5 {
			// The default database counts for statements, the table's for rows: the same here.
			suitekit.NoFault(inDatabase(ctx, s.at(0), "scratch", fmt.Sprintf("INSERT INTO t VALUES (%d)", i)))
			s.set(ctx, 0, 1, i+10)
		}
		s.caughtUp(ctx)
		refusal := s.refused(ctx, 2, 1, pseudogtid.Filtered)
		Expect(refusal.Detail).To(ContainSubstring("scratch"))
		Expect(s.relocate(ctx, 2, 1, pseudogtid.Matcher{AllowFilters: true})).To(Succeed())
		suitekit.NoFault(inDatabase(ctx, s.at(0), "scratch", "INSERT INTO t VALUES (99)"))
		s.set(ctx, 0, 1, 99)
		s.agreed(ctx)
		Expect(s.compare(ctx, 0, 2)).To(BeEmpty())
	})
})

// inDatabase runs a statement with a default database.
func inDatabase(ctx SpecContext, s *server.Server, database, statement string) error {
	db, err := s.Endpoint.OpenDB(database)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}
