package setting

import (
	"reflect"
	"regexp"
	"slices"
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
		if (s.Session == nil) == (s.Server == nil) {
			t.Errorf("%s: want statements of a session or options of a server", name)
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
		if !reflect.DeepEqual(pairs, Pairs(seed, All())) {
			t.Errorf("seed %d draws other pairs the second time", seed)
		}
		differ = differ || !reflect.DeepEqual(pairs, Pairs(seed+1, All()))
	}
	if !differ {
		t.Error("every seed draws the same pairs")
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
