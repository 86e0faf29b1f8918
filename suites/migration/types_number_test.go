package migration_test

import (
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/workload"
)

// Literals must do the same whether they are written before the exchange or after it: a value fits the old
// type and the new one. NULL and the edges of each type are among them.

// adding is a change beside the one of a scenario's types, so that all of them rebuild the table alike.
const adding = "ADD COLUMN note VARCHAR(20) NOT NULL DEFAULT 'none'"

var numberTypes = []scenario{
	{
		group: "types", name: "integers keep their extremes, signed and unsigned",
		create: one(`CREATE TABLE t (id INT NOT NULL PRIMARY KEY, i1 TINYINT, u1 TINYINT UNSIGNED, i2 SMALLINT, u2 SMALLINT UNSIGNED,
			i3 MEDIUMINT, u3 MEDIUMINT UNSIGNED, i4 INT, u4 INT UNSIGNED, i8 BIGINT, u8 BIGINT UNSIGNED, z INT(5) UNSIGNED ZEROFILL)`),
		alter: adding + ", MODIFY u1 SMALLINT UNSIGNED, MODIFY u3 INT UNSIGNED, MODIFY u4 BIGINT UNSIGNED, MODIFY i4 BIGINT",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "i1", Values: []string{"-128", "127", "0", "NULL"}},
			{Name: "u1", Values: []string{"255", "128", "0", "NULL"}},
			{Name: "i2", Values: []string{"-32768", "32767", "0", "NULL"}},
			{Name: "u2", Values: []string{"65535", "32768", "0"}},
			{Name: "i3", Values: []string{"-8388608", "8388607", "-1"}},
			{Name: "u3", Values: []string{"16777215", "8388608", "0", "NULL"}},
			{Name: "i4", Values: []string{"-2147483648", "2147483647", "-1"}},
			{Name: "u4", Values: []string{"4294967295", "2147483648", "0", "NULL"}},
			{Name: "i8", Values: []string{"-9223372036854775808", "9223372036854775807", "-1"}},
			{Name: "u8", Values: []string{"18446744073709551615", "9223372036854775808", "0", "NULL"}},
			{Name: "z", Values: []string{"7", "4294967295", "0"}},
		}},
	},
	{
		group: "types", name: "decimals and floating-point numbers keep every digit", finds: true,
		create: one(`CREATE TABLE t (id INT NOT NULL PRIMARY KEY, d65 DECIMAL(65,30), d5 DECIMAL(5,2) UNSIGNED, d0 DECIMAL(65,0), f FLOAT, g DOUBLE)`),
		alter:  adding + ", MODIFY d5 DECIMAL(8,4) UNSIGNED",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "d65", Values: []string{
				"99999999999999999999999999999999999.999999999999999999999999999999",
				"-99999999999999999999999999999999999.999999999999999999999999999999",
				"0.000000000000000000000000000001", "-0.1", "0", "NULL", "12345678901234567890.5",
			}},
			{Name: "d5", Values: []string{"999.99", "0.01", "0", "NULL"}},
			{Name: "d0", Values: []string{
				"99999999999999999999999999999999999999999999999999999999999999999",
				"-99999999999999999999999999999999999999999999999999999999999999999", "9007199254740993",
			}},
			{Name: "f", Values: []string{"3.4028234663852886e38", "-3.4028234663852886e38", "1.17549435e-38", "0.1", "16777217", "123456.789", "0", "NULL"}},
			{Name: "g", Values: []string{
				"1.7976931348623157e308", "-1.7976931348623157e308", "2.2250738585072014e-308", "0.1", "0.30000000000000004",
				"9007199254740993", "1e23", "NULL",
			}},
		}},
	},
	{
		group: "types", name: "bits keep their width",
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, b1 BIT(1), b9 BIT(9), b17 BIT(17), b64 BIT(64))"),
		alter:  adding + ", MODIFY b17 BIT(20)",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "b1", Values: []string{"b'1'", "b'0'", "NULL"}},
			{Name: "b9", Values: []string{"b'111111111'", "b'100000000'", "b'0'"}},
			{Name: "b17", Values: []string{"b'11111111111111111'", "b'10000000000000000'", "b'1'", "NULL"}},
			{Name: "b64", Values: []string{"0xFFFFFFFFFFFFFFFF", "0x8000000000000000", "b'1'", "0", "NULL"}},
		}},
	},
	{
		group: "types", name: "ENUM and SET columns keep their values when members are reordered", finds: true, is: migration.CaseReorderedMembers,
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, e ENUM('a','b','c','ż'), s SET('r','g','b'), n ENUM('1','2','3') NOT NULL)"),
		alter:  "MODIFY e ENUM('x','ż','c','b','a'), MODIFY s SET('w','b','g','r'), MODIFY n ENUM('3','2','1') NOT NULL",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "e", Values: []string{"'a'", "'b'", "'c'", "'ż'", "NULL"}},
			{Name: "s", Values: []string{"'r'", "'r,g'", "'r,g,b'", "'b'", "''", "NULL"}},
			{Name: "n", Values: []string{"'1'", "'2'", "'3'"}},
		}},
	},
	{
		group: "types", name: "ENUM and SET columns keep their values when members are added at the end",
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, e ENUM('a','b','ż'), s SET('r','g','b'), n ENUM('1','2','3') NOT NULL)"),
		alter:  "MODIFY e ENUM('a','b','ż','x'), MODIFY s SET('r','g','b','w'), MODIFY n ENUM('1','2','3','4') NOT NULL, " + adding,
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "e", Values: []string{"'a'", "'b'", "'ż'", "NULL"}},
			{Name: "s", Values: []string{"'r'", "'r,g'", "'r,g,b'", "'b'", "''", "NULL"}},
			{Name: "n", Values: []string{"'1'", "'2'", "'3'"}},
		}},
		spread: spreadAll,
	},
}
