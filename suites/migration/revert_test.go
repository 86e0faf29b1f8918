package migration_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/suitekit"
)

// revertWrites is how many writes come between a change and its revert.
const revertWrites = 50

var _ = forTool("revert", func(driver migration.Tool) {
	tool := driver.Describe()
	if tool.Revert == nil {
		return
	}
	mode := tool.PrimaryModes[0]
	It(fmt.Sprintf("%s: brings the table back as it was, with the writes that came since", mode), Label(cell.LabelFull), func(ctx SpecContext) {
		revert(ctx, driver, mode, nil)
	})
	if tool.Resume != nil && tool.Resume.Hook != "" {
		It(fmt.Sprintf("%s: loses no write that came before it or while its hook runs", mode), Label(cell.LabelFull, cell.LabelWaiting), func(ctx SpecContext) {
			revert(ctx, driver, mode, slowHook)
		})
	}
})

// revert changes the table and reverts the change, under readers and writers all the time.
func revert(ctx SpecContext, driver migration.Tool, mode migration.Mode, during meanwhile) {
	f := setUp(ctx, driver, mode, setup{})
	how := f.tool.Revert
	f.needs(ctx, how.Known)
	load := f.traffic(ctx, &traffic{})
	f.begin(ctx, how.First...).succeed(ctx)
	Expect(f.WaitCaughtUp(ctx)).To(Succeed())
	for _, n := range f.Nodes {
		Expect(f.verifyStructure(ctx, n.Server, changed)).To(Succeed(), "the change that is to be reverted")
	}
	f.writesBeyond(ctx, f.counts.total()+revertWrites)
	result := f.beginDuring(ctx, during, how.Again(table.Name)).succeed(ctx)
	Expect(result.Output).To(ContainSubstring(how.Reverted))
	Expect(load.halt()).To(Succeed())
	suitekit.Detail("writes between the change and its revert, at least", "", revertWrites)
	Expect(f.verify(ctx, unchanged, how.Left(table.Name)...)).To(Succeed())
}
