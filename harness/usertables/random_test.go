package usertables_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mysqlmatrix/harness/usertables"
	"mysqlmatrix/harness/workload"
)

// randomTypes are types of columns with values of theirs.
var randomTypes = []struct{ typ, values string }{
	{"INT", "0,1,-1,2147483647,NULL"}, {"INT UNSIGNED", "0,1,4294967295,7"}, {"BIGINT", "0,-9223372036854775808,9223372036854775807,5"},
	{"TINYINT", "0,1,-128,127"}, {"DECIMAL(12,4)", "0,1.5,-99999999.9999,12.3456"}, {"FLOAT", "0,0.1,16777217,-1.5"}, {"DOUBLE", "0,0.1,1e300,-1.5"},
	{"VARCHAR(20)", "'','a','A ','żółć'"}, {"CHAR(8)", "'','ab','c',NULL"}, {"TEXT", "'','long text',NULL,'x'"}, {"VARBINARY(8)", "x'',x'00ff',x'01',NULL"},
	{"BLOB", "x'',x'00ff',NULL,x'7f'"}, {"DATE", "'2024-01-02','1999-12-31','2020-02-29','2001-01-01'"},
	{"DATETIME(6)", "'2024-01-02 03:04:05.678901','2024-01-02 23:59:59.999999',NULL,'2000-01-01'"}, {"DATETIME", "'2024-01-02 03:04:05','2020-02-29 12:00:00',NULL,'2000-01-01'"},
	{"TIME", "'01:02:03','23:59:59','00:00:00',NULL"}, {"YEAR", "2024,1999,1950,2100"}, {"ENUM('a','b','c')", "'a','b','c',NULL"}, {"SET('x','y','z')", "'','x','x,z','y'"},
	{"BIT(5)", "b'0',b'10101',b'1',NULL"}, {"VARCHAR(20) CHARACTER SET latin1", "'','é','abc',NULL"},
}

// randomTable is a table, its rows, and a change that may or may not suit it.
func randomTable(r *rand.Rand, name string) (text, alter string) {
	var columns, names []string
	var values [][]string
	for i := range 2 + r.IntN(4) {
		one := randomTypes[r.IntN(len(randomTypes))]
		names = append(names, fmt.Sprintf("c%d", i))
		columns = append(columns, names[i]+" "+one.typ)
		values = append(values, strings.Split(strings.ReplaceAll(one.values, "'x,z'", "'x'"), ","))
	}
	key := []string{"nr INT NOT NULL AUTO_INCREMENT PRIMARY KEY", "nr INT NOT NULL PRIMARY KEY", "nr BIGINT NOT NULL, PRIMARY KEY (nr)",
		"nr VARCHAR(10) NOT NULL, PRIMARY KEY (nr)", "nr INT NOT NULL, UNIQUE KEY nr (nr)", "nr INT"}[r.IntN(6)]
	text = "CREATE TABLE " + name + " (" + key + ", " + strings.Join(columns, ", ") + ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n"
	for row := range 1 + r.IntN(6) {
		literals := []string{fmt.Sprintf("'%d'", row+1)}
		for _, list := range values {
			literals = append(literals, list[r.IntN(len(list))])
		}
		text += "INSERT INTO " + name + " VALUES (" + strings.Join(literals, ", ") + ");\n"
	}
	var clauses []string
	for range 1 + r.IntN(2) {
		clauses = append(clauses, randomClause(r, names[r.IntN(len(names))]))
	}
	return text, strings.Join(slices.Compact(clauses), ", ")
}

