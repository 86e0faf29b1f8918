package migration_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/tool"
)

// bug is a tool that does not do all of its work, by a change of its source.
type bug struct {
	what    string
	patches []tool.Patch
}

const (
	ghostApplier  = "go/logic/applier.go"
	ghostMigrator = "go/logic/migrator.go"
)

// dropEvents makes gh-ost lose the events of the binary log for which a Go expression is true. In the
// expression, event is a *binlog.BinlogDMLEvent and ${1} the applier.
func dropEvents(condition string) tool.Patch {
	return tool.Patch{
		File: ghostApplier,
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

// bugs are planted into the tools, the one for the pr tier first.
var bugs = map[string][]bug{
	migration.NameGhost: {
		// The second way to find a chunk's end is for the last chunk, which is not full.
		{"skips the last chunk", []tool.Patch{{
			File: ghostApplier, Find: regexp.MustCompile(`for i := 0; i < 2; i\+\+ \{`), Replace: `for i := 0; i < 1; i++ {`,
		}}},
		{"loses the updates of the binary log", []tool.Patch{dropEvents("event.DML == binlog.UpdateDML")}},
		{"loses the deletes of the binary log", []tool.Patch{dropEvents("event.DML == binlog.DeleteDML")}},
		{"cuts over a second after the last event that it applied", []tool.Patch{
			dropEvents("atomic.LoadInt64(&${1}.migrationContext.InCutOverCriticalSectionFlag) == 1"),
			{
				File:    ghostMigrator,
				Find:    regexp.MustCompile(`(?s)\) atomicCutOver\(\) \(err error\) \{\n.*?InCutOverCriticalSectionFlag, 1\)\n`),
				Replace: "${0}\ttime.Sleep(time.Second)\n",
			},
		}},
	},
	migration.NamePTOSC: {
		{"has a delete trigger that deletes nothing", []tool.Patch{{
			Find: regexp.MustCompile(`"WHERE \$del_index_cols`), Replace: `"WHERE FALSE AND $$del_index_cols`,
		}}},
		{"has an update trigger that keeps the old row", []tool.Patch{{
			Find:    regexp.MustCompile(`(WHERE !\(\$upd_index_cols\) AND \$del_index_cols; ?"\s*\. ")REPLACE INTO`),
			Replace: `${1}INSERT IGNORE INTO`,
		}}},
		// Now and then MySQL 9.7 tells it of a table of "approximately 0 rows", which is then all of one chunk.
		{"skips a chunk", []tool.Patch{{
			Find:    regexp.MustCompile(`\$tbl->\{nibble_time\} = exec_nibble\(`),
			Replace: `return 0 if $$nibble_iter->one_nibble() || $$tbl->{results}->{n_chunks} == 3; ${0}`,
		}}},
	},
}

// unevenChunk leaves some 300 rows for the last chunk, whatever the writers have added or deleted by then.
const unevenChunk = 700

// A tool with a bug in it must be caught, or the specs beside these prove nothing. Where the tool itself
// does not work, these fail as the others do, by the tool's own error.
var _ = forEachTool(func(driver migration.Tool) {
	program, mode := suitekit.Cell().Tool, disturbed[driver.Name()][0]
	for i, one := range bugs[driver.Name()] {
		labels := Label()
		if i > 0 {
			labels = Label(cell.LabelFull)
		}
		It("with a planted bug is caught: "+one.what, labels, func(ctx SpecContext) {
			broken, err := program.Patched(ctx, suitekit.WorkDir("patched"), one.patches...)
			if errors.Is(err, tool.ErrNoSource) {
				suitekit.Unsupported(err.Error())
			}
			suitekit.NoFault(err)
			bad, err := migration.New(broken)
			suitekit.NoFault(err)
			s := deploy(ctx, mode)
			s.migrateBadly(ctx, bad, mode)
			Expect(s.WaitCaughtUp(ctx)).To(Succeed())
			Expect(s.objections(ctx, mode)).To(HaveKey(checkLedger))
		})
	}
})

// migrateBadly runs a tool that says that all is well. Writers that meet the damage go on.
func (s *scene) migrateBadly(ctx SpecContext, driver migration.Tool, mode migration.Mode) {
	load := s.load(ctx)
	limited, cancel := context.WithTimeoutCause(ctx, toolLimit, fmt.Errorf("the tool did not end within %s", toolLimit))
	defer cancel()
	result, err := driver.Migrate(limited, migration.Job{
		Mode: mode, Database: table.Database, Table: table.Name, Alter: change,
		Primary: s.primary.Endpoint, Replica: s.replica.Endpoint,
		Workdir: suitekit.WorkDir("tool"), Scope: suitekit.Cell().Dir, ChunkSize: unevenChunk,
	})
	if result != nil {
		suitekit.Attach(result.Log)
	}
	loadErr := load.Stop()
	if err != nil {
		Fail(err.Error())
	}
	Expect(loadErr).NotTo(HaveOccurred())
}
