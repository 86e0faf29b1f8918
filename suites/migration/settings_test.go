package migration_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"

	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/setting"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/workload"
)

// underSettings is the scenario that every setting is tried with: every kind of statement on a table with numbers,
// text and bytes.
var underSettings = scenario{
	group: "settings", name: "every kind of statement",
	create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(60), b BLOB, n INT NOT NULL DEFAULT 3) DEFAULT CHARSET=utf8mb4"),
	alter:  adding + ", MODIFY a BIGINT NOT NULL",
	typed: workload.Typed{
		Name: "t", Key: workload.ID("id"), Values: append(slices.Clone(plain), workload.ValueColumn{Name: "b", Values: []string{"0x00ff", "NULL", "0x61"}}),
		More: []string{"UPDATE t SET n = n + 1 WHERE %[1]s", "UPDATE t SET v = 'changed' WHERE %[1]s"},
	},
	spread: spreadOne,
}

// underJSON is the same with updates in place of JSON documents.
var underJSON = scenario{
	group: "settings", name: "updates of JSON in place",
	create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, doc JSON) DEFAULT CHARSET=utf8mb4"),
	alter:  adding + ", MODIFY a BIGINT NOT NULL",
	typed: workload.Typed{
		Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{{Name: "a", Values: []string{"1", "-7", "1000"}},
			{Name: "doc", Values: []string{`'{"n": 1, "name": "a long enough name", "list": [1, 2, 3]}'`, `'{"n": 2, "name": "another name", "list": []}'`}}},
		More: []string{
			`UPDATE t SET doc = JSON_SET(doc, '$.n', %[2]d) WHERE %[1]s`,
			`UPDATE t SET doc = JSON_REPLACE(doc, '$.name', 'short') WHERE %[1]s`,
			`UPDATE t SET doc = JSON_REMOVE(doc, '$.list') WHERE %[1]s`,
		},
	},
	spread: spreadOne,
}

// under is a scenario with settings.
func under(s scenario, settings ...setting.Setting) scenario {
	s.settings = settings
	for _, one := range settings {
		s.needs = slices.Concat(s.needs, one.Needs)
	}
	return s
}

// usual is the scenario for settings by themselves.
func usual(settings ...setting.Setting) scenario {
	if slices.ContainsFunc(settings, func(s setting.Setting) bool { return s.JSON }) {
		return under(underJSON, settings...)
	}
	return under(underSettings, settings...)
}

// drawn is any other scenario that settings can be tried with: one that has no settings of its own, and that all tools are
// known to pass. The others send UTF-8 to columns of several character sets, and bytes: what a session in another one stores of
// that depends on whether it comes before the exchange.
func drawn(random *rand.Rand, settings []setting.Setting) scenario {
	if slices.ContainsFunc(settings, func(s setting.Setting) bool {
		return s.JSON || s.Variable == setting.CharacterSet && s.Value != "utf8mb4"
	}) {
		return usual(settings...)
	}
	list := slices.DeleteFunc(scenarios(), func(s scenario) bool {
		return s.options != nil || s.sqlMode != "" || s.timeZone != "" || s.zone != "" || s.limit != 0 || s.is != "" || s.probed || s.finds
	})
	return under(list[random.IntN(len(list))], settings...)
}

// inPRSettings are the settings of the pr tier: few are enough to see that the rule holds.
var inPRSettings = []string{"binlog_row_image=MINIMAL in sessions"}

// A tool has the right rows under every setting, or refuses it and says so.
var _ = forTool("settings", func(driver migration.Tool) {
	tool := driver.Describe()
	w := way{mode: tool.PrimaryModes[0], name: tool.PrimaryModes[0].String()}
	spec := func(s scenario, labels Labels, title string) {
		It(fmt.Sprintf("%s: %s", w.mode, title), labels, func(ctx SpecContext) {
			r := prepareScenario(ctx, driver, s, w)
			r.perform(ctx)
			r.judge(ctx)
			suitekit.Detail("settings refused", "", map[bool]float64{true: 1}[r.refused])
		})
	}
	for _, one := range setting.All() {
		spec(usual(one), labelsOf(!slices.Contains(inPRSettings, one.String())), "has the right rows or refuses under "+one.String())
	}
	random := rand.New(rand.NewPCG(uint64(suitekit.Cell().Seed), 1))
	for _, pair := range setting.Pairs(suitekit.Cell().Seed, setting.On(suitekit.Cell().Flavor, setting.All())) {
		s := drawn(random, pair)
		spec(s, labelsOf(true), fmt.Sprintf("has the right rows or refuses under %s: %s", setting.Names(pair), s.name))
	}
})

// refusesSettings says that the tool ended by itself and named one of the settings.
func (r *scenarioRun) refusesSettings() bool {
	return r.result != nil && r.result.ExitCode > 0 && slices.ContainsFunc(r.settings, func(s setting.Setting) bool {
		return regexp.MustCompile(s.Refusal).MatchString(lastWords(r.result.Output))
	})
}

// lastLines is in how many of its last lines a tool says why it refuses.
const lastLines = 12

// lastWords are the last lines of a tool's output.
func lastWords(output string) string {
	lines := regexp.MustCompile(`\n+`).Split(output, -1)
	return fmt.Sprint(lines[max(0, len(lines)-lastLines):])
}
