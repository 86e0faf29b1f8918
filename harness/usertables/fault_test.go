package usertables_test

import (
	"fmt"
	"strings"
	"testing"

	"mysqlmatrix/harness/usertables"
)

// plantedTable has a little of everything. %[1]s is its name.
const plantedTable = `CREATE TABLE %[1]s (
  nr INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT 'x' COMMENT 'a name',
  vacant VARCHAR(30) DEFAULT '',
  at DATETIME(6) DEFAULT NULL,
  amount FLOAT DEFAULT NULL,
  exact_amount DOUBLE DEFAULT NULL,
  bytes VARBINARY(8) DEFAULT NULL,
  kind ENUM('a','b') DEFAULT 'a',
  n INT NOT NULL DEFAULT 3,
  twice INT GENERATED ALWAYS AS (n * 2) STORED,
  parent INT DEFAULT NULL,
  KEY name (name), UNIQUE KEY at (at),
  FOREIGN KEY (parent) REFERENCES parent (nr) ON DELETE CASCADE,
  CHECK (n < 100000)
) ENGINE=InnoDB AUTO_INCREMENT=100 DEFAULT CHARSET=utf8mb4 COMMENT='a table';
INSERT INTO %[1]s (nr, name, vacant, at, amount, exact_amount, bytes, kind, parent) VALUES
  (1,'one','','2024-01-02 03:04:05.678901',0.1,0.1,x'00ff00','a',1), (2,'Two',NULL,'2024-01-02 03:04:05.678902',16777216,0.2,x'00','b',2),
  (3,'three ','x',NULL,-0.0,1e300,NULL,'a',NULL), (4,'zażółć','y','1999-12-31 23:59:59.999999',NULL,NULL,x'','b',1);
CREATE TRIGGER %[1]s_t BEFORE INSERT ON %[1]s FOR EACH ROW SET NEW.vacant = 'z';
CREATE TABLE %[1]s_child (nr INT NOT NULL PRIMARY KEY, ref INT, FOREIGN KEY (ref) REFERENCES %[1]s (nr));
`

