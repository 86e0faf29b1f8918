package usertables

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mysqlmatrix/harness/workload"
)

func TestPatterns(t *testing.T) {
	all := []workload.Table{{Database: "shop", Name: "orders"}, {Database: "shop", Name: "order_items"}, {Database: "own", Name: "a.b"}, {Database: "own", Name: "[x/y"}}
	tests := map[string]string{
		"orders": "shop.orders", "order*": "shop.orders shop.order_items", "shop.*": "shop.orders shop.order_items",
		"a.b": "own.`a.b`", "[x*": "own.`[x/y`", "own.?.b": "own.`a.b`",
	}
	for pattern, want := range tests {
		chosen, err := Patterns{pattern}.choose(all)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
		var got []string
		for _, table := range chosen {
			got = append(got, Display(table))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s chooses %q, want %q", pattern, got, want)
		}
	}
	if chosen, err := Patterns(nil).choose(all); err != nil || len(chosen) != len(all) {
		t.Errorf("no pattern chooses %v, %v", chosen, err)
	}
	if _, err := (Patterns{"orders", "nothing"}).choose(all); err == nil || !strings.Contains(err.Error(), `no table matches "nothing"; there are shop.orders`) {
		t.Errorf("got %v", err)
	}
}

func TestReport(t *testing.T) {
	r := Report{Schema: "dump.sql", Server: "mariadb 11.8.9", Tool: "gh-ost", Version: "v1.1.10", Mode: "test-on-replica", Alter: "engine=innodb",
		Seconds: 10, LoadSeconds: 1, Complete: true, Tables: []Outcome{
			{Database: "shop", Table: "<script>\x1b[31m", Verdict: VerdictRefused, Message: "foreign keys"},
			{Database: "shop", Table: "orders", Verdict: VerdictMigrated, Rows: 100, Seconds: 2, Rate: 50},
		}}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	const want = "✓ migrated  shop.orders  100 rows  2.0s  50 rows/s\n– refused   shop.`<script>\ufffd[31m`  0 rows  0.0s\n    foreign keys\n\n" +
		"gh-ost v1.1.10, mode test-on-replica, on mariadb 11.8.9: ALTER TABLE … engine=innodb\n" +
		"2 tables: 1 migrated, 1 refused · 100 rows · 10.0s, of which the load took 1.0s\n"
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
	if r.Good() {
		t.Error("a refused table counts as good")
	}
	r.Tables = r.Tables[1:]
	if !r.Good() {
		t.Error("a migrated table counts as bad")
	}
	r.Complete = false
	if r.Good() {
		t.Error("a run that was cut short counts as good")
	}
	var b strings.Builder
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil || back["complete"] != false {
		t.Errorf("JSON %s: %v", b.String(), err)
	}
}

// TestDefine holds that what tools and servers name by themselves is no difference, and the rest is one.
func TestDefine(t *testing.T) {
	const statement = "CREATE TABLE `child` (\n  `id` int NOT NULL,\n  `parent` int,\n  PRIMARY KEY (`id`),\n" +
		"  CONSTRAINT `child_ibfk_1` FOREIGN KEY (`parent`) REFERENCES `parent` (`id`),\n  CONSTRAINT `child_chk_1` CHECK (`id` > 0)\n" +
		") ENGINE=InnoDB AUTO_INCREMENT=7"
	want := define(statement, "child")
	same := define(strings.NewReplacer("child", "_child_new", "AUTO_INCREMENT=7", "AUTO_INCREMENT=9").Replace(statement), "_child_new")
	if same.text != want.text || !slices.Equal(same.foreignKeys, want.foreignKeys) {
		t.Errorf("another name makes\n%+v, want\n%+v", same, want)
	}
	lost := define(strings.Replace(statement, "  CONSTRAINT `child_ibfk_1` FOREIGN KEY (`parent`) REFERENCES `parent` (`id`),\n", "", 1), "child")
	if lost.text != want.text || len(lost.foreignKeys) != 0 || len(want.foreignKeys) != 1 {
		t.Errorf("a lost foreign key makes\n%+v, want\n%+v without it", lost, want)
	}
	if other := define(strings.Replace(statement, "> 0", "> 1", 1), "child"); other.text == want.text {
		t.Error("another check is no difference")
	}
}

func TestCompareLines(t *testing.T) {
	const want = "CREATE TABLE t (\n`id` int NOT NULL\n`a` int\nPRIMARY KEY (`id`)\n)"
	if got := compareLines(want, want); got != nil {
		t.Errorf("the same differs: %q", got)
	}
	got := compareLines(want, strings.Replace(want, "`a` int", "`a` bigint", 1))
	if len(got) != 2 || !strings.Contains(got[0], "`a` int") || !strings.Contains(got[1], "`a` bigint") {
		t.Errorf("got %q", got)
	}
	swapped := "CREATE TABLE t (\n`a` int\n`id` int NOT NULL\nPRIMARY KEY (`id`)\n)"
	if got := compareLines(want, swapped); len(got) != 1 || !strings.Contains(got[0], "order") {
		t.Errorf("another order of columns: %q", got)
	}
}

// A column's collation is compared by what it is, in whichever way the server writes it; and nothing else of its line changes.
func TestCollated(t *testing.T) {
	list := []column{{name: "a", collation: "utf8mb4_general_ci"}, {name: "b`x", collation: "latin1_bin"}, {name: "n"}}
	want := "`a` enum('x) COLLATE y','it''s') COLLATE utf8mb4_general_ci DEFAULT NULL COMMENT 'CHARACTER SET z'"
	for _, clause := range []string{"", " COLLATE utf8mb4_general_ci", " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"} {
		line := "`a` enum('x) COLLATE y','it''s')" + clause + " DEFAULT NULL COMMENT 'CHARACTER SET z'"
		if got := collated(line, list); got != want {
			t.Errorf("%s becomes %s", line, got)
		}
	}
	for line, want := range map[string]string{
		"`b``x` text CHARACTER SET latin1 COLLATE latin1_bin NOT NULL": "`b``x` text COLLATE latin1_bin NOT NULL",
		"`n` int(11) NOT NULL":    "`n` int(11) NOT NULL",
		"PRIMARY KEY (`a`)":       "PRIMARY KEY (`a`)",
		") ENGINE=InnoDB COLLATE": ") ENGINE=InnoDB COLLATE",
	} {
		if got := collated(line, list); got != want {
			t.Errorf("%s becomes %s", line, got)
		}
	}
}
