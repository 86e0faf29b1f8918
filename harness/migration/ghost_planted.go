//go:build planted

package migration

import (
	"regexp"

	"mysqlmatrix/harness/tool"
)

const (
	ghostApplierFile  = "go/logic/applier.go"
	ghostMigratorFile = "go/logic/migrator.go"
)

// dropEvents makes gh-ost lose the events of the binary log for which a Go expression is true. In the
// expression, event is a *binlog.BinlogDMLEvent and ${1} the applier.
func dropEvents(condition string) tool.Patch {
	return tool.Patch{
		File: ghostApplierFile,
		Find: regexp.MustCompile(`func \((\w+) \*Applier\) ApplyDMLEventQueries\((\w+) \[\]\(\*binlog\.BinlogDMLEvent\)\) error \{\n`),
		Replace: `${0}	kept := ${2}[:0:0]
	for _, event := range ${2} {
		if !(` + condition + `) {
			kept = append(kept, event)
		}
	}
	if ${2} = kept; len(kept) == 0 {
		return nil
	}
`,
	}
}

func init() { planted["gh-ost"] = Planted{Bugs: ghostBugs} }

// ghostBugs are faults in gh-ost's source, the one for the pr tier first.
var ghostBugs = []Bug{
	// The second way to find a chunk's end is for the last chunk, which is not full.
	{"skips the last chunk", []tool.Patch{{
		File: ghostApplierFile, Find: regexp.MustCompile(`for i := 0; i < 2; i\+\+ \{`), Replace: `for i := 0; i < 1; i++ {`,
	}}},
	{"loses the updates of the binary log", []tool.Patch{dropEvents("event.DML == binlog.UpdateDML")}},
	{"loses the deletes of the binary log", []tool.Patch{dropEvents("event.DML == binlog.DeleteDML")}},
	{"cuts over a second after the last event that it applied", []tool.Patch{
		dropEvents("atomic.LoadInt64(&${1}.migrationContext.InCutOverCriticalSectionFlag) == 1"),
		{
			File:    ghostMigratorFile,
			Find:    regexp.MustCompile(`(?s)\) atomicCutOver\(\) \(err error\) \{\n.*?InCutOverCriticalSectionFlag, 1\)\n`),
			Replace: "${0}\ttime.Sleep(time.Second)\n",
		},
	}},
}