// faults are what a tool may get wrong in its copy, as statements on the changed table.
var faults = []struct{ name, statement, replica string }{
	{name: "nothing"},
	{name: "a row is lost", statement: "DELETE FROM %s WHERE nr = 4"},
	{name: "a row is new", statement: "INSERT INTO %s (nr, name) VALUES (77, 'new')"},
	{name: "a byte", statement: "UPDATE %s SET name = 'one!' WHERE nr = 1"},
	{name: "a letter's case", statement: "UPDATE %s SET name = 'two' WHERE nr = 2"},
	{name: "a space at the end", statement: "UPDATE %s SET name = 'three' WHERE nr = 3"},
	{name: "NULL for an empty text", statement: "UPDATE %s SET vacant = NULL WHERE nr = 1"},
	{name: "an empty text for NULL", statement: "UPDATE %s SET vacant = '' WHERE nr = 2"},
	{name: "a microsecond", statement: "UPDATE %s SET at = '2024-01-02 03:04:05.678900' WHERE nr = 1"},
	{name: "a FLOAT's seventh digit", statement: "UPDATE %s SET amount = 16777214 WHERE nr = 2"},
	{name: "a DOUBLE's last digit", statement: "UPDATE %s SET exact_amount = 0.10000000000000002e0 WHERE nr = 1"},
	{name: "a zero byte", statement: "UPDATE %s SET bytes = x'0000' WHERE nr = 2"},
	{name: "an empty value for NULL bytes", statement: "UPDATE %s SET bytes = x'' WHERE nr = 3"},
	{name: "two rows' values exchanged", statement: "UPDATE %s SET kind = IF(kind = 'a', 'b', 'a') WHERE nr IN (1, 2)"},
	{name: "a key's value", statement: "UPDATE %s SET nr = 44 WHERE nr = 4"},
	{name: "a default", statement: "ALTER TABLE %s ALTER name SET DEFAULT 'y'"},
	{name: "a column's comment", statement: "ALTER TABLE %s MODIFY name VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT 'x'"},
	{name: "the table's comment", statement: "ALTER TABLE %s COMMENT 'another table'"},
	{name: "an index is lost", statement: "ALTER TABLE %s DROP KEY name"},
	{name: "an index is new", statement: "ALTER TABLE %s ADD KEY kind (kind)"},
	{name: "an index no longer unique", statement: "ALTER TABLE %s DROP KEY at, ADD KEY at (at)"},
	{name: "AUTO_INCREMENT lower", statement: "ALTER TABLE %s AUTO_INCREMENT = 5"},
	{name: "AUTO_INCREMENT at its end", statement: "ALTER TABLE %s AUTO_INCREMENT = 2147483647"},
	{name: "a trigger is lost", statement: "DROP TRIGGER %s_t"},
	{name: "a trigger is left", statement: "CREATE TRIGGER %[1]s_u AFTER DELETE ON %[1]s FOR EACH ROW SET @x = 1"},
	{name: "a generated column's expression", statement: "ALTER TABLE %s MODIFY twice INT GENERATED ALWAYS AS (n * 2 + 0) STORED"},
	{name: "a collation", statement: "ALTER TABLE %s MODIFY name VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL DEFAULT 'x' COMMENT 'a name'"},
	{name: "the table's character set", statement: "ALTER TABLE %s DEFAULT CHARSET = latin1"},
	{name: "a column's place", statement: "ALTER TABLE %s MODIFY amount FLOAT DEFAULT NULL AFTER kind"},
	{name: "NULL allowed", statement: "ALTER TABLE %s MODIFY name VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT 'x' COMMENT 'a name'"},
	{name: "an ENUM's member", statement: "ALTER TABLE %s MODIFY kind ENUM('a','b','c') DEFAULT 'a'"},
	{name: "a column too many", statement: "ALTER TABLE %s ADD COLUMN extra INT"},
	{name: "the row format", statement: "ALTER TABLE %s ROW_FORMAT = COMPACT"},
	{name: "a foreign key is lost", statement: "ALTER TABLE %[1]s DROP FOREIGN KEY %[1]s_ibfk_1"},
	{name: "a foreign key to the table is lost", statement: "ALTER TABLE %[1]s_child DROP FOREIGN KEY %[1]s_child_ibfk_1"},
	{name: "a row on the replica alone", replica: "DELETE FROM %s WHERE nr = 4"},
	{name: "a value on the replica alone", replica: "UPDATE %s SET name = 'ONE' WHERE nr = 1"},
	{name: "nothing, once more"},
}

// TestFaultsAreFound plants one fault into each table's copy: the comparison finds all of them, and nothing where there is none.
func TestFaultsAreFound(t *testing.T) {
	for _, name := range strings.Split(*entryNames, ",") {
		t.Run(name, func(t *testing.T) {
			g := golden(t, name)
			text := "CREATE TABLE parent (nr INT NOT NULL PRIMARY KEY);\nINSERT INTO parent VALUES (1),(2);\n"
			for i := range faults {
				text += fmt.Sprintf(plantedTable, tableOf(i))
			}
			spoil := func(table string) (onPrimary, onReplica []string) {
				for i, fault := range faults {
					if tableOf(i) != table {
						continue
					}
					if fault.statement != "" {
						onPrimary = []string{"SET SESSION sql_mode = ''", fmt.Sprintf(fault.statement, table)}
					}
					if fault.replica != "" {
						onReplica = []string{fmt.Sprintf(fault.replica, table)}
					}
				}
				return onPrimary, onReplica
			}
			report := change(t, g, text, usertables.Config{Tool: &byServer{spoil}, Alter: "ADD COLUMN note INT", Tables: usertables.Patterns{"f??"}})
			for i, fault := range faults {
				o := report.Tables[i]
				want := usertables.VerdictDiffers
				if fault.statement == "" && fault.replica == "" {
					want = usertables.VerdictMigrated
				}
				if o.Table != tableOf(i) || o.Verdict != want {
					t.Errorf("%s: %s", fault.name, o)
				}
			}
		})
	}
}

func tableOf(i int) string { return fmt.Sprintf("f%02d", i) }
