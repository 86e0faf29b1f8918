package migration_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/localtests"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/topology"
)

// inPR are the folders that the pr tier runs, one of each kind: an event whose updates change keys, a
// character set with an event that MySQL 9.6 breaks, an sql_mode, a refusal, a structure, a script of its own.
var inPR = []string{
	"swap-uk", "convert-utf8mb4", "datetime-1970", "fail-drop-pk", "autoinc-copy-deletes-user-defined", "panic-on-warnings-batch-middle",
}

// gh-ost's own tests, as they lie beside the gh-ost under test, are judged by the script that lies there.
var _ = forTool("", func(driver migration.Tool) {
	if !driver.Describe().HasLocaltests {
		return
	}
	program := suitekit.Cell().Tool
	tests, err := localtests.Read(program.Dir)
	if err != nil {
		It("upstream: its own tests", func() {
			if !errors.Is(err, localtests.ErrNone) {
				suitekit.NoFault(err)
			}
			suitekit.Unsupported(fmt.Sprintf("gh-ost's own tests lie in its source, and for %s %v: "+
				"name a checkout, --tool gh-ost=/path/to/checkout", program.Path, err))
		})
		return
	}
	// Those that take longest begin first, so that the others do not wait for one of them in the end.
	slices.SortStableFunc(tests.Folders, func(a, b localtests.Folder) int { return cmp.Compare(duration(b), duration(a)) })
	for _, folder := range tests.Folders {
		labels := Label(cell.LabelWaiting)
		if !slices.Contains(inPR, folder.Name) {
			labels = append(labels, cell.LabelFull)
		}
		It("upstream: "+folder.Name, labels, func(ctx SpecContext) {
			run := upstream(ctx, tests, folder, &program)
			conclude(ctx, run, folder)
		})
	}
})

// duration is how long a folder takes, in relation: sysbench writes for half a minute, and a script of its
// own waits for what it has written to come through.
func duration(f localtests.Folder) int {
	switch {
	case f.Sysbench:
		return 2
	case f.Script:
		return 1
	default:
		return 0
	}
}

// upstream gives a folder what upstream's script expects: a primary and a replica with its accounts, and
// sysbench where the folder uses it.
func upstream(ctx SpecContext, tests *localtests.Tests, folder localtests.Folder, program *tool.Program) *localtests.Script {
	run := &localtests.Script{Tests: tests, Folders: []localtests.Folder{folder}, Program: program, Workdir: suitekit.WorkDir("u")}
	if folder.Sysbench {
		run.Sysbench = sysbench(ctx)
	}
	options := topology.Options{Shape: topology.MustShape("star:1")}
	if folder.GTIDMode != "" {
		golden := suitekit.Golden(sandbox.ProfileFast)
		if !golden.Capabilities[flavor.CapGTID] || golden.Flavor.Dialect().GTID != flavor.GTIDMySQL {
			suitekit.Unsupported(fmt.Sprintf("the folder wants gtid_mode %s, a variable that %s does not have", folder.GTIDMode, golden.Flavor))
		}
		options.GTID = folder.GTIDMode == "ON"
		options.Server = append(options.Server, "gtid_mode="+folder.GTIDMode)
	}
	accounts, err := localtests.ServerOptions(run.Workdir)
	suitekit.NoFault(err)
	options.Server = append(options.Server, accounts...)
	t := suitekit.Deploy(ctx, sandbox.ProfileFast, options)
	run.Primary, run.Replica = t.Primary(), t.Replicas()[0]
	addMD5(ctx, t)
	return run
}

// addMD5 gives servers without MD5() (MySQL since 9.6) a stored function of that name, in the database of gh-ost's tests: the
// events of nine folders call it for text that differs from row to row, and would write nothing. The component that the
// server has in its place (component_classic_hashing) takes text only, and refuses the numbers that those events give it.
func addMD5(ctx SpecContext, t *topology.Topology) {
	if suitekit.Golden(sandbox.ProfileFast).Capabilities[flavor.CapMD5] {
		return
	}
	for _, n := range t.Nodes {
		suitekit.NoFault(n.Server.Unlogged(ctx, "CREATE DATABASE IF NOT EXISTS test",
			"CREATE FUNCTION test.md5(s LONGTEXT) RETURNS CHAR(32) CHARSET ascii DETERMINISTIC NO SQL RETURN LEFT(SHA2(s, 256), 32)"))
	}
}

// sysbench is the real one; upstream's script counts its folder as passed without it.
func sysbench(ctx SpecContext) *tool.Program {
	store, err := cache.Open(suitekit.Cell().Cache)
	suitekit.NoFault(err)
	program, err := (&tool.Store{Cache: store}).System(ctx, "sysbench")
	var unavailable *tool.UnavailableError
	if errors.As(err, &unavailable) {
		suitekit.Unsupported("the folder needs sysbench: " + err.Error())
	}
	suitekit.NoFault(err)
	return program
}

// conclude runs a folder, keeps what was measured, and takes over the script's verdict.
func conclude(ctx SpecContext, run *localtests.Script, folder localtests.Folder) {
	result := judged(ctx, run)
	suitekit.Detail("upstream's script", "s", result.Duration.Seconds())
	verdict := result.Verdict(folder.Name)
	if verdict == localtests.Skipped {
		suitekit.Unsupported(fmt.Sprintf("upstream leaves it out on this server: its ignore_versions is %q", folder.IgnoreVersions))
	}
	changed, err := result.Changed(ctx, run.Primary.Server)
	if err == nil {
		suitekit.Detail("rows changed by the workload", "", float64(changed))
		suitekit.Detail("DML events applied", "", float64(result.Applied))
	}
	if verdict != localtests.Passed {
		Fail(result.Complaint())
	}
	suitekit.NoFault(err)
	if reason := folder.Vacuous(result, changed); reason != "" {
		suitekit.Vacuous(reason)
	}
}
