//go:build planted

package migration

import (
	"regexp"

	"mysqlmatrix/harness/tool"
)

func init() {
	planted["spirit"] = Planted{
		Bugs: []Bug{
			{"loses the deletes of the binary log", []tool.Patch{{
				File: "pkg/repl/subscription_map.go",
				Find: regexp.MustCompile(`\) HasChanged\(key, _ \[\]any, deleted bool\) \{\n`), Replace: "${0}\tif deleted {\n\t\treturn\n\t}\n",
			}, spiritUnchecked}},
			{"loses the updates and inserts of the binary log", []tool.Patch{{
				File: "pkg/repl/subscription_map.go",
				Find: regexp.MustCompile(`\) HasChanged\(key, _ \[\]any, deleted bool\) \{\n`), Replace: "${0}\tif !deleted {\n\t\treturn\n\t}\n",
			}, spiritUnchecked}},
		},
	}
}

// spiritUnchecked takes out the checksum, which finds and repairs the rows that a bug has left wrong.
var spiritUnchecked = tool.Patch{
	File: "pkg/migration/runner.go", Find: regexp.MustCompile(`if err := r\.checker\.Run\(ctx\); err != nil \{`), Replace: `if err := error(nil); err != nil {`,
}
