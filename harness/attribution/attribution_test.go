package attribution

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	_ "mysqlmatrix/harness/basedir" // the kinds of sources that matrix.yaml names
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

const (
	P = report.VerdictPassed
	F = report.VerdictFailed
	K = report.VerdictKnown
	U = report.VerdictUnavailable
	S = report.VerdictUnsupported
	E = report.VerdictErrored
)

func loaded(t *testing.T) *matrix.Matrix {
	t.Helper()
	m, err := matrix.Load("../../matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func one(t *testing.T, m *matrix.Matrix, entry, tool string) matrix.Cell {
	t.Helper()
	cells, err := m.Plan(matrix.Selection{Entries: []string{entry}, Suites: []string{"migration"}, Tools: []string{tool}})
	if err != nil || len(cells) != 1 {
		t.Fatalf("%d cells, %v", len(cells), err)
	}
	return cells[0]
}

func TestNeighbours(t *testing.T) {
	m := loaded(t)
	here := func(e matrix.Entry) bool {
		return strings.Contains("mysql-5.6 mysql-9.7 mariadb-10.5 mariadb-10.11 mariadb-11.8", e.Name)
	}
	for _, c := range []struct{ entry, tool, wantTool, wantServer string }{
		{"mariadb-10.11", "gh-ost=v1.1.10", "gh-ost@v1.1.8", "mariadb-10.5"},
		{"mariadb-11.8", "gh-ost=v1.1.6", "gh-ost@v1.1.8", "mariadb-10.11"},
		{"mariadb-10.5", "pt-online-schema-change=3.7.1", "pt-online-schema-change@3.2.1", "mariadb-10.11"},
		{"mysql-9.7", "pt-online-schema-change=3.2.1", "pt-online-schema-change@3.7.1", "mysql-5.6"},
		{"mysql-9.7", "gh-ost=/opt/gh-ost", "gh-ost@v1.1.10", "mysql-5.6"},
		{"percona-8.0", "gh-ost=v1.1.10", "gh-ost@v1.1.8", ""},
		{"mariadb@10.11.8", "gh-ost=v1.1.10", "gh-ost@v1.1.8", "mariadb-10.11"},
		{"mysql@8.0.21", "gh-ost=v1.1.10", "gh-ost@v1.1.8", "mysql-5.6"},
	} {
		n := Find(m, one(t, m, c.entry, c.tool), here)
		tool, server := "", ""
		if n.Tool != nil {
			tool = n.Tool.Tool.ID()
		}
		if n.Server != nil {
			server = n.Server.Entry.Name
		}
		if tool != c.wantTool || server != c.wantServer {
			t.Errorf("%s, %s: neighbours %q and %q, want %q and %q", c.entry, c.tool, tool, server, c.wantTool, c.wantServer)
		}
	}
}

// Exact releases have the order of their versions, whatever order they were named in.
func TestInOrder(t *testing.T) {
	m := loaded(t)
	var entries []matrix.Entry
	for _, ref := range []string{"mysql@8.0.33", "mysql-9.7", "mysql@8.0.4", "mysql-8.0", "mysql@8.0.21"} {
		e, err := m.Resolve(ref)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	var got []string
	for _, e := range InOrder(entries) {
		got = append(got, e.Name)
	}
	if want := "mysql-8.0 mysql@8.0.4 mysql@8.0.21 mysql@8.0.33 mysql-9.7"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestConclude(t *testing.T) {
	finding := func(v report.Verdict) *Finding {
		if v == report.VerdictUnknown {
			return nil
		}
		return &Finding{report.CellID{Entry: "e", Suite: "s", Tool: "t", Version: "1"}, v}
	}
	for _, c := range []struct {
		again, tool, server report.Verdict
		want                string
	}{
		{P, F, F, "it did not fail again"},
		{U, F, P, "not told: e/s/t@1 is unavailable now"},
		{F, P, F, "the tool: with t@1 it is passed on the same server; the server version makes no difference"},
		{K, P, K, "the tool: "},
		{F, F, P, "the server: on e it is passed with the same tool; the tool's version makes no difference"},
		{F, P, P, "the two together"},
		{F, F, K, "neither changes it"},
		{F, P, U, "the tool: with t@1 it is passed on the same server; the other neighbour tells nothing"},
		{F, F, S, "not told"},
		{F, 0, 0, "nothing to compare with"},
		{F, 0, P, "the server: "},
		{F, E, P, "the server: on e it is passed with the same tool; the other neighbour tells nothing"},
		{E, P, E, "the tool: with t@1 it is passed on the same server; the server version makes no difference"},
	} {
		if got := Conclude(*finding(c.again), finding(c.tool), finding(c.server)); !strings.HasPrefix(got, c.want) {
			t.Errorf("again %v, tool %v, server %v: %q, want %q", c.again, c.tool, c.server, got, c.want)
		}
	}
}

func TestBisect(t *testing.T) {
	for _, c := range []struct {
		verdicts []report.Verdict
		before   int
		first    int
		skipped  string
		fault    string
	}{
		{[]report.Verdict{P, F}, 0, 1, "[]", ""},
		{[]report.Verdict{K, F, F, P, P, P}, 2, 3, "[]", ""},
		{[]report.Verdict{U, P, P, U, F, U}, 2, 4, "[3]", ""},
		{[]report.Verdict{P, U, U, U, S, F}, 0, 5, "[1 2 3 4]", ""},
		{[]report.Verdict{E, P, E, F}, 1, 3, "[2]", ""},
		{[]report.Verdict{P, P, P, P, P, P, P, P, F}, 7, 8, "[]", ""},
		{[]report.Verdict{P, F, P}, 0, 0, "", "it does not change: the first and the last entry that tell something are both passed"},
		{[]report.Verdict{U, P, U}, 0, 0, "", "it does not change"},
		{[]report.Verdict{U, S}, 0, 0, "", "none of the 2 entries tells anything"},
	} {
		probes := 0
		got, err := Bisect(context.Background(), len(c.verdicts), func(_ context.Context, i int) (report.Verdict, error) {
			probes++
			return c.verdicts[i], nil
		})
		switch {
		case c.fault != "":
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%v: %v, want %q", c.verdicts, err, c.fault)
			}
		case err != nil:
			t.Errorf("%v: %v", c.verdicts, err)
		case got.Before != c.before || got.First != c.first || fmt.Sprint(got.Skipped) != c.skipped:
			t.Errorf("%v: %+v", c.verdicts, got)
		case probes > len(c.verdicts) || len(c.verdicts) == 9 && probes > 5:
			t.Errorf("%v: %d probes", c.verdicts, probes)
		}
	}
	boom := errors.New("boom")
	if _, err := Bisect(context.Background(), 3, func(context.Context, int) (report.Verdict, error) { return 0, boom }); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
}
