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

const (
	// quickChange is one that a server makes at once, where it knows ALGORITHM=INSTANT.
	quickChange = "ADD COLUMN note VARCHAR(40) NOT NULL DEFAULT 'none'"
	// rowVersions is above how many instant changes a table takes before it must be built anew: 64 since MySQL 8.0.29, 255
	// since 9.1. https://dev.mysql.com/doc/refman/9.1/en/innodb-online-ddl-operations.html ("Adding a Column")
	rowVersions = 300
)

var _ = forTool("instant change", func(driver migration.Tool) {
	tool := driver.Describe()
	if tool.Instant == nil {
		return
	}
	mode := tool.PrimaryModes[0]
	It(fmt.Sprintf("%s: is made by the server at once where it can, and is copied where it cannot", mode), Label(cell.LabelFull), func(ctx SpecContext) {
		instant(ctx, driver, mode, false)
	})
	It(fmt.Sprintf("%s: is copied when the table has no row version left", mode), Label(cell.LabelFull), func(ctx SpecContext) {
		instant(ctx, driver, mode, true)
	})
})

// instant asks for a change that is made at once when the server can. The server itself says whether it can, on the model.
func instant(ctx SpecContext, driver migration.Tool, mode migration.Mode, usedUp bool) {
	f := setUp(ctx, driver, mode, setup{})
	f.needs(ctx, f.tool.Instant.Flag)
	suitekit.NoFault(f.primary.Exec(ctx, "DROP TABLE "+model.String(), "CREATE TABLE "+model.String()+" LIKE "+table.String()))
	if usedUp {
		f.useUpRowVersions(ctx)
	}
	refused := f.primary.Exec(ctx, "ALTER TABLE "+model.String()+" "+quickChange+", ALGORITHM=INSTANT")
	if refused != nil {
		suitekit.NoFault(f.primary.Exec(ctx, "ALTER TABLE "+model.String()+" "+quickChange))
	}
	suitekit.NoFault(f.WaitCaughtUp(ctx))
	load := f.traffic(ctx, &traffic{})
	job := f.newJob(f.tool.Instant.Flag)
	job.Alter = quickChange
	result := f.start(ctx, driver, &job, 0).succeed(ctx)
	Expect(load.halt()).To(Succeed())
	if refused == nil {
		Expect(result.Output).To(ContainSubstring(f.tool.Instant.Done), "the server makes this change at once")
	} else {
		Expect(result.Output).NotTo(ContainSubstring(f.tool.Instant.Done), "the server refuses: %v", refused)
		Expect(result.RowsCopied).To(BeNumerically(">=", smallTable))
	}
	Expect(f.verify(ctx, changed)).To(Succeed())
}

// useUpRowVersions leaves the table, and the model, no instant change more.
func (f *fixture) useUpRowVersions(ctx context.Context) {
	GinkgoHelper()
	rows, err := f.primary.Rows(ctx, "SELECT COUNT(*) AS n FROM information_schema.columns WHERE table_schema = 'information_schema' AND table_name = 'INNODB_TABLES' AND column_name = 'TOTAL_ROW_VERSIONS'")
	suitekit.NoFault(err)
	if rows[0]["n"] == "0" {
		suitekit.Unsupported("the server does not count a table's row versions (MySQL 8.0.29 and later do)")
	}
	for n := range rowVersions {
		change := "ADD COLUMN spare INT, ALGORITHM=INSTANT"
		if n%2 == 1 {
			change = "DROP COLUMN spare, ALGORITHM=INSTANT"
		}
		if err := f.primary.Exec(ctx, "ALTER TABLE "+model.String()+" "+change); err != nil {
			suitekit.Detail("instant changes until the server refuses one", "", float64(n))
			return
		}
		suitekit.NoFault(f.primary.Exec(ctx, "ALTER TABLE "+table.String()+" "+change))
	}
	Fail(fmt.Sprintf("the server has taken %d instant changes", rowVersions))
}
