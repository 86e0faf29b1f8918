package migration_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
)

var _ = forTool("rolling upgrade", func(driver migration.Tool) {
	mode := driver.Describe().PrimaryModes[0]
	It(fmt.Sprintf("%s: changes a table of a primary that is older than its replica, under concurrent writers", mode), Label(cell.LabelFull, cell.LabelOlder, cell.LabelOnOlder), func(ctx SpecContext) {
		older := suitekit.OlderSource(sandbox.ProfileFast)
		AddReportEntry("versions", fmt.Sprintf("%s below %s", suitekit.Flavor(sandbox.ProfileFast), older.Flavor))
		f := setUp(ctx, driver, mode, setup{Options: topology.Options{Golden: map[int]*sandbox.Golden{0: older}}, fresh: true})
		load := f.traffic(ctx, &traffic{})
		result := f.begin(ctx).succeed(ctx)
		Expect(load.halt()).To(Succeed())
		measure(result, load.stall)
		Expect(f.verify(ctx, changed)).To(Succeed())
	})
})
