package migration_test

import (
	"fmt"
	"strings"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/workload"
)

// words are of one character set each, and what others have as well.
var (
	latinWords  = []string{"'café'", "'ÄÖÜß'", "'plain'", "''", "NULL", "'naïve — no'"}
	gbkWords    = []string{"'中文'", "'简体字'", "'plain'", "''", "NULL", "'价格￥'"}
	utf8Words   = []string{"'zażółć'", "'中文'", "'हिन्दी'", "''", "NULL"}
	utf8mb4Word = []string{"'😀'", "'zażółć 😀😀'", "'𠜎'", "''", "NULL"}
)

const charsetColumns = `id INT NOT NULL PRIMARY KEY, l VARCHAR(40) CHARACTER SET latin1, lt TEXT CHARACTER SET latin1,
	g VARCHAR(40) CHARACTER SET gbk, u3 VARCHAR(40) CHARACTER SET utf8, u4 VARCHAR(40) CHARACTER SET utf8mb4,
	c CHAR(12) CHARACTER SET latin1, b VARBINARY(40)`

var charsets = workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
	{Name: "l", Values: latinWords}, {Name: "lt", Values: latinWords}, {Name: "g", Values: gbkWords},
	{Name: "u3", Values: utf8Words}, {Name: "u4", Values: utf8mb4Word}, {Name: "c", Values: latinWords},
	{Name: "b", Values: []string{"0xE9FF00", "x''", "'é'", "NULL"}},
}}

var textTypes = []scenario{
	{
		group: "types", name: "text and bytes keep spaces, zeros, quotes and length",
		create: one(`CREATE TABLE t (id INT NOT NULL PRIMARY KEY, c CHAR(10), v VARCHAR(100), x MEDIUMTEXT, b BINARY(4), vb VARBINARY(20), y MEDIUMBLOB)
			DEFAULT CHARSET=utf8mb4`),
		alter: adding + ", MODIFY v VARCHAR(300), MODIFY vb VARBINARY(30)",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "c", Values: []string{"'a  '", "''", "'ż😀'", "NULL"}},
			{Name: "v", Values: []string{"'  both  '", "''", `'it''s \\ "so"'`, `'tab\tline\n'`, "'żółć 😀'", "NULL"}},
			{Name: "x", Values: []string{"'" + strings.Repeat("zażółć ", 6000) + "'", "''", "NULL", "'%s %d `?`'"}},
			{Name: "b", Values: []string{"0x01000000", "0x00", "0x61626364", "0x20", "NULL"}},
			{Name: "vb", Values: []string{"0x0100", "x''", "0xFF00FF", "0x2020", "NULL"}},
			{Name: "y", Values: []string{"0x" + strings.Repeat("00ff5c27", 9000), "x''", "NULL", "0x00"}},
		}},
		spread: spreadAll,
	},
	{
		group: "types", name: "latin1, gbk, utf8mb3, utf8mb4 and binary columns keep their characters",
		create: one("CREATE TABLE t (" + charsetColumns + ")"),
		alter:  adding,
		typed:  charsets,
	},
	{
		group: "types", name: "latin1, gbk and utf8mb3 columns become utf8mb4",
		create: one("CREATE TABLE t (" + charsetColumns + ") DEFAULT CHARSET=latin1"),
		alter:  "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
		typed:  charsets,
		inPR:   true,
	},
	{
		group: "types", name: "text becomes bytes, and bytes become text",
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(60) CHARACTER SET utf8mb4, b VARBINARY(60), x TEXT CHARACTER SET utf8mb4)"),
		alter:  "MODIFY v VARBINARY(240), MODIFY b VARCHAR(60) CHARACTER SET utf8mb4, MODIFY x BLOB",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "v", Values: utf8mb4Word}, {Name: "b", Values: utf8Words}, {Name: "x", Values: utf8mb4Word},
		}},
	},
	{
		group: "types", name: "json keeps nesting, key order, numbers and size",
		needs:  []flavor.Capability{flavor.CapJSON},
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, doc JSON, other JSON)"),
		alter:  adding,
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "doc", Values: documents}, {Name: "other", Values: documents},
		}},
		inPR: true,
	},
	{
		group: "types", name: "json keeps a number's type", finds: true,
		needs:  []flavor.Capability{flavor.CapJSON},
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, doc JSON)"),
		alter:  adding,
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "doc", Values: []string{`'{"whole": 1.0}'`, `'[1e100, -0.0, 0.1]'`, `'18446744073709551615'`, `'-9223372036854775808'`, `'[100.0, 1]'`, `'1e2'`}},
		}},
	},
}

// documents have no number that MySQL could turn into another type.
var documents = []string{
	`'{}'`, `'[]'`, "NULL", `'null'`, `'true'`, `'"text"'`,
	`'{"b": 1, "a": 2, "aa": 3, "": 4, "ż": 5, "B": 6}'`,
	`'{"escaped": "line\\nquote \\" slash \\\\ end", "emoji": "😀", "zero": "\\u0000"}'`,
	`'[1, -1, 0.5, "1", null, false, {"a": [{"b": []}]}]'`,
	`'` + strings.Repeat(`{"n":[`, 15) + `0` + strings.Repeat(`]}`, 15) + `'`, // MariaDB goes 32 levels deep
	`'` + largeDocument() + `'`,
}

// largeDocument is larger than 64 kB, where MySQL's binary format takes wider offsets.
func largeDocument() string {
	members := make([]string, 3000)
	for i := range members {
		members[i] = fmt.Sprintf(`"key %04d":{"value":"some text of %d","list":[%d,%d]}`, (i*7919)%3000, i, i, -i)
	}
	return "{" + strings.Join(members, ",") + "}"
}
