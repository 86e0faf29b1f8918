package migration_test

import (
	"context"
	"fmt"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/suitekit"
)

// missingTable is the server's error for a table that is not there.
const missingTable = 1146

// swap is a way in which a tool exchanges the tables.
type swap struct {
	name  string
	flags []string
	// puncture says that, as documented, the table is not there for a moment between the two renames.
	puncture bool
}

var swaps = map[string][]swap{
	migration.NameGhost: {{name: "atomic", flags: []string{"--cut-over=default"}}, {name: "two-step", flags: []string{"--cut-over=two-step"}, puncture: true}},
	migration.NamePTOSC: {{name: "rename"}},
}

// inTheWay are what other connections do that the cut-over must wait for. The row with key 1 is the spec's own.
var inTheWay = []struct {
	name       string
	begin      []string
	end        string
	increments bool
	// writers says that it waits for every transaction that writes, the one that a tool's copy waits for among them.
	writers bool
	labels  []string
}{
	{
		name:  "a long transaction that has written",
		begin: []string{"BEGIN", "UPDATE " + table.String() + " SET counter = counter + 1 WHERE id = 1"}, end: "COMMIT", increments: true,
	},
	{
		name:  "a long transaction that has read",
		begin: []string{"BEGIN", "SELECT COUNT(*) FROM " + table.String()}, end: "ROLLBACK", labels: []string{cell.LabelFull},
	},
	{
		name:  "LOCK TABLES of another connection",
		begin: []string{"LOCK TABLES " + table.String() + " READ"}, end: "UNLOCK TABLES", writers: true, labels: []string{cell.LabelFull},
	},
}

// disturbed are the modes for the specs that disturb a tool: those that change the primary, where statements
// wait for the cut-over. The modes that change a replica have no readers and writers there.
var disturbed = map[string][]migration.Mode{
	migration.NameGhost: {migration.ModePrimary, migration.ModeReplica},
	migration.NamePTOSC: {migration.ModeTriggers},
}

// forTool describes the specs of one subject in the cells of each tool.
func forTool(subject string, specs func(tool migration.Tool)) bool {
	return forEachTool(func(tool migration.Tool) {
		Describe(subject+":", func() { specs(tool) })
	})
}

var _ = forTool("cut-over", func(tool migration.Tool) {
	for _, mode := range disturbed[tool.Name()] {
		for i, way := range swaps[tool.Name()] {
			// Every way in every mode; the tool's own choice of both is the telling one.
			labels := labelsOf(i > 0 || mode == migration.ModeReplica)
			It(fmt.Sprintf("%s, %s: no statement fails, is lost or applied twice, with readers and writers that never stop", mode, way.name), labels, func(ctx SpecContext) {
				s := setUp(ctx, tool, mode, plan{})
				load := &traffic{beat: busy}
				if way.puncture {
					load.allowed = append(load.allowed, missingTable)
				}
				s.traffic(ctx, load)
				before := s.counts.total()
				result := s.begin(ctx, way.flags...).succeed(ctx)
				Expect(load.halt()).To(Succeed())
				measure(result, load.stall)
				suitekit.Detail("statements that met no table", "", float64(load.refused[missingTable]))
				Expect(s.counts.total()).To(BeNumerically(">", before), "nothing was written while the tool worked")
				Expect(s.whole(ctx, changed)).To(Succeed())
			})
		}
	}
	// What is in the way is on the primary in every mode: one mode does.
	mode := disturbed[tool.Name()][0]
	for _, other := range inTheWay {
		It(fmt.Sprintf("%s: %s delays it, and it succeeds later", mode, other.name), Label(cell.LabelWaiting), Label(other.labels...), func(ctx SpecContext) {
			s := setUp(ctx, tool, mode, plan{})
			load := s.traffic(ctx, &traffic{})
			run := s.slowly(ctx, s.handle.patient...)
			run.copies(ctx)
			early := other.writers && s.handle.hurry == "" // such a tool is slow for long enough after it
			if early {
				run.hurry(ctx)
			}
			release := s.hold(ctx, other.begin, other.end)
			if !early {
				run.hurry(ctx)
			}
			run.tries(ctx, 2)
			release()
			if other.increments {
				s.counts.acknowledge(1)
			}
			run.succeed(ctx)
			Expect(load.halt()).To(Succeed())
			suitekit.Measure("cut-over stall", "ms", float64(load.stall.Milliseconds()))
			Expect(s.whole(ctx, changed)).To(Succeed())
		})
	}
	It(fmt.Sprintf("%s: a long transaction outlasts it, and it is given up cleanly", mode), Label(cell.LabelFull, cell.LabelWaiting), func(ctx SpecContext) {
		s := setUp(ctx, tool, mode, plan{})
		load := s.traffic(ctx, &traffic{})
		run := s.slowly(ctx, s.handle.impatient...)
		run.copies(ctx)
		release := s.hold(ctx, inTheWay[0].begin, inTheWay[0].end)
		run.hurry(ctx)
		run.fails(ctx, "(?i)lock wait timeout exceeded")
		release()
		s.counts.acknowledge(1)
		Expect(load.halt()).To(Succeed())
		Expect(s.whole(ctx, original, s.handle.leaves...)).To(Succeed())
		s.again(ctx)
	})
})

