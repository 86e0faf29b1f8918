package migration_test

import (
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/workload"
)

// plain are two columns for scenarios about something else than their types.
var plain = []workload.ValueColumn{
	{Name: "a", Values: []string{"1", "-7", "0", "1000"}},
	{Name: "v", Values: []string{"'one'", "'two'", "''", "'zażółć'"}},
}

// What a table can have beside types of columns.
var tableTypes = []scenario{
	{
		group: "types", name: "stored and virtual generated columns follow their base columns",
		needs: []flavor.Capability{flavor.CapGeneratedColumns},
		create: one(`CREATE TABLE t (id INT NOT NULL PRIMARY KEY, s INT AS (a + 1) STORED, a INT NOT NULL, v VARCHAR(40),
			w VARCHAR(60) AS (CONCAT(v, '!')) VIRTUAL, KEY w (w)) DEFAULT CHARSET=utf8mb4`),
		alter: adding + ", ADD COLUMN n INT AS (a * 2) VIRTUAL",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: plain},
	},
	{
		group: "types", name: "a generated column is dropped and another one is added",
		needs: []flavor.Capability{flavor.CapGeneratedColumns},
		create: one(`CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40), s INT AS (a + 1) STORED)
			DEFAULT CHARSET=utf8mb4`),
		alter: "ADD COLUMN n INT AS (a * 2) STORED AFTER id, MODIFY v VARCHAR(80), DROP COLUMN s",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: plain},
	},
	{
		group: "types", name: "functional indexes are kept",
		probed: true,
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40), KEY f ((a + 1)), KEY g ((UPPER(v)), a))"),
		alter:  adding + ", ADD KEY h ((a * 2))",
		typed:  workload.Typed{Name: "t", Key: workload.ID("id"), Values: plain},
	},
	{
		group: "types", name: "invisible columns are copied, and stay invisible",
		needs:  []flavor.Capability{flavor.CapInvisibleColumns},
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL DEFAULT 5 INVISIBLE, v VARCHAR(40)) DEFAULT CHARSET=utf8mb4"),
		alter:  adding,
		typed:  workload.Typed{Name: "t", Key: workload.ID("id"), Values: plain},
	},
	{
		group: "types", name: "invisible indexes stay invisible",
		probed: true,
		create: [][]string{
			{"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40), KEY a (a) INVISIBLE) DEFAULT CHARSET=utf8mb4"},
			{"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40), KEY a (a) IGNORED) DEFAULT CHARSET=utf8mb4"},
		},
		alter:  adding,
		typed:  workload.Typed{Name: "t", Key: workload.ID("id"), Values: plain},
		spread: spreadOne,
	},
	{
		group: "types", name: "defaults by expression are kept and apply",
		probed: true,
		create: one(`CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL DEFAULT (1 + 2), v VARCHAR(40) NOT NULL DEFAULT (CONCAT('a', 'b')),
			x TEXT DEFAULT ('text'), o INT)`),
		alter: adding + ", ADD COLUMN e INT NOT NULL DEFAULT (3 * 4)",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{{Name: "o", Values: []string{"1", "2", "NULL"}}}},
		after: []string{"INSERT INTO t (id) VALUES (900000)"},
	},
	{
		group: "types", name: "a sequence goes on giving defaults",
		needs: []flavor.Capability{flavor.CapSequences},
		create: one("CREATE SEQUENCE s START WITH 1000 CACHE 5",
			"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n BIGINT NOT NULL DEFAULT NEXT VALUE FOR s, o INT)"),
		alter: adding,
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{{Name: "o", Values: []string{"1", "2", "NULL"}}}},
		after: []string{"INSERT INTO t (id) VALUES (900000)"},
	},
	{
		group: "types", name: "a system-versioned table keeps its current rows",
		needs:          []flavor.Capability{flavor.CapSystemVersioning},
		create:         one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40)) WITH SYSTEM VERSIONING DEFAULT CHARSET=utf8mb4"),
		alter:          adding,
		options:        []string{"system_versioning_alter_history=KEEP"},
		sessionOptions: []string{"SET SESSION system_versioning_alter_history = KEEP"},
		typed:          workload.Typed{Name: "t", Key: workload.ID("id"), Values: plain},
	},
}
