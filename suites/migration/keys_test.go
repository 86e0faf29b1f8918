package migration_test

import (
	"fmt"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/workload"
)

// keyed is a key of text that differs in case by row.
func keyed(name, format string) workload.KeyColumn {
	return workload.KeyColumn{Name: name, Of: func(row int64) string { return fmt.Sprintf(format, row) }}
}

// What a key is does not change how rows are read from a binary log, but for those whose comparison depends
// on the server.
var keyScenarios = []scenario{
	{
		group: "keys", name: "a composite key of a number, a text and a date",
		create: one(`CREATE TABLE t (k1 INT NOT NULL, k2 VARCHAR(20) NOT NULL, k3 DATE NOT NULL, a INT NOT NULL, v VARCHAR(40),
			PRIMARY KEY (k1, k2, k3)) DEFAULT CHARSET=utf8mb4`),
		alter: adding + ", MODIFY a BIGINT NOT NULL",
		typed: workload.Typed{Name: "t", Values: plain, Key: []workload.KeyColumn{
			{Name: "k1", Of: func(row int64) string { return fmt.Sprint(row % 7) }},
			{Name: "k2", Of: func(row int64) string { return fmt.Sprintf("'k%d'", row/7%11) }},
			{Name: "k3", Of: func(row int64) string {
				return fmt.Sprintf("'%04d-%02d-%02d'", 2000+row/77/336, 1+row/77/28%12, 1+row/77%28)
			}},
		}},
		key: []string{"k1", "k2", "k3"},
	},
	{
		group: "keys", name: "the primary key moves to another unique key",
		is:     migration.CaseReplacedPrimaryKey,
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, code CHAR(12) NOT NULL, a INT NOT NULL, v VARCHAR(40), UNIQUE KEY code (code)) DEFAULT CHARSET=utf8mb4"),
		alter:  "DROP PRIMARY KEY, ADD PRIMARY KEY (code), DROP KEY code, ADD UNIQUE KEY id (id)",
		typed:  workload.Typed{Name: "t", Values: plain, Key: []workload.KeyColumn{workload.ID("id")[0], keyed("code", "'c%07d'")}},
		spread: spreadOne,
	},
	{
		group: "keys", name: "a unique key with a nullable column without NULL",
		is:     migration.CaseNullableKeyWithoutNull,
		create: one("CREATE TABLE t (id INT NULL, k INT NOT NULL, a INT NOT NULL, v VARCHAR(40), UNIQUE KEY id (id, k)) DEFAULT CHARSET=utf8mb4"),
		alter:  adding,
		typed:  workload.Typed{Name: "t", Values: plain, Key: []workload.KeyColumn{workload.ID("id")[0], keyed("k", "%d")}},
		spread: spreadOne,
	},
	{
		group: "keys", name: "a unique key with a nullable column",
		is:     migration.CaseNullableKey,
		create: one("CREATE TABLE t (id INT NOT NULL, k INT NULL, a INT NOT NULL, v VARCHAR(40), UNIQUE KEY k (k), KEY id (id)) DEFAULT CHARSET=utf8mb4"),
		alter:  adding,
		typed:  workload.Typed{Name: "t", Values: plain, Key: workload.ID("id")},
		spread: spreadOne,
	},
	{
		group: "keys", name: "a text key with a case- and accent-insensitive collation",
		create: one(`CREATE TABLE t (code VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40))
			DEFAULT CHARSET=utf8mb4`),
		alter: adding,
		typed: folding,
		key:   []string{"code"},
		inPR:  true,
	},
	{
		group: "keys", name: "a text key with a case-insensitive collation becomes binary", finds: true,
		create: one(`CREATE TABLE t (code VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40))
			DEFAULT CHARSET=utf8mb4`),
		alter: adding + ", MODIFY code VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL",
		typed: folding,
		key:   []string{"code"},
		// A REPLACE of a key in other letters hits the row before the exchange, and makes a new one after it.
		quiet:  true,
		spread: spreadOne,
	},
	{
		group: "keys", name: "a floating-point key",
		is:     migration.CaseFloatKey,
		create: one("CREATE TABLE t (f FLOAT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40)) DEFAULT CHARSET=utf8mb4"),
		alter:  adding,
		// Exact in binary, so that an equality finds them.
		typed:  workload.Typed{Name: "t", Values: plain, Key: []workload.KeyColumn{keyed("f", "%d.5")}},
		key:    []string{"f"},
		spread: spreadOne,
	},
	{
		group: "keys", name: "a table without a key",
		is:     migration.CaseNoKey,
		create: one("CREATE TABLE t (id INT NOT NULL, a INT NOT NULL, v VARCHAR(40)) DEFAULT CHARSET=utf8mb4"),
		alter:  adding,
		typed:  workload.Typed{Name: "t", Values: plain, Key: workload.ID("id")},
		spread: spreadOne,
	},
	{
		group: "keys", name: "AUTO_INCREMENT keys: zero, a gap, the largest value and the next one",
		create: one("CREATE TABLE t (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL, v VARCHAR(40)) DEFAULT CHARSET=utf8mb4",
			"INSERT INTO t (id, a, v) VALUES (0, 0, 'zero'), (4294960000, 1, 'gap')",
			"DELETE FROM t WHERE id = 4294960000"), // its value is not given again
		alter:   adding + ", MODIFY a BIGINT NOT NULL",
		sqlMode: "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO",
		typed:   workload.Typed{Name: "t", Values: plain, Key: workload.ID("id")},
		scripts: generating,
		course:  60,
		after:   []string{"INSERT INTO t (a, v) VALUES (1, 'next')", "INSERT INTO t (id, a, v) VALUES (4294967295, 1, 'largest')"},
	},
	{
		group: "keys", name: "a renamed key column",
		is:       migration.CaseRenamedKey,
		create:   one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40)) DEFAULT CHARSET=utf8mb4"),
		alter:    "CHANGE COLUMN id ident BIGINT NOT NULL",
		typed:    workload.Typed{Name: "t", Values: plain, Key: workload.ID("id")},
		keyAfter: []string{"ident"},
		quiet:    true,
		spread:   spreadOne,
	},
	{
		group: "keys", name: "two unique keys swap their columns",
		is:     migration.CaseSwappedUniqueKeys,
		create: one("CREATE TABLE t (id INT NOT NULL, b INT NOT NULL, a INT NOT NULL, v VARCHAR(40), UNIQUE KEY u1 (id), UNIQUE KEY u2 (b)) DEFAULT CHARSET=utf8mb4"),
		alter:  "DROP KEY u1, DROP KEY u2, ADD UNIQUE KEY u1 (b), ADD UNIQUE KEY u2 (id)",
		typed:  workload.Typed{Name: "t", Values: plain, Key: []workload.KeyColumn{workload.ID("id")[0], {Name: "b", Of: func(row int64) string { return fmt.Sprint(1000000 - row) }}}},
		spread: spreadOne,
	},
	{
		group: "keys", name: "two columns swap their names",
		is:     migration.CaseSwappedColumns,
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, b INT NOT NULL) DEFAULT CHARSET=utf8mb4"),
		alter:  "CHANGE COLUMN a b INT NOT NULL, CHANGE COLUMN b a INT NOT NULL",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "a", Values: []string{"1", "2", "3"}}, {Name: "b", Values: []string{"100", "200", "300"}},
		}},
		quiet:  true,
		spread: spreadOne,
	},
}

// folding has rows whose keys are rewritten in other letters that compare as equal.
var folding = workload.Typed{Name: "t", Values: plain, Key: []workload.KeyColumn{keyed("code", "'Key %d é'")}, More: []string{
	"UPDATE t SET code = UPPER(code) WHERE %[1]s",
	"UPDATE t SET code = 'kEY %[2]d e', a = a + 1 WHERE %[1]s",
	"REPLACE INTO t (code, a, v) VALUES ('KEY %[2]d É', 5, 'replaced')",
}}

// generating lets the server give the keys.
func generating(seed int64) []workload.Script {
	usual := workload.Typed{Name: "t", Values: plain, Key: workload.ID("id")}.Script(seed, seedRows, 0, 1)
	n := 0
	return []workload.Script{func() workload.Transaction {
		n++
		switch n % 4 {
		case 0:
			return workload.Transaction{Statements: []string{fmt.Sprintf("INSERT INTO t (a, v) VALUES (%d, 'generated')", n)}, Generates: true}
		case 2:
			return workload.Statement(fmt.Sprintf("UPDATE t SET a = %d WHERE id = 0", n))
		default:
			return usual()
		}
	}}
}
