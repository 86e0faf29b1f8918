package setting

import (
	"fmt"
	"slices"

	"mysqlmatrix/harness/flavor"
)

// session is a setting by SET SESSION.
func session(variable, value string) Setting {
	return Setting{Variable: variable, Value: value, Session: []string{"SET SESSION " + variable + " = '" + value + "'"},
		Condition: "@@SESSION." + variable + " = '" + value + "'", Refusal: "(?i)" + variable}
}

// flag is a setting of a variable that is on or off.
func flag(variable, value string) Setting {
	s := session(variable, value)
	s.Session = []string{"SET SESSION " + variable + " = " + value}
	s.Condition = "@@SESSION." + variable
	if value == "OFF" || value == "0" {
		s.Condition = "NOT " + s.Condition
	}
	return s
}

// global is a setting by an option of every server; one that a server does not know is passed over when it starts.
func global(variable, value string) Setting {
	return Setting{Variable: variable, Value: value, Server: []string{"loose-" + variable + "=" + value}, Refusal: "(?i)" + variable}
}

// release is the first one of MySQL, with Percona Server, and of MariaDB that has a variable.
type release struct{ mysql, mariadb flavor.Version }

// never is no release.
var never = flavor.Version{}

func version(major, minor, patch int) flavor.Version {
	return flavor.Version{Major: major, Minor: minor, Patch: patch}
}

// releases are those of variables that not every server has. Sources: the servers' reference manuals.
var releases = map[string]release{
	"binlog_transaction_compression":     {version(8, 0, 20), never},
	"binlog_row_value_options":           {version(8, 0, 3), never},
	"binlog_row_image":                   {version(5, 6, 2), version(10, 1, 6)},
	"binlog_rows_query_log_events":       {version(5, 6, 2), never},
	"binlog_annotate_row_events":         {never, version(10, 0, 0)},
	"binlog_row_metadata":                {version(8, 0, 1), version(10, 5, 0)},
	"log_bin_compress":                   {never, version(10, 2, 3)},
	"gtid_next":                          {version(8, 3, 0), never}, // tagged GTIDs
	"explain_format":                     {version(8, 0, 32), never},
	"transaction_isolation":              {version(5, 7, 20), version(11, 1, 1)},
	"sql_require_primary_key":            {version(8, 0, 13), never},
	"sql_generate_invisible_primary_key": {version(8, 0, 30), never},
	"require_secure_transport":           {version(5, 7, 28), version(10, 5, 2)}, // earlier builds of 5.7 (yaSSL) have no TLS 1.2
}

// All are the settings, those under which rows were lost first.
func All() []Setting {
	return slices.Concat(binaryLog(), sessions(), servers(), statements(), earlier())
}

// binaryLog are settings of what is in the binary log, which tools read.
func binaryLog() []Setting {
	compression := flag("binlog_transaction_compression", "ON")
	compression.Reported = true
	minimal := session("binlog_row_image", "MINIMAL")
	minimal.Reported = true
	statement := session("binlog_format", "STATEMENT")
	statement.Reported = true
	partial := session("binlog_row_value_options", "PARTIAL_JSON")
	partial.Condition = "@@SESSION.binlog_row_value_options <> ''"
	partial.JSON, partial.Reported = true, true
	compressed := global("binlog_transaction_compression", "ON")
	compressed.Reported = true
	minimalServer := global("binlog_row_image", "MINIMAL")
	minimalServer.Refusal = "(?i)only 'FULL' is supported|binlog_row_image"
	statementServer := global("binlog_format", "STATEMENT")
	statementServer.Refusal = "(?i)ROW binlog format|binlog_format"
	partialServer := global("binlog_row_value_options", "PARTIAL_JSON")
	partialServer.JSON = true
	tagged := Setting{Variable: "gtid_next", Value: "AUTOMATIC:app", Session: []string{"SET SESSION gtid_next = 'AUTOMATIC:app'"}, GTID: true, Refusal: "(?i)gtid"}
	cache := global("binlog_cache_size", "4096") // transactions are larger
	cache.Large = true
	mariadb := global("log_bin_compress", "ON")
	mariadb.Server = append(mariadb.Server, "loose-log_bin_compress_min_len=10")
	list := []Setting{compression, minimal, statement, partial, compressed, mariadb,
		minimalServer, statementServer, partialServer, tagged,
		session("binlog_row_image", "NOBLOB"), session("binlog_format", "MIXED"),
		flag("binlog_rows_query_log_events", "ON"), flag("binlog_annotate_row_events", "ON"),
		global("binlog_checksum", "NONE"), global("binlog_row_metadata", "FULL"), cache,
	}
	for i := range list {
		if list[i].JSON {
			list[i].Needs = []flavor.Capability{flavor.CapJSON}
		}
		// A row image or JSON diff says something of rows in the log only.
		if list[i].Variable == "binlog_row_image" || list[i].JSON {
			list[i].Excludes = []string{"binlog_format"}
		}
	}
	return list
}

// CharacterSet is the Variable of settings by SET NAMES, which are of several variables.
const CharacterSet = "character set"

