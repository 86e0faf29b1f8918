package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/usertables"
)

// migrationEntry is a server that gh-ost works on.
const migrationEntry = "mariadb-11.8"

// oddDump has what dumps have: no database at first, then several, names that need quotes, a statement that keeps
// it out of the binary log, tables that gh-ost refuses, a view, a trigger and an event.
const oddDump = `SET @@SESSION.SQL_LOG_BIN= 0;
CREATE TABLE plain (id INT PRIMARY KEY, name VARCHAR(20));
INSERT INTO plain VALUES (1, 'a'), (2, 'ž'), (3, NULL);
CREATE DATABASE shop;
USE shop;
` + "CREATE TABLE `select` (`order` INT AUTO_INCREMENT PRIMARY KEY, `from` TEXT);\n" +
	"CREATE TABLE `with space. and dot` (id INT PRIMARY KEY);\n" +
	"CREATE TABLE `<script>alert(1)</script>` (id INT PRIMARY KEY, g INT AS (id + 1) VIRTUAL);\n" +
	"INSERT INTO `<script>alert(1)</script>` (id) VALUES (7);\n" +
	`CREATE TABLE keyless (a INT);
INSERT INTO keyless VALUES (1), (1);
CREATE TABLE parent (id INT PRIMARY KEY);
CREATE TABLE child (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES parent (id));
CREATE VIEW seen AS SELECT id FROM parent;
DELIMITER ;;
CREATE TRIGGER onwards AFTER INSERT ON parent FOR EACH ROW BEGIN INSERT INTO child VALUES (NEW.id, NEW.id); END ;;
CREATE EVENT tick ON SCHEDULE EVERY 1 SECOND DO BEGIN INSERT INTO parent SELECT 1 + COUNT(*) FROM parent; END ;;
DELIMITER ;
`

func dumpFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dump.sql")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// migrate runs matrix migrate and reads its report.
func migrate(t testing.TB, runs, dump string, more ...string) (int, usertables.Report, string) {
	t.Helper()
	out := t.TempDir()
	c := start(t, runs, append([]string{"migrate", "--entry", migrationEntry, "--schema", dump, "--out", out}, more...)...)
	code, output := c.wait(t, 5*time.Minute)
	var report usertables.Report
	text, err := os.ReadFile(filepath.Join(out, "migrate.json"))
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	if err != nil {
		t.Fatalf("exit code %d, %v\n%s", code, err, output)
	}
	return code, report, output
}

func TestMigrate(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs := runFolder(t)
	code, report, output := migrate(t, runs, dumpFile(t, oddDump))
	exitCodeIs(t, code, exitFailed, output, "7 tables: 4 migrated, 3 refused", "no PRIMARY nor UNIQUE key", "foreign keys")
	want := map[string]usertables.Verdict{
		"own.plain": usertables.VerdictMigrated, "shop.select": usertables.VerdictMigrated, "shop.with space. and dot": usertables.VerdictMigrated,
		"shop.<script>alert(1)</script>": usertables.VerdictMigrated,
		"shop.keyless":                   usertables.VerdictRefused, "shop.parent": usertables.VerdictRefused, "shop.child": usertables.VerdictRefused,
	}
	for _, o := range report.Tables {
		name := o.Database + "." + o.Table
		if o.Verdict != want[name] {
			t.Errorf("%s is %s, want %s: %s %s", name, o.Verdict, want[name], o.Message, o.Differences)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("no word on %v", want)
	}
	nothingLeft(t, runs)
}

// TestMigrateFindsDamage holds that the comparison can fail: gh-ost gets a bug that loses the last chunk.
func TestMigrateFindsDamage(t *testing.T) {
	needsServer(t)
	t.Parallel()
	broken := brokenGhost(t)
	dump := "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1)"
	for i := 2; i <= 1500; i++ {
		dump += fmt.Sprintf(",(%d)", i)
	}
	code, report, output := migrate(t, runFolder(t), dumpFile(t, dump+";\n"), "--tool", "gh-ost="+broken)
	exitCodeIs(t, code, exitFailed, output, "differs", "(no row)")
	if len(report.Tables) != 1 || report.Tables[0].Verdict != usertables.VerdictDiffers {
		t.Errorf("report %+v", report)
	}
}

func brokenGhost(t testing.TB) string {
	t.Helper()
	m, err := matrix.Load(filepath.Join(projectRoot(t), matrixFile))
	if err != nil {
		t.Fatal(err)
	}
	ref, err := m.ResolveTool("gh-ost")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	program, err := (&tool.Store{Cache: c}).Obtain(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	broken, err := program.Patched(t.Context(), t.TempDir(), tool.Patch{
		File: "go/logic/applier.go", Find: regexp.MustCompile(`for i := 0; i < 2; i\+\+ \{`), Replace: `for i := 0; i < 1; i++ {`,
	})
	if err != nil {
		t.Fatal(err)
	}
	return broken.Path
}

// TestMigrateBadInput are mistakes that only a server finds. Each is told at once, and no server is left.
func TestMigrateBadInput(t *testing.T) {
	needsServer(t)
	const table = "CREATE TABLE t (id INT PRIMARY KEY);\n"
	tests := map[string]struct {
		dump string
		args []string
		says []string
	}{
		"syntax error":   {table + "\nCREATE TABEL u (id INT);\n", nil, []string{"dump.sql:3: mariadb 11.8", "near 'TABEL u (id INT)'", "CREATE TABEL u"}},
		"feature":        {table + "CREATE TABLE u (a TEXT) COLLATE utf8mb4_no_such_ci;\n", nil, []string{"dump.sql:2: ", "utf8mb4_no_such_ci"}},
		"no table":       {"SELECT 1;\n", nil, []string{"made no table"}},
		"no such table":  {table, []string{"--table", "orders"}, []string{`no table matches "orders"; there are own.t`}},
		"invalid change": {table, []string{"--alter", "ADDD COLUMN x INT"}, []string{"ALTER TABLE own.t ADDD COLUMN x INT: ", "error in your SQL syntax"}},
		"unknown type":   {table, []string{"--alter", "ADD COLUMN x INTT"}, []string{"ALTER TABLE own.t ADD COLUMN x INTT: ", "INTT"}},
		"unknown engine": {table, []string{"--alter", "engine=nodb"}, []string{"ALTER TABLE own.t engine=nodb: ", "nodb"}},
		"client command": {table + "\\! touch /tmp/never\n", nil, []string{"dump.sql:2: "}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs := runFolder(t)
			args := []string{"migrate", "--entry", migrationEntry, "--schema", dumpFile(t, test.dump), "--out", t.TempDir()}
			code, output := runMatrix(t, runs, append(args, test.args...)...)
			exitCodeIs(t, code, exitUsage, output, test.says...)
			if strings.Contains(output, "goroutine") {
				t.Errorf("output has a stack:\n%s", output)
			}
		})
	}
}

func TestInterruptedMigrate(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs := runFolder(t)
	c := start(t, runs, "migrate", "--entry", migrationEntry, "--schema", dumpFile(t, oddDump), "--out", t.TempDir())
	until(t, "gh-ost at work", 2*time.Minute, func() bool {
		infos, err := proc.Find(runs)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(infos, func(one proc.Info) bool { return strings.Contains(one.Command, "--execute") })
	})
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	code, output := c.wait(t, 40*time.Second)
	exitCodeIs(t, code, exitInterrupted, output, "interrupted: ")
	nothingLeft(t, runs)
}
