package migration_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/suitekit"
)

// missingTable is the server's error for a table that is not there.
const missingTable = 1146

// blockers are what other connections do that the cut-over must wait for. Only the spec changes the row with key 1.
var blockers = []struct {
	name       string
	begin      []string
	end        string
	increments bool
	// writers says that it waits for every transaction that writes, the one that a tool's copy waits for among them.
	writers bool
	labels  []string
}{
	{
		name:  "a long transaction with writes",
		begin: []string{"BEGIN", "UPDATE " + table.String() + " SET counter = counter + 1 WHERE id = 1"}, end: "COMMIT", increments: true,
	},
	{
		name:  "a long transaction with reads",
		begin: []string{"BEGIN", "SELECT COUNT(*) FROM " + table.String()}, end: "ROLLBACK", labels: []string{cell.LabelFull},
	},
	{
		name:  "LOCK TABLES in another connection",
		begin: []string{"LOCK TABLES " + table.String() + " READ"}, end: "UNLOCK TABLES", writers: true, labels: []string{cell.LabelFull},
	},
}

var _ = forTool("cut-over", func(driver migration.Tool) {
	tool := driver.Describe()
	for i, mode := range tool.PrimaryModes {
		for j, way := range tool.CutOver.Ways {
			// Every way in every mode; the pr tier has the tool's own choice of both.
			labels := labelsOf(i > 0 || j > 0)
			It(fmt.Sprintf("%s, %s: under reads and writes no statement fails, is lost or doubled", mode, way.Name), labels, func(ctx SpecContext) {
				cutOverUnderTraffic(ctx, driver, mode, way)
			})
		}
	}
	if tool.CutOver.Lock == "" {
		return
	}
	// What blocks the cut-over is on the primary in every mode: one mode is enough.
	mode := tool.PrimaryModes[0]
	for _, b := range blockers {
		It(fmt.Sprintf("%s: succeeds after %s has blocked it", mode, b.name), Label(cell.LabelWaiting), Label(b.labels...), func(ctx SpecContext) {
			f := setUp(ctx, driver, mode, setup{})
			load := f.traffic(ctx, &traffic{})
			run := f.beginSlowly(ctx, tool.CutOver.Retry...)
			run.copies(ctx)
			early := b.writers && tool.Commands == nil // such a tool is slow for long enough after it
			if early {
				run.continues(ctx)
			}
			release := f.hold(ctx, b.begin, b.end)
			if !early {
				run.continues(ctx)
			}
			run.triesLock(ctx, 2)
			release()
			if b.increments {
				f.counts.acknowledge(1)
			}
			run.succeed(ctx)
			Expect(load.halt()).To(Succeed())
			suitekit.Measure("cut-over stall", "ms", float64(load.stall.Milliseconds()))
			Expect(f.verify(ctx, changed)).To(Succeed())
		})
	}
	It(fmt.Sprintf("%s: gives up and leaves the table unchanged when a transaction blocks it too long", mode), Label(cell.LabelFull, cell.LabelWaiting), func(ctx SpecContext) {
		f := setUp(ctx, driver, mode, setup{})
		load := f.traffic(ctx, &traffic{})
		run := f.beginSlowly(ctx, tool.CutOver.GiveUp...)
		run.copies(ctx)
		release := f.hold(ctx, blockers[0].begin, blockers[0].end)
		run.continues(ctx)
		run.fails(ctx, "(?i)lock wait timeout exceeded")
		release()
		f.counts.acknowledge(1)
		Expect(load.halt()).To(Succeed())
		Expect(f.verify(ctx, unchanged, f.left()...)).To(Succeed())
		f.runAgain(ctx)
	})
})

// cutOverUnderTraffic changes the table while readers and writers never stop.
func cutOverUnderTraffic(ctx SpecContext, driver migration.Tool, mode migration.Mode, way migration.Exchange) {
	f := setUp(ctx, driver, mode, setup{})
	load := &traffic{beat: busy}
	if way.Gap {
		load.allowed = append(load.allowed, missingTable)
	}
	f.traffic(ctx, load)
	before := f.counts.total()
	result := f.begin(ctx, way.Flags...).succeed(ctx)
	Expect(load.halt()).To(Succeed())
	measure(result, load.stall)
	suitekit.Detail("statements that met no table", "", float64(load.refused[missingTable]))
	Expect(f.counts.total()).To(BeNumerically(">", before), "nothing was written while the tool worked")
	Expect(f.verify(ctx, changed)).To(Succeed())
}

// labelsOf puts a spec into the full tier alone, or not.
func labelsOf(full bool) Labels {
	if full {
		return Label(cell.LabelFull)
	}
	return nil
}

// The oracle of these specs is put to the test as well.
var _ = Describe("oracle of increments", func() {
	It("detects a lost or doubled statement, a lock, a leftover and a missing table", func(ctx SpecContext) {
		driver := cellDriver()
		f := setUp(ctx, driver, driver.Describe().PrimaryModes[0], setup{})
		Expect(f.traffic(ctx, &traffic{}).halt()).To(Succeed())
		Expect(f.verify(ctx, unchanged)).To(Succeed())
		var key int
		suitekit.NoFault(f.primary.DB.QueryRowContext(ctx, "SELECT MIN(id) FROM "+table.String()+" WHERE counter > 0").Scan(&key))
		for _, by := range []string{"- 1", "+ 1"} {
			suitekit.NoFault(f.primary.Exec(ctx, fmt.Sprintf("UPDATE %s SET counter = counter %s WHERE id = %d", table, by, key)))
			Expect(f.verify(ctx, unchanged)).To(MatchError(ContainSubstring("lost or applied twice")))
			suitekit.NoFault(f.primary.Exec(ctx, fmt.Sprintf("UPDATE %s SET counter = counter - (0 %s) WHERE id = %d", table, by, key)))
		}
		Expect(f.verify(ctx, changed)).To(MatchError(ContainSubstring("the server's own ALTER TABLE makes")))
		release := f.hold(ctx, blockers[1].begin, blockers[1].end)
		Expect(f.verify(ctx, unchanged)).To(MatchError(ContainSubstring("the table is still locked")))
		release()
		suitekit.NoFault(f.primary.Exec(ctx, "CREATE TABLE "+database+"._orders_gho LIKE "+table.String()))
		suitekit.NoFault(f.WaitCaughtUp(ctx))
		Expect(f.verify(ctx, unchanged)).To(MatchError(ContainSubstring("the tool left table _orders_gho")))
		Expect(f.verify(ctx, unchanged, "table _orders_gho")).To(Succeed())
		suitekit.NoFault(f.primary.Exec(ctx, "DROP TABLE "+database+"._orders_gho", "RENAME TABLE "+table.String()+" TO "+database+".away"))
		load := &traffic{counts: f.counts, endpoint: f.primary.Endpoint}
		load.start(ctx)
		eventually(ctx, "a statement meets the missing table", func(context.Context) (string, bool, error) { return "", load.met() != nil, nil })
		Expect(load.halt()).To(MatchError(ContainSubstring("doesn't exist")))
	})
})
