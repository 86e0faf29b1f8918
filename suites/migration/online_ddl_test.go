package migration_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
)

// A statement of the server's own that is killed is rolled back.
var _ = forTool("interruption", func(driver migration.Tool) {
	tool := driver.Describe()
	if !tool.Immediate {
		return
	}
	mode := tool.PrimaryModes[0]
	It(fmt.Sprintf("%s: leaves the table unchanged when its session is killed", mode), Label(cell.LabelFull), func(ctx SpecContext) {
		f := setUp(ctx, driver, mode, setup{rows: rows})
		load := f.traffic(ctx, &traffic{})
		release := f.lockRow(ctx, rows/2) // the copy waits, or the statement does
		r := f.begin(ctx)
		var id string
		r.reaches(ctx, "the statement is at work", func(ctx context.Context) (string, bool, error) {
			list, err := f.primary.Rows(ctx, "SELECT id, state FROM information_schema.processlist WHERE user = "+server.Quote(toolUser)+" AND info LIKE 'ALTER TABLE%'")
			if len(list) > 0 {
				id = list[0]["id"]
			}
			return fmt.Sprint(list), len(list) > 0, err
		})
		suitekit.NoFault(f.primary.Exec(ctx, "KILL "+id))
		_, err := r.end(ctx)
		release()
		Expect(err).To(HaveOccurred(), "expected the statement to fail")
		Expect(load.halt()).To(Succeed())
		Expect(f.verify(ctx, unchanged)).To(Succeed())
		f.runAgain(ctx)
	})
})
