package migration_test

import (
	"fmt"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/workload"
)

// Changes for which what is in the rows matters.
var changeScenarios = []scenario{
	{
		group: "changes", name: "a nullable column with NULL becomes NOT NULL", finds: true,
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40)) DEFAULT CHARSET=utf8mb4"),
		alter:  "MODIFY v VARCHAR(40) NOT NULL",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "a", Values: []string{"1", "-7", "0"}}, {Name: "v", Values: []string{"'one'", "NULL", "'two'"}},
		}},
		quiet: true, impossible: true, spread: spreadOne,
	},
	{
		group: "changes", name: "a unique key over duplicates", finds: true,
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40)) DEFAULT CHARSET=utf8mb4"),
		alter:  "ADD UNIQUE KEY a (a)",
		typed:  workload.Typed{Name: "t", Key: workload.ID("id"), Values: plain},
		quiet:  true, impossible: true, spread: spreadOne,
	},
	{
		group: "changes", name: "a stored generated column becomes a plain one", finds: true,
		needs:  []flavor.Capability{flavor.CapGeneratedColumns},
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40), s INT AS (a + 1) STORED) DEFAULT CHARSET=utf8mb4"),
		alter:  "MODIFY s INT, " + adding,
		typed:  workload.Typed{Name: "t", Key: workload.ID("id"), Values: plain},
		quiet:  true, spread: spreadOne, // what is written after the exchange has no value for the column
	},
	{
		group: "keys", name: "a BIT key", finds: true,
		create: one("CREATE TABLE t (k BIT(20) NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40)) DEFAULT CHARSET=utf8mb4"),
		alter:  adding + ", MODIFY a BIGINT NOT NULL",
		typed:  workload.Typed{Name: "t", Values: plain, Key: []workload.KeyColumn{{Name: "k", Of: func(row int64) string { return fmt.Sprintf("b'%b'", row) }}}},
		key:    []string{"k"}, spread: spreadOne,
	},
	{
		// In an index a SET is a number, compared with a text it is a text: 'b' (2) comes before 'a,b' (3).
		group: "keys", name: "a SET key", finds: true,
		create: one("CREATE TABLE t (k SET('a','b','c','d','e','f','g','h','i','j','k','l','m','n','o','p','q','r','s','t') NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40)) DEFAULT CHARSET=utf8mb4"),
		alter:  adding + ", MODIFY a BIGINT NOT NULL",
		typed:  workload.Typed{Name: "t", Values: plain, Key: []workload.KeyColumn{{Name: "k", Of: func(row int64) string { return fmt.Sprint(row) }}}},
		key:    []string{"k"}, spread: spreadOne,
	},
	{
		// As text the members stand in another order than in the index.
		group: "keys", name: "an ENUM in the key whose members are not in the order of the alphabet", finds: true,
		create: one("CREATE TABLE t (k ENUM('high','low','medium','none','best') NOT NULL, id INT NOT NULL, a INT NOT NULL, v VARCHAR(40), PRIMARY KEY (k, id)) DEFAULT CHARSET=utf8mb4"),
		alter:  adding + ", MODIFY a BIGINT NOT NULL",
		typed: workload.Typed{Name: "t", Values: plain, Key: []workload.KeyColumn{
			{Name: "k", Of: func(row int64) string { return fmt.Sprint(1 + row%5) }}, {Name: "id", Of: func(row int64) string { return fmt.Sprint(row) }}}},
		key: []string{"k", "id"}, spread: spreadOne,
	},
	{
		group: "keys", name: "a latin1 key with letters beyond ASCII", finds: true,
		create: one("CREATE TABLE t (code VARCHAR(30) CHARACTER SET latin1 NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40)) DEFAULT CHARSET=utf8mb4"),
		alter:  adding + ", MODIFY a BIGINT NOT NULL",
		typed:  workload.Typed{Name: "t", Values: plain, Key: []workload.KeyColumn{keyed("code", "'clé %d é'")}},
		key:    []string{"code"}, spread: spreadOne,
	},
}