// sessions are further settings of applications' sessions.
func sessions() []Setting {
	isolation := func(level string) Setting {
		return Setting{Variable: "transaction isolation", Value: level, Session: []string{"SET SESSION TRANSACTION ISOLATION LEVEL " + level},
			Refusal: "(?i)isolation", Excludes: []string{"binlog_format"}} // InnoDB refuses statements in the log below REPEATABLE READ
	}
	names := func(charset string) Setting {
		return Setting{Variable: CharacterSet, Value: charset, Session: []string{"SET NAMES " + charset}, Refusal: "(?i)character"}
	}
	list := []Setting{isolation("READ COMMITTED"), isolation("SERIALIZABLE"), names("latin1"), names("utf8mb4"),
		flag("foreign_key_checks", "0"), flag("unique_checks", "0"), session("time_zone", "-11:00"), unlogged()}
	for _, mode := range []string{"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PAD_CHAR_TO_FULL_LENGTH", "PIPES_AS_CONCAT"} {
		one := session("sql_mode", mode)
		one.Condition = "FIND_IN_SET('" + mode + "', @@SESSION.sql_mode)"
		list = append(list, one)
	}
	return list
}

// unlogged is a session that writes nothing to the binary log.
func unlogged() Setting {
	s := flag("sql_log_bin", "0")
	s.Unlogged = true
	return s
}

// statements are settings of how an application writes.
func statements() []Setting {
	manual := flag("autocommit", "0")
	manual.Around = func(int64) Around { return Around{After: []string{"COMMIT"}} }
	xa := func(title string, end func(n int64) string) Setting {
		return Setting{Title: title, Variable: "XA", Value: title, Refusal: `(?i)\bXA\b`, Excludes: []string{"binlog_format"}, // MySQL 5.7.22 dies of an XA ROLLBACK in a log of statements
			Around: func(n int64) Around {
				id := fmt.Sprintf(" 'application-%d'", n)
				return Around{
					Before: []string{"XA START" + id},
					After:  []string{"XA END" + id, "XA PREPARE" + id, end(n) + id},
					Undo:   []string{"XA END" + id, "XA ROLLBACK" + id},
				}
			}}
	}
	return []Setting{
		manual,
		xa("XA transactions", func(int64) string { return "XA COMMIT" }),
		xa("XA transactions, some of them rolled back after XA PREPARE", func(n int64) string {
			if n%3 == 0 {
				return "XA ROLLBACK"
			}
			return "XA COMMIT"
		}),
		{
			Title: "LOAD DATA", Variable: "local_infile", Value: "ON", Server: []string{"loose-local_infile=ON"}, Refusal: "(?i)infile",
			// With MINIMAL, a replica of MariaDB 10.5.29 keeps what a column had that REPLACE by LOAD DATA has set to NULL.
			Excludes: []string{"binlog_row_image"},
			Statements: []string{
				"LOAD DATA LOCAL INFILE 'Reader::" + Rows + "' REPLACE INTO TABLE t CHARACTER SET utf8mb4 (a, v, n) SET id = %[2]d",
				"LOAD DATA LOCAL INFILE 'Reader::" + Rows + "' IGNORE INTO TABLE t CHARACTER SET utf8mb4 (a, v, n) SET id = %[2]d",
			},
		},
	}
}

// Rows is the name by which LOAD DATA asks the driver for rows of an INT, a text and another INT.
const Rows = "rows"

// earlier are settings that sessions keep from before they were changed, as those of a pool of connections do.
func earlier() []Setting {
	list := []Setting{session("binlog_row_image", "MINIMAL"), session("binlog_format", "STATEMENT"),
		flag("binlog_transaction_compression", "ON")}
	for i := range list {
		list[i].Earlier, list[i].Session, list[i].Condition = true, nil, ""
	}
	list[0].Excludes = []string{"binlog_format"}
	return list
}

// servers are further settings of servers. They are those of the tool's sessions as well.
func servers() []Setting {
	packet := global("max_allowed_packet", "65536")
	packet.Large, packet.Refusal = true, "(?i)max_?allowed_?packet|packet for query is too large"
	lower := global("lower_case_table_names", "1")
	lower.LowerCase, lower.Refusal = true, "(?i)lower_case_table_names|table .* does not exist"
	secure := global("require_secure_transport", "ON")
	secure.Title, secure.Refusal = "TLS required, with caching_sha2_password where the server has it", "(?i)tls|ssl|secure"
	// The names of MySQL's own certificate; a sandbox of MariaDB has one by these names as well.
	secure.Server = append(secure.Server, "loose-ssl-cert=server-cert.pem", "loose-ssl-key=server-key.pem")
	explain := global("explain_format", "JSON")
	level := global("transaction_isolation", "READ-COMMITTED")
	level.Excludes = []string{"binlog_format", "transaction isolation"}
	return []Setting{
		global("sql_mode", "ANSI_QUOTES"), global("sql_mode", "NO_BACKSLASH_ESCAPES"), global("sql_mode", "PAD_CHAR_TO_FULL_LENGTH"),
		explain, level,
		global("sql_safe_updates", "ON"), global("sql_quote_show_create", "OFF"), global("group_concat_max_len", "16"),
		global("sql_require_primary_key", "ON"), global("sql_generate_invisible_primary_key", "ON"),
		global("innodb_autoinc_lock_mode", "0"), global("innodb_autoinc_lock_mode", "2"),
		global("innodb_lock_wait_timeout", "1"), global("low_priority_updates", "ON"),
		global("innodb_strict_mode", "OFF"), global("auto_increment_increment", "7"),
		packet, lower, secure,
		{Title: "GTID", Variable: "GTID", Value: "ON", GTID: true, Refusal: "(?i)gtid", Needs: []flavor.Capability{flavor.CapGTID}},
		{Title: "semi-synchronous replication", Variable: "semi-sync", Value: "ON", SemiSync: true, Refusal: "(?i)semi", Needs: []flavor.Capability{flavor.CapSemiSync}},
	}
}
