//go:build planted

package migration_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/setting"
)

// A tool that is right under a setting is broken there, and the rule of the settings' specs catches it.
var _ = forTool("settings", func(driver migration.Tool) {
	faults := migration.PlantedIn(driver.Name())
	if faults.Blind == nil {
		return
	}
	mode := driver.Describe().PrimaryModes[0]
	w := way{mode: mode, name: mode.String()}
	for _, one := range setting.All() {
		if one.Reported {
			It(fmt.Sprintf("%s: a build that fails under %s is caught", w.mode, one), labelsOf(true), func(ctx SpecContext) { blind(ctx, driver, one, w) })
		}
	}
})

// stuckLimit is how long a build may take that never ends.
const stuckLimit = 20 * time.Second

// planted is how many transactions a build must lose some of.
const planted = 200

// blind runs a build that loses what sessions with the setting write, or that hangs under a setting of the server, and
// sees that the rule of these specs catches it.
func blind(ctx SpecContext, driver migration.Tool, one setting.Setting, w way) {
	s := usual(one)
	s.course = planted // some DELETEs are of rows that are copied already
	faults := migration.PlantedIn(driver.Name())
	if one.Server != nil {
		s.limit = stuckLimit
		r := prepareScenario(ctx, driver, s, w)
		_, _, err := r.attempt(ctx, patched(ctx, faults.Stuck("@@GLOBAL."+one.Variable)))
		Expect(err).To(MatchError(ContainSubstring("did not end within")))
		Expect(r.refusesSettings()).To(BeFalse(), "a tool that hangs has refused nothing")
		return
	}
	r := prepareScenario(ctx, driver, s, w)
	_, _, err := r.attempt(ctx, patched(ctx, faults.Blind(one.Condition)))
	Expect(err).NotTo(HaveOccurred())
	Expect(r.differences(ctx)).To(MatchError(ContainSubstring("the tables differ")))
}
