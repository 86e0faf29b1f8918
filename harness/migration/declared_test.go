package migration

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "mysqlmatrix/harness/basedir" // the kinds of sources
	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
)

const declaredMatrix = `
tools:
  - name: own
    suites: [migration]
    declare:
      arguments: ["change", "--to={host}:{port}", "--login={password_file}", "{database}.{table}", "{alter}"]
      follows: triggers
      new_table: "_{table}_copy"
      leaves: ["table _{table}_copy", "trigger own_{database}_{table}"]
      hold: ["--wait-for={file}"]
      cases:
        - {case: no-key, refuses: "no key"}
        - {case: renamed-key, arguments: ["--renames"]}
    versions:
      - {version: "1", tier: full, program: own.sh}
entries:
  - name: mysql-8.0
    vendor: mysql
    series: "8.0"
    tier: pr
    sources:
      - dir: {path: /opt/mysql}
`

// TestDeclaredTool holds that a tool that only matrix.yaml knows is found, described and run.
func TestDeclaredTool(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{"matrix.yaml": declaredMatrix, "own.sh": "#!/bin/sh\nprintf '%s\\n' \"$@\"; cat client.cnf\n"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m, err := matrix.Load(filepath.Join(dir, "matrix.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ref, err := m.ResolveTool("own")
	if err != nil {
		t.Fatal(err)
	}
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program, err := (&tool.Store{Cache: store}).Obtain(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	driver, err := New(program)
	if err != nil {
		t.Fatal(err)
	}
	d := driver.Describe()
	if d.Objects.NewTable("t") != "_t_copy" || d.Case(CaseNoKey).Refusal != "no key" || !d.Triggers || d.Immediate || d.Modes[0] != ModeTriggers {
		t.Errorf("described as %+v", d)
	}
	if got := d.Objects.Left("d", "t"); !slices.Equal(got, []string{"table _t_copy", "trigger own_d_t"}) {
		t.Errorf("leaves %q", got)
	}
	job := Job{Mode: ModeTriggers, Database: "d", Table: "t", Alter: "ADD c INT", Workdir: t.TempDir(),
		Primary: server.Endpoint{Host: "127.0.0.1", Port: 3306, User: "u", Password: "hidden"}, Extra: d.Case(CaseRenamedKey).Flags}
	if err := job.Hold(); err != nil {
		t.Fatal(err)
	}
	result, err := driver.Migrate(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	want := "change\n--to=127.0.0.1:3306\n--login=" + filepath.Join(job.Workdir, credentialsFile) + "\nd.t\nADD c INT\n--wait-for=" + job.held + "\n--renames\n"
	if !strings.HasPrefix(result.Output, want) || !strings.Contains(result.Output, "password=hidden") {
		t.Errorf("ran as\n%s\nwant\n%s", result.Output, want)
	}
	if _, err := os.Stat(job.held); errors.Is(err, os.ErrNotExist) {
		t.Error("the file that holds the tool is gone")
	}
}

// TestCaseNames holds that a declaration can speak of every case, and of no other.
func TestCaseNames(t *testing.T) {
	cases := []Case{CaseNoKey, CaseNullableKey, CaseNullableKeyWithoutNull, CaseFloatKey, CaseRenamedKey, CaseReplacedPrimaryKey,
		CaseSwappedUniqueKeys, CaseSwappedColumns, CaseInvalidDates, CaseLargeTransactions, CaseReorderedMembers, CaseReferenced, CaseForeignKey,
		CaseTrigger, CasePartialRowImage, CaseStatementFormat, CaseFewPrivileges, CaseExistingNewTable}
	var names []string
	for _, c := range cases {
		names = append(names, string(c))
	}
	if !slices.Equal(names, matrix.CaseNames) {
		t.Errorf("cases %q, a declaration's are %q", names, matrix.CaseNames)
	}
}
