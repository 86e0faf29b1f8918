package migration_test

import (
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/localtests"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/tool"
)

// still is a table without an event: three rows that nobody changes.
const still = `drop table if exists gh_ost_test;
create table gh_ost_test (id int auto_increment, n int not null, primary key (id));
insert into gh_ost_test (n) values (2), (3), (5);
`

// event makes an event that runs a statement every second, for longer than gh-ost holds the copy.
func event(statement string) string {
	return "drop event if exists gh_ost_test;\ndelimiter ;;\n" +
		"create event gh_ost_test on schedule every 1 second starts current_timestamp\n" +
		"  ends current_timestamp + interval 60 second on completion not preserve enable do\n" +
		"begin\n  " + statement + ";\nend ;;\ndelimiter ;\n"
}

// tenASecond are statements that write ten times a second, so that there are some while gh-ost listens, however short that is.
const tenASecond = "declare i int default 0;\n  while i < 10 do insert into gh_ost_test (n) values (7); do sleep(0.1); set i = i + 1; end while"

// lossy is a gh-ost that loses the last rows of the copy, by way of the script's own client.
const lossy = `"$GHOST" "$@" || exit
gh-ost-test-mysql-replica test -e 'delete from _gh_ost_test_gho order by id desc limit 2'
`

// What judges upstream's folders is put to the test as well, with folders and a gh-ost made here. The texts
// begin with gh-ost where gh-ost has to work for it.
var _ = forTool("upstream oracle", func(migration.Tool) {
	if !hasLocaltests() {
		return
	}
	It("a gh-ost that loses rows fails", Label(cell.LabelWaiting), func(ctx SpecContext) {
		run := handmade(ctx, map[string]string{"create.sql": still})
		path := filepath.Join(suitekit.WorkDir("lossy"), "gh-ost")
		suitekit.NoFault(os.WriteFile(path, []byte("#!/bin/sh\n"+lossy), 0o755))
		real := run.Program
		run.Program = &tool.Program{Name: real.Name, Version: real.Version, Path: path, Env: append([]string{"GHOST=" + real.Path}, real.Env...)}
		result := judged(ctx, run)
		Expect(result.Complaint()).To(And(ContainSubstring("checksum mismatch"), ContainSubstring("< 3")), "the lost rows are not among the differences")
		Expect(result.Outcomes).To(HaveExactElements(HaveField("Verdict", localtests.Failed)))
	})

	It("a structure that is not as expected fails", Label(cell.LabelWaiting, cell.LabelFull), func(ctx SpecContext) {
		run := handmade(ctx, map[string]string{"create.sql": still, "expect_table_structure": "no_such_column"})
		result := judged(ctx, run)
		Expect(result.Complaint()).To(ContainSubstring("table structure was expected to include no_such_column"))
		Expect(result.Outcomes).To(HaveExactElements(HaveField("Verdict", localtests.Failed)))
	})

	It("an event that changes nothing is vacuous, one that writes is not", Label(cell.LabelWaiting), func(ctx SpecContext) {
		idle := handmade(ctx, map[string]string{"create.sql": still + event("insert into no_such_table values (7)")})
		Expect(vacuous(ctx, idle)).To(ContainSubstring("the event of create.sql changed no row"))
		// The same servers again; the script drops what it left. It does not start replication on MySQL 9.x, where it
		// knows the new words for 8.4 only: there, all that follows its first folder would be vacuous.
		suitekit.NoFault(idle.Replica.Server.StartReplica(ctx, ""))
		busy := handmadeOn(idle, "v", map[string]string{"create.sql": still + event(tenASecond)})
		Expect(vacuous(ctx, busy)).To(BeEmpty())
	})
})

var _ = Describe("oracle upstream:", func() {
	if !hasLocaltests() {
		return
	}
	It("a failure that the server causes, where any would do, is vacuous", Label(cell.LabelWaiting, cell.LabelFull), func(ctx SpecContext) {
		run := handmade(ctx, map[string]string{"create.sql": still, "expect_failure": "", "extra_args": "--password=wrong"})
		Expect(vacuous(ctx, run)).To(ContainSubstring("before it looked at the table"))
	})
})

func hasLocaltests() bool {
	program := suitekit.Cell().Tool
	_, err := localtests.Read(program.Dir)
	return cellDriver().Describe().HasLocaltests && err == nil
}

// handmade is a folder made here, to be judged by the script of the gh-ost under test, on servers of its own.
func handmade(ctx SpecContext, files map[string]string) *localtests.Script {
	program := suitekit.Cell().Tool
	tests, err := localtests.Read(program.Dir)
	suitekit.NoFault(err)
	return upstream(ctx, tests, writeFolder("h", files), &program)
}

// handmadeOn is another folder on the servers of a first one.
func handmadeOn(first *localtests.Script, name string, files map[string]string) *localtests.Script {
	run := *first
	run.Folders, run.Workdir = []localtests.Folder{writeFolder(name, files)}, suitekit.WorkDir("u"+name)
	return &run
}

func writeFolder(name string, files map[string]string) localtests.Folder {
	dir := suitekit.WorkDir(filepath.Join("handmade", name))
	for file, text := range files {
		suitekit.NoFault(os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644))
	}
	folder, err := localtests.ReadFolder(dir)
	suitekit.NoFault(err)
	return folder
}

func judged(ctx SpecContext, run *localtests.Script) *localtests.Result {
	result, err := run.Run(ctx)
	if result != nil {
		suitekit.Attach(result.ScriptLog)
		suitekit.Attach(result.GhostLog)
	}
	suitekit.NoFault(err)
	return result
}

// vacuous is why a folder proved nothing. One that the script does not pass fails the spec.
func vacuous(ctx SpecContext, run *localtests.Script) string {
	result := judged(ctx, run)
	folder := run.Folders[0]
	if result.Verdict(folder.Name) != localtests.Passed {
		Fail(result.Complaint())
	}
	changed, err := result.Changed(ctx, run.Primary.Server)
	suitekit.NoFault(err)
	return folder.Vacuous(result, changed)
}
