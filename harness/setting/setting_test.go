package setting

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"mysqlmatrix/harness/flavor"
)

func TestAll(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range All() {
		name := s.String()
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		sets := 0
		for _, given := range []bool{s.Session != nil || s.Earlier, s.Server != nil, s.Around != nil && s.Session == nil, s.GTID && s.Session == nil, s.SemiSync} {
			if given {
				sets++
			}
		}
		if sets != 1 {
			t.Errorf("%s: sets %d things, want one: of sessions, of servers, of transactions or of replication", name, sets)
		}
		if _, err := regexp.Compile(s.Refusal); err != nil || s.Refusal == "" {
			t.Errorf("%s: how a tool refuses it: %q, %v", name, s.Refusal, err)
		}
	}
}

func TestPairs(t *testing.T) {
	differ := false
	for seed := range int64(50) {
		seen := map[string]bool{}
		pairs := Pairs(seed, All())
		for _, pair := range pairs {
			if len(pair) != 2 || !combines(pair[0], pair[1]) {
				t.Errorf("seed %d: %s do not combine", seed, Names(pair))
			}
			for _, s := range pair {
				seen[s.String()] = true
			}
		}
		for _, s := range All() {
			if !seen[s.String()] {
				t.Errorf("seed %d: %s is in no pair", seed, s)
			}
		}
		if names(pairs) != names(Pairs(seed, All())) {
			t.Errorf("seed %d draws other pairs the second time", seed)
		}
		differ = differ || names(pairs) != names(Pairs(seed+1, All()))
	}
	if !differ {
		t.Error("every seed draws the same pairs")
	}
}

func names(pairs [][]Setting) string {
	var text strings.Builder
	for _, pair := range pairs {
		text.WriteString(Names(pair) + "\n")
	}
	return text.String()
}

func TestAround(t *testing.T) {
	for _, s := range All() {
		if s.Around == nil {
			continue
		}
		one, next := s.Around(1), s.Around(2)
		if len(one.After) == 0 {
			t.Errorf("%s: a transaction does not end", s)
		}
		if len(one.Before) > 0 && one.Before[0] == next.Before[0] {
			t.Errorf("%s: two transactions have one name: %s", s, one.Before[0])
		}
		if len(one.Before) > 0 && one.Undo == nil {
			t.Errorf("%s: it cannot be given up", s)
		}
	}
}

// No table has documents, values of tens of kilobytes and the columns that LOAD DATA fills, and no transaction is enclosed twice.
func TestPairsAgree(t *testing.T) {
	for seed := range int64(200) {
		for _, pair := range Pairs(seed, All()) {
			a, b := pair[0], pair[1]
			if a.wants() != "" && b.wants() != "" && a.wants() != b.wants() {
				t.Errorf("seed %d: %s: one wants %s, the other %s", seed, Names(pair), a.wants(), b.wants())
			}
			if a.Around != nil && b.Around != nil {
				t.Errorf("seed %d: %s: both enclose the application's statements", seed, Names(pair))
			}
		}
	}
}

func TestOn(t *testing.T) {
	has := func(f flavor.Flavor, variable string) bool {
		return slices.ContainsFunc(On(f, All()), func(s Setting) bool { return s.Variable == variable })
	}
	mysql, maria := flavor.Flavor{Vendor: flavor.MySQL, Version: version(8, 0, 19)}, flavor.Flavor{Vendor: flavor.MariaDB, Version: version(10, 5, 1)}
	for variable, want := range map[string][2]bool{
		"binlog_transaction_compression": {false, false}, "log_bin_compress": {false, true}, "binlog_row_metadata": {true, true},
		"gtid_next": {false, false}, "sql_mode": {true, true}, "sql_require_primary_key": {true, false},
	} {
		if got := [2]bool{has(mysql, variable), has(maria, variable)}; got != want {
			t.Errorf("%s: on %s and %s %v, want %v", variable, mysql, maria, got, want)
		}
	}
	for variable := range releases {
		if !slices.ContainsFunc(All(), func(s Setting) bool { return s.Variable == variable }) {
			t.Errorf("%s is no setting's variable", variable)
		}
	}
}
