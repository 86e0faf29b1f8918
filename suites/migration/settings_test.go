package migration_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/sandbox"
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

// underLarge is the same with values of tens of kilobytes.
var underLarge = scenario{
	group: "settings", name: "values of 40 kilobytes",
	create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v MEDIUMTEXT) DEFAULT CHARSET=utf8mb4"),
	alter:  adding + ", MODIFY a BIGINT NOT NULL",
	typed: workload.Typed{
		Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{{Name: "a", Values: []string{"1", "-7", "1000"}},
			{Name: "v", Values: []string{"REPEAT('wide', 10000)", "'narrow'", "REPEAT('é', 20000)", "NULL"}}},
	},
	rows:   60,
	spread: spreadOne,
}

// rowsToLoad are what LOAD DATA finds: three rows of one key, of which REPLACE keeps the last and IGNORE none.
const rowsToLoad = "1\tfirst\t3\n-7\t\\N\t4\n1000\twith a \\t tab and é\t5\n"

func init() {
	mysql.RegisterReaderHandler(setting.Rows, func() io.Reader { return strings.NewReader(rowsToLoad) })
}

// under is a scenario with settings.
func under(s scenario, settings ...setting.Setting) scenario {
	s.settings = settings
	for _, one := range settings {
		s.needs = slices.Concat(s.needs, one.Needs)
		s.typed.More = slices.Concat(s.typed.More, one.Statements)
	}
	return s
}

// around puts what one of the settings has around each statement around those of a script.
func (s scenario) around(script workload.Script, index int64) workload.Script {
	i := slices.IndexFunc(s.settings, func(one setting.Setting) bool { return one.Around != nil })
	if i < 0 {
		return script
	}
	n := index * numbersOfScript
	return func() workload.Transaction {
		t := script()
		n++
		around := s.settings[i].Around(n)
		t.Statements = slices.Concat(around.Before, t.Statements, around.After)
		t.Undo = around.Undo
		return t
	}
}

// numbersOfScript are more than the transactions of any script, so that those of two have different numbers.
const numbersOfScript = 1_000_000

// usual is the scenario for settings by themselves.
func usual(settings ...setting.Setting) scenario {
	switch {
	case slices.ContainsFunc(settings, func(s setting.Setting) bool { return s.JSON }):
		return under(underJSON, settings...)
	case slices.ContainsFunc(settings, func(s setting.Setting) bool { return s.Large }):
		return under(underLarge, settings...)
	}
	return under(underSettings, settings...)
}

// drawn is any other scenario that settings can be tried with: one that has no settings of its own, and that all tools are
// known to pass. The others send UTF-8 to columns of several character sets, and bytes: what a session in another one stores of
// that depends on whether it comes before the exchange.
func drawn(random *rand.Rand, settings []setting.Setting) scenario {
	if slices.ContainsFunc(settings, func(s setting.Setting) bool { return !s.InAnyScenario() }) {
		return usual(settings...)
	}
	statements := slices.ContainsFunc(settings, func(s setting.Setting) bool { return s.Variable == "binlog_format" })
	list := slices.DeleteFunc(scenarios(), func(s scenario) bool {
		if statements && slices.Contains(s.needs, flavor.CapSequences) {
			return true // MariaDB logs the use of a sequence as rows only, and refuses the application's statement
		}
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
		if s.lowerCase() {
			labels = append(labels, cell.LabelProfile+string(sandbox.ProfileLowerCase))
		}
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

// lowerCase says that the servers keep the names of tables in lower case.
func (s scenario) lowerCase() bool {
	return slices.ContainsFunc(s.settings, func(one setting.Setting) bool { return one.LowerCase })
}

// logged is the scenario as its table is made: replicas have that.
func (s scenario) logged() scenario {
	s.settings = slices.DeleteFunc(slices.Clone(s.settings), func(one setting.Setting) bool { return one.Unlogged })
	return s
}

// withoutLog says that replicas do not have what the application writes.
func (s scenario) withoutLog() bool {
	return slices.ContainsFunc(s.settings, func(one setting.Setting) bool { return one.Unlogged })
}

// refusesSettings says that the tool ended by itself and named one of the settings.
func (r *scenarioRun) refusesSettings() bool {
	return r.result != nil && r.result.ExitCode > 0 && slices.ContainsFunc(r.settings, func(s setting.Setting) bool {
		return regexp.MustCompile(s.Refusal).MatchString(reason(r.result) + lastWords(r.result.Output))
	})
}

// lastLines is in how many of its last lines a tool says why it refuses.
const lastLines = 12

// lastWords are the last lines of a tool's output.
func lastWords(output string) string {
	lines := regexp.MustCompile(`\n+`).Split(output, -1)
	return fmt.Sprint(lines[max(0, len(lines)-lastLines):])
}
