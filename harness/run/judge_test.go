package run

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

const declared = `
tools:
  - name: gh-ost
    suites: [migration]
    versions: [{version: v1.1.6, tier: pr, module: {path: github.com/github/gh-ost, command: go/cmd/gh-ost}}]
entries:
  - {name: mariadb-11.8, vendor: mariadb, series: "11.8", tier: pr, sources: [{dir: {path: /a}}]}
expectations: known
`

const known = `
expectations:
  - {servers: [mariadb 11.8], suite: migration, tool: gh-ost, specs: "^race", error: waiting, sometimes: true, note: two threads, link: "https://example.com/1", review: 2027-06-01}
  - {servers: [mariadb < 11], suite: migration, tool: gh-ost, blocks: cell, except: "^oracle", error: cannot start, link: "https://example.com/3", review: 2027-06-01}
  - {servers: [mariadb 11.8], suite: migration, tool: gh-ost, specs: "^(late|early)", except: "^early", error: waiting, link: "https://example.com/2", review: 2027-06-01}
`

// declaredRun is a runner with known, and the one cell of its matrix.
func declaredRun(t *testing.T) (*runner, matrix.Cell) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "matrix.yaml")
	folder := filepath.Join(filepath.Dir(path), "known")
	if err := errors.Join(os.WriteFile(path, []byte(declared), 0o644), os.Mkdir(folder, 0o755),
		os.WriteFile(filepath.Join(folder, "gh-ost.yaml"), []byte(known), 0o644)); err != nil {
		t.Fatal(err)
	}
	m, err := matrix.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	cells, err := m.Plan(matrix.Selection{})
	if err != nil || len(cells) != 1 {
		t.Fatal(cells, err)
	}
	return &runner{Config: Config{Matrix: m}}, cells[0]
}

// TestJudge holds what becomes of an outcome that is declared.
func TestJudge(t *testing.T) {
	r, one := declaredRun(t)
	for _, c := range []struct {
		spec    string
		verdict report.Verdict
		err     string
		want    report.Verdict
	}{
		{"late", report.VerdictFailed, "waiting for a row", report.VerdictKnown},
		{"late", report.VerdictTimedOut, "waiting for a row", report.VerdictKnown},
		{"late", report.VerdictFailed, "a lost row", report.VerdictFailed},
		{"late", report.VerdictPassed, "", report.VerdictFixed},
		{"late", report.VerdictVacuous, "", report.VerdictVacuous},
		{"race", report.VerdictPassed, "", report.VerdictPassed},
		{"race", report.VerdictFailed, "waiting for a row", report.VerdictKnown},
		{"race", report.VerdictFailed, "a lost row", report.VerdictFailed},
		{"early", report.VerdictPassed, "", report.VerdictPassed},
		{"early", report.VerdictFailed, "waiting for a row", report.VerdictFailed},
	} {
		got := r.judge(&work{cell: one, server: report.ParseServer("11.8.9-MariaDB-0+deb13u1 Debian")}, report.Event{Spec: c.spec, Verdict: c.verdict, Error: c.err})
		if got.Verdict != c.want {
			t.Errorf("%s, %s %q: %s, want %s", c.spec, c.verdict, c.err, got.Verdict, c.want)
		}
	}
}

// A build of one's own is judged by its baseline's known failures: one that passes is fixed by it, which is no failure.
func TestJudgeABuild(t *testing.T) {
	r, c := declaredRun(t)
	c.Tool.Path, c.Tool.Version = "/src/gh-ost", ""
	for _, want := range []struct {
		baseline string
		verdict  report.Verdict
		err      string
		want     report.Verdict
	}{
		{"v1.1.6", report.VerdictPassed, "", report.VerdictFixedByBuild},
		{"v1.1.6", report.VerdictFailed, "waiting for a row", report.VerdictKnown},
		{"v1.1.6", report.VerdictFailed, "a lost row", report.VerdictFailed},
		{"", report.VerdictPassed, "", report.VerdictPassed},
		{"", report.VerdictFailed, "waiting for a row", report.VerdictFailed},
	} {
		c.Tool.Baseline = want.baseline
		got := r.judge(&work{cell: c, server: report.ParseServer("11.8.9-MariaDB MariaDB Server")}, report.Event{Spec: "late", Verdict: want.verdict, Error: want.err})
		if got.Verdict != want.want {
			t.Errorf("baseline %q, %s %q: %s, want %s", want.baseline, want.verdict, want.err, got.Verdict, want.want)
		}
	}
}
