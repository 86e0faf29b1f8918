package migration_test

import (
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/workload"
)

var timeTypes = []scenario{
	{
		group: "types", name: "zero and invalid dates are kept where sql_mode allows them",
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, d DATE, dt DATETIME, ts TIMESTAMP NULL, y YEAR)"),
		alter:  adding + ", MODIFY dt DATETIME(3)",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "d", Values: []string{"'0000-00-00'", "'2023-00-00'", "'2023-02-31'", "'1000-01-01'", "'9999-12-31'", "NULL"}},
			{Name: "dt", Values: []string{"'0000-00-00 00:00:00'", "'2023-04-31 10:11:12'", "'2023-05-00 00:00:00'", "'9999-12-31 23:59:59'", "NULL"}},
			{Name: "ts", Values: []string{"'0000-00-00 00:00:00'", "'2020-02-29 12:00:00'", "NULL"}},
			{Name: "y", Values: []string{"'0000'", "'1901'", "'2155'", "NULL"}},
		}},
		sqlMode: "ALLOW_INVALID_DATES",
		is:      migration.CaseInvalidDates,
	},
	{
		group: "types", name: "fractional seconds and long times keep every digit",
		create: one(`CREATE TABLE t (id INT NOT NULL PRIMARY KEY, t0 TIME, t6 TIME(6), d3 DATETIME(3), d6 DATETIME(6), s3 TIMESTAMP(3) NULL, s6 TIMESTAMP(6) NULL)`),
		alter:  adding + ", MODIFY d3 DATETIME(6), MODIFY s3 TIMESTAMP(6) NULL",
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "t0", Values: []string{"'-838:59:59'", "'838:59:59'", "'00:00:00'", "'-00:00:01'", "NULL"}},
			{Name: "t6", Values: []string{"'-838:59:59.000000'", "'838:59:58.999999'", "'-00:00:00.000001'", "'-00:00:00.500000'", "'12:00:00.000010'", "NULL"}},
			{Name: "d3", Values: []string{"'2024-02-29 23:59:59.999'", "'1000-01-01 00:00:00.001'", "'9999-12-31 23:59:59.990'", "NULL"}},
			{Name: "d6", Values: []string{"'2024-02-29 23:59:59.999999'", "'1000-01-01 00:00:00.000001'", "'2024-01-01 00:00:00.100000'", "NULL"}},
			{Name: "s3", Values: []string{"'1970-01-02 00:00:00.001'", "'2038-01-18 03:14:07.999'", "NULL"}},
			{Name: "s6", Values: []string{"'1970-01-02 00:00:00.000001'", "'2038-01-18 03:14:07.999999'", "'2024-03-31 01:30:00.500000'", "NULL"}},
		}},
	},
	{
		group: "types", name: "timestamps keep their instant with client, primary and replica in three time zones",
		create:         one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, ts TIMESTAMP NULL, t6 TIMESTAMP(6) NULL, dt DATETIME)"),
		alter:          adding,
		timeZone:       "-08:00",
		options:        []string{"default-time-zone=+05:45"},
		replicaOptions: []string{"default-time-zone=-03:30"},
		typed:          workload.Typed{Name: "t", Key: workload.ID("id"), Values: stamps("'1970-01-01 00:00:01'", "'2038-01-18 19:14:07'")},
		spread:         spreadAll,
	},
	{
		group: "types", name: "a datetime becomes a timestamp and a timestamp a datetime, in the server's time zone",
		create: one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, ts TIMESTAMP NULL, dt DATETIME)"),
		alter:  "MODIFY ts DATETIME NULL, MODIFY dt TIMESTAMP NULL",
		// The writers are in the server's zone: after the exchange the same literal means the same.
		timeZone: "+05:45",
		options:  []string{"default-time-zone=+05:45"},
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: []workload.ValueColumn{
			{Name: "ts", Values: []string{"'2024-03-10 02:30:00'", "'2024-11-03 01:30:00'", "NULL"}},
			{Name: "dt", Values: []string{"'2024-03-31 02:30:00'", "'2024-10-27 02:30:00'", "NULL"}},
		}},
	},
	{
		group: "types", name: "timestamps around the start and end of daylight saving time keep their instant",
		create:         one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, ts TIMESTAMP NULL, t6 TIMESTAMP(6) NULL, dt DATETIME)"),
		alter:          adding,
		zone:           "America/New_York",
		timeZone:       "America/New_York",
		options:        []string{"default-time-zone=+01:00"},
		replicaOptions: []string{"default-time-zone=-03:30"},
		// 02:00 to 03:00 is not there on 10 March, and 01:00 to 02:00 is there twice on 3 November.
		typed: workload.Typed{Name: "t", Key: workload.ID("id"), Values: stamps(
			"'2024-03-10 01:59:59'", "'2024-03-10 03:00:00'", "'2024-11-03 00:59:59'", "'2024-11-03 01:30:00'", "'2024-11-03 02:00:00'")},
	},
}

// stamps are columns of moments, the given ones among them.
func stamps(moments ...string) []workload.ValueColumn {
	list := append([]string{"'2024-06-15 12:00:00'", "NULL"}, moments...)
	return []workload.ValueColumn{
		{Name: "ts", Values: list}, {Name: "t6", Values: list},
		{Name: "dt", Values: []string{"'2024-03-10 02:30:00'", "'2024-11-03 01:30:00'", "'2024-03-31 02:30:00'", "NULL"}},
	}
}
