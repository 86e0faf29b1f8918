//go:build planted

package migration_test

import (
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/tool"
)

// unevenChunk leaves some 300 rows for the last chunk, whatever the writers have added or deleted by then.
const unevenChunk = 700

// A tool with a bug in it must be caught, or the specs beside these prove nothing. Where the tool itself
// does not work, these fail as the others do, by the tool's own error.
var _ = forTool("", func(driver migration.Tool) {
	for i, one := range migration.PlantedIn(driver.Name()).Bugs {
		It("a build that "+one.What+" is caught", labelsOf(i > 0), func(ctx SpecContext) {
			broken := patched(ctx, one)
			f := setUp(ctx, driver, driver.Describe().PrimaryModes[0], setup{rows: rows})
			load := f.load(ctx)
			job := f.newJob()
			job.ChunkSize = unevenChunk
			run := f.start(ctx, broken, &job, toolLimit)
			<-run.done
			loadErr := load.Stop() // writers that meet the damage go on
			run.succeed(ctx)
			Expect(loadErr).NotTo(HaveOccurred())
			Expect(f.WaitCaughtUp(ctx)).To(Succeed())
			Expect(f.objections(ctx)).To(HaveKey(checkLedger))
		})
	}
})

// patched drives the cell's tool with a bug in it.
func patched(ctx SpecContext, bug migration.Bug) migration.Tool {
	GinkgoHelper()
	program := suitekit.Cell().Tool
	broken, err := program.Patched(ctx, suitekit.WorkDir("patched"), bug.Patches...)
	if errors.Is(err, tool.ErrNoSource) {
		suitekit.Unsupported(err.Error())
	}
	suitekit.NoFault(err)
	driver, err := migration.New(broken)
	suitekit.NoFault(err)
	return driver
}
