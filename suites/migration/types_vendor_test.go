package migration_test

import (
	"strings"
	"time"

	"mysqlmatrix/harness/workload"
)

// unreadable is the limit for types that a tool may not be able to read from the binary log: gh-ost asks again
// and again for such events.
const unreadable = 40 * time.Second

// Types that not every server has. Each is asked for by its CREATE.
var vendorTypes = []scenario{
	{
		group: "types", name: "geometries keep their shape and reference system",
		probed: true,
		create: [][]string{
			{"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, p POINT NOT NULL SRID 0, g GEOMETRY, l LINESTRING, a POLYGON, SPATIAL INDEX p (p))"},
			{"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, p POINT NOT NULL, g GEOMETRY, l LINESTRING, a POLYGON, SPATIAL INDEX p (p))"},
			// InnoDB has spatial indexes since MySQL 5.7.
			{"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, p POINT NOT NULL, g GEOMETRY, l LINESTRING, a POLYGON)"},
		},
		alter: adding,
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "p", Values: []string{"ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(-179.999999 89.123456789)')", "ST_GeomFromText('POINT(0 0)')"}},
			{Name: "g", Values: []string{
				"ST_GeomFromText('POINT(10 20)', 4326)", "ST_GeomFromText('MULTIPOINT((1 1),(2 2))')",
				"ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))')", "NULL",
			}},
			{Name: "l", Values: []string{"ST_GeomFromText('LINESTRING(0 0,0.1 0.2,1e10 -1e-10)')", "NULL"}},
			{Name: "a", Values: []string{"ST_GeomFromText('POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,4 2,4 4,2 4,2 2))')", "NULL"}},
		}},
	},
	{
		group: "types", name: "uuid and inet4 keep every value",
		probed: true,
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, u UUID, a INET4, v VARCHAR(36))"),
		alter:  adding + ", ADD KEY u (u)",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "u", Values: []string{
				"'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
				"'6ccd780c-baba-1026-9564-5b8c656024db'", "'018f4b2e-1c00-7000-8000-0000000000ff'", "NULL",
			}},
			{Name: "a", Values: []string{"'0.0.0.0'", "'255.255.255.255'", "'10.0.0.1'", "NULL"}},
			{Name: "v", Values: []string{"'6ccd780c-baba-1026-9564-5b8c656024db'", "NULL"}},
		}},
	},
	{
		group: "types", name: "inet6 keeps every value",
		probed: true,
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INET6, b INET6 NOT NULL)"),
		alter:  adding,
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "a", Values: []string{"'::'", "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'", "'::ffff:1.2.3.4'", "'2001:db8::ff00:42:8329'", "NULL"}},
			{Name: "b", Values: []string{"'::1'", "'::'", "'fe80::100'"}},
		}},
	},
	{
		group: "types", name: "vectors keep every number",
		probed: true,
		create: [][]string{
			{"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VECTOR(4) NOT NULL, w VECTOR(2))"},
		},
		limit: unreadable,
		alter: adding,
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "v", Values: []string{"x'0000803f000000400000404000008040'", "x'00000000000000000000000000000000'", "x'cdcccc3dcdccccbd000000cf0000c842'"}},
			{Name: "w", Values: []string{"x'0000803f00000040'", "NULL"}},
		}},
	},
	{
		group: "types", name: "compressed columns and tables keep their contents",
		probed: true,
		create: [][]string{
			{"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, x TEXT COMPRESSED, v VARCHAR(400) COMPRESSED, b BLOB COMPRESSED) DEFAULT CHARSET=utf8mb4"},
			{"CREATE TABLE t (id INT NOT NULL PRIMARY KEY, x TEXT, v VARCHAR(400), b BLOB) DEFAULT CHARSET=utf8mb4 ROW_FORMAT=COMPRESSED"},
		},
		// Before MySQL 5.7 and MariaDB 10.2 a compressed table wants the file format told.
		options: []string{"loose-innodb_file_format=Barracuda"},
		limit:   unreadable,
		alter:   adding,
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "x", Values: []string{"'" + strings.Repeat("zażółć ", 1000) + "'", "''", "'x'", "NULL"}},
			{Name: "v", Values: []string{"'" + strings.Repeat("a", 400) + "'", "'  '", "NULL"}},
			{Name: "b", Values: []string{"0x" + strings.Repeat("00", 5000), "0x00", "NULL"}},
		}},
	},
}
