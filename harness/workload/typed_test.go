package workload

import (
	"strings"
	"testing"
)

var sample = Typed{
	Name: "t", Key: ID("id"), More: []string{"UPDATE t SET a = %[2]d WHERE %[1]s"},
	Values: []ValueColumn{{"a", []string{"1", "2", "3"}}, {"b", []string{"'x'", "NULL"}}},
}

// TestCourse: within its course a script writes every edge by INSERT and by UPDATE, and each kind of statement.
func TestCourse(t *testing.T) {
	next := sample.Script(7, 10, 0, 1)
	var text strings.Builder
	for range sample.Course() {
		text.WriteString(strings.Join(next().Statements, ";") + "\n")
	}
	for _, want := range []string{
		"INSERT INTO t (id, a, b) VALUES (11, 1, 'x')", ", 2, NULL)", ", 3, ",
		"SET a = 1, b = 'x' WHERE id", "SET a = 2, b = NULL WHERE id", "SET a = 3, b = 'x' WHERE id", "UPDATE t SET id = ",
		"REPLACE INTO t", "INSERT IGNORE INTO t", "ON DUPLICATE KEY UPDATE", "DELETE FROM t WHERE id = ",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestScriptsAreDisjointAndRepeatable(t *testing.T) {
	seen := map[string]int64{}
	for index := range int64(3) {
		one, again := sample.Script(7, 30, index, 3), sample.Script(7, 30, index, 3)
		for range 200 {
			statement := one().Statements[0]
			if statement != again().Statements[0] {
				t.Fatal("a script of one seed differs from itself")
			}
			if key, ok := strings.CutPrefix(statement, "DELETE FROM t WHERE "); ok {
				if other, taken := seen[key]; taken && other != index {
					t.Errorf("scripts %d and %d both write to row %s", index, other, key)
				}
				seen[key] = index
			}
		}
	}
	if len(seen) == 0 {
		t.Error("nothing was deleted")
	}
}

func TestSeed(t *testing.T) {
	list := sample.Seed(seedBatch + 1)
	if len(list) != 2 || strings.Count(list[0], "), (") != seedBatch-1 || !strings.HasPrefix(list[1], "INSERT INTO t (id, a, b) VALUES (101, ") {
		t.Errorf("seed: %d statements, the last %s", len(list), list[len(list)-1])
	}
}

// TestRowsCountFromOne: rows are counted from 1, whatever the stripe.
func TestRowsCountFromOne(t *testing.T) {
	for index := range int64(2) {
		next := sample.Script(1, 4, index, 2)
		for range 300 {
			if statement := next().Statements[0]; strings.Contains(statement, "id = 0") || strings.Contains(statement, "(0,") {
				t.Errorf("stripe %d: %s", index, statement)
			}
		}
	}
}