// randomClause is one part of a change.
func randomClause(r *rand.Rand, column string) string {
	typ := randomTypes[r.IntN(len(randomTypes))].typ
	switch r.IntN(13) {
	case 0:
		return "ADD COLUMN n" + column + " " + typ
	case 1:
		return "ADD COLUMN n" + column + " INT NOT NULL DEFAULT 7 FIRST"
	case 2:
		return "DROP COLUMN " + column
	case 3, 4:
		return "MODIFY " + column + " " + typ
	case 5:
		return "MODIFY " + column + " " + typ + " NOT NULL"
	case 6:
		return "CHANGE " + column + " r" + column + " " + typ
	case 7:
		return "ADD INDEX i" + column + " (" + column + ")"
	case 8:
		return "ADD UNIQUE KEY u" + column + " (" + column + ")"
	case 9:
		return "DROP COLUMN " + column + ", ADD COLUMN " + column + " " + typ
	case 10:
		return "COMMENT 'changed', ROW_FORMAT=DYNAMIC"
	case 11:
		return "ADD COLUMN at" + column + " TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP"
	default:
		return "ENGINE=InnoDB"
	}
}

// randomDump are so many tables, and the change of each, as -alters says.
func randomDump() (text string, changes map[string]string) {
	r := rand.New(rand.NewPCG(uint64(*alterSeed), 0xa17e5))
	changes = map[string]string{}
	text = "SET sql_mode = '';\n"
	for i := range *alters {
		table := fmt.Sprintf("r%04d", i)
		definition, alter := randomTable(r, table)
		text, changes[table] = text+definition, alter
	}
	return text, changes
}

// TestRandomChangesByTools runs random changes through the tools that -alter-tools names. Where the server refuses a change for the
// rows that there are, tools are known to make it by INSERT IGNORE, and differ. One that differs elsewhere is either wrong or blamed
// wrongly, and is looked at by hand.
func TestRandomChangesByTools(t *testing.T) {
	if *alters == 0 || *alterTools == "" {
		t.Skip("it takes minutes: say how many with -alters, and by which tools with -alter-tools")
	}
	for _, entry := range strings.Split(*entryNames, ",") {
		for _, name := range strings.Split(*alterTools, ",") {
			t.Run(entry+"/"+name, func(t *testing.T) {
				g := golden(t, entry)
				driver, options := obtainTool(t, name)
				text, changes := randomDump()
				report := change(t, g, text, usertables.Config{Tool: driver, ToolOptions: options, Alter: "ENGINE=InnoDB", Writes: 20, Seed: *alterSeed,
					AlterOf: func(table workload.Table) string { return changes[table.Name] }})
				counts := map[usertables.Verdict]int{}
				for _, o := range report.Tables {
					counts[o.Verdict]++
					if o.Verdict != usertables.VerdictDiffers && o.Verdict != usertables.VerdictFailed {
						continue
					}
					t.Logf("ALTER TABLE %s %s: %s", o.Table, changes[o.Table], o)
					if o.Verdict == usertables.VerdictDiffers && o.Server.Refusal == "" {
						t.Errorf("seed %d: %s differs, and the server takes the change", *alterSeed, o.Table)
					}
				}
				t.Logf("seed %d, %d changes: %v", *alterSeed, len(report.Tables), counts)
			})
		}
	}
}

// TestRandomChanges runs random changes of random tables through a tool that changes them as the server does. Its every
// change that the server takes is migrated: anything else would be a false word on a tool. The one that the server
// refuses is refused.
func TestRandomChanges(t *testing.T) {
	if *alters == 0 {
		t.Skip("it takes minutes: say how many with -alters")
	}
	for _, name := range strings.Split(*entryNames, ",") {
		t.Run(name, func(t *testing.T) {
			g := golden(t, name)
			text, changes := randomDump()
			report := change(t, g, text, usertables.Config{Tool: &byServer{}, Alter: "ENGINE=InnoDB", Writes: 20, Seed: *alterSeed,
				AlterOf: func(table workload.Table) string { return changes[table.Name] }})
			counts := map[usertables.Verdict]int{}
			for _, o := range report.Tables {
				counts[o.Verdict]++
				if o.Verdict != usertables.VerdictMigrated && o.Verdict != usertables.VerdictRefused && o.Verdict != usertables.VerdictNotCompared ||
					o.Verdict == usertables.VerdictRefused && o.Server.Refusal == "" {
					t.Errorf("seed %d: ALTER TABLE %s %s: %s", *alterSeed, o.Table, changes[o.Table], o)
				}
			}
			t.Logf("seed %d, %d changes: %v", *alterSeed, len(report.Tables), counts)
		})
	}
}