// labelsOf puts a spec into the full tier alone, or not.
func labelsOf(full bool) Labels {
	if full {
		return Label(cell.LabelFull)
	}
	return nil
}

// tries waits until the tool has tried so often to get the table for itself. Only the tool does that here.
func (a *attempt) tries(ctx context.Context, times int) {
	GinkgoHelper()
	before, err := a.stage.lockStatements(ctx)
	suitekit.NoFault(err)
	a.await(ctx, "the tool tries the cut-over again", func(ctx context.Context) (string, bool) {
		n, err := a.stage.lockStatements(ctx)
		return fmt.Sprintf("%d tries, error: %v", n-before, err), err == nil && n-before >= times
	})
}

// lockStatements counts the statements of the kind by which the tool locks the table, since the server started.
func (s *stage) lockStatements(ctx context.Context) (int, error) {
	text, err := s.applier().StatusVariable(ctx, s.handle.tries)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// The oracle of these specs is put to the test as well.
var _ = Describe("oracle of increments", func() {
	It("finds a statement that was lost, one that was applied twice, a lock, a table that is left, and one that is missing", func(ctx SpecContext) {
		s := setUp(ctx, &migration.Ghost{}, migration.ModePrimary, plan{})
		load := s.traffic(ctx, &traffic{})
		Expect(load.halt()).To(Succeed())
		Expect(s.whole(ctx, original)).To(Succeed())
		var key int
		suitekit.NoFault(s.primary.DB.QueryRowContext(ctx, "SELECT MIN(id) FROM "+table.String()+" WHERE counter > 0").Scan(&key))
		for _, by := range []string{"- 1", "+ 1"} {
			suitekit.NoFault(s.primary.Exec(ctx, fmt.Sprintf("UPDATE %s SET counter = counter %s WHERE id = %d", table, by, key)))
			Expect(s.whole(ctx, original)).To(MatchError(ContainSubstring("lost or applied twice")))
			suitekit.NoFault(s.primary.Exec(ctx, fmt.Sprintf("UPDATE %s SET counter = counter - (0 %s) WHERE id = %d", table, by, key)))
		}
		Expect(s.whole(ctx, changed)).To(MatchError(ContainSubstring("the server's own ALTER TABLE makes")))
		release := s.hold(ctx, inTheWay[1].begin, inTheWay[1].end)
		Expect(s.whole(ctx, original)).To(MatchError(ContainSubstring("the table is still locked")))
		release()
		suitekit.NoFault(s.primary.Exec(ctx, "CREATE TABLE "+database+"._orders_gho LIKE "+table.String()))
		suitekit.NoFault(s.WaitCaughtUp(ctx))
		Expect(s.whole(ctx, original)).To(MatchError(ContainSubstring("the tool left table _orders_gho")))
		Expect(s.whole(ctx, original, "table _orders_gho")).To(Succeed())
		suitekit.NoFault(s.primary.Exec(ctx, "DROP TABLE "+database+"._orders_gho", "RENAME TABLE "+table.String()+" TO "+database+".away"))
		load = &traffic{counts: s.counts, endpoint: s.primary.Endpoint}
		load.start(ctx)
		Eventually(ctx, load.met).WithTimeout(startLimit).WithPolling(statePoll).ShouldNot(Succeed(), "no statement met the missing table")
		Expect(load.halt()).To(MatchError(ContainSubstring("doesn't exist")))
	})
})
