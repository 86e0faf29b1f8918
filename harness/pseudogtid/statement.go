package pseudogtid

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/server"
)

// The session context of a statement that changes what it does. Codes and lengths: MySQL's
// libs/mysql/binlog/event/statement_events.h (Query_event_status_vars), MariaDB's log_event.h.
const (
	varFlags        = 0   // foreign_key_checks, unique_checks, sql_auto_is_null
	varMode         = 1   // sql_mode
	varIncrement    = 3   // auto_increment_increment and _offset
	varCharset      = 4   // client, connection and server character sets
	varZone         = 5   // time_zone
	varLocale       = 7   // lc_time_names
	varDatabaseSet  = 8   // character set of the database
	varInvoker      = 11  // who runs it, for DEFINER
	varMicroseconds = 13  // of the statement's time
	varDefaults     = 16  // explicit_defaults_for_timestamp
	varCollation    = 18  // default_collation_for_utf8mb4
	varMariaMicro   = 128 // MariaDB's varMicroseconds
)

// variable says how long a status variable is and how it is compared.
type variable struct {
	name   string
	length int  // -1: a length byte and text
	always bool // a lack of it is a value, and not just an older server
}

var variables = map[byte]variable{
	varFlags: {"session flags", 4, false}, varMode: {"sql_mode", 8, true}, varIncrement: {"auto_increment settings", 4, true},
	varCharset: {"character sets", 6, false}, varZone: {"time_zone", -1, true}, varLocale: {"lc_time_names", 2, true},
	varDatabaseSet: {"character set of the database", 2, false}, varMicroseconds: {"microseconds", 3, false},
	varDefaults: {"explicit_defaults_for_timestamp", 1, false}, varCollation: {"default_collation_for_utf8mb4", 2, false},
	varMariaMicro: {"microseconds", 3, false},
	// Known by length only: catalog, table map for update, bytes written, DDL's own ids, server's own settings.
	6: {"", -1, false}, 9: {"", 8, false}, 10: {"", 4, false}, 17: {"", 8, false}, 19: {"", 1, false}, 20: {"", 1, false},
	129: {"", 8, false}, 130: {"", 1, false},
}

// sessionFlags are those bits of the flags that change what a statement does (OPTION_AUTO_IS_NULL,
// OPTION_NO_FOREIGN_KEY_CHECKS and OPTION_RELAXED_UNIQUE_CHECKS in both servers' sources).
const sessionFlags = 1<<14 | 1<<26 | 1<<27

// statusVariables reads a statement's session context. What comes after a code that is not known cannot be
// read; servers write the ones that matter first.
func statusVariables(vars []byte) map[byte]string {
	found := map[byte]string{}
	for len(vars) > 0 {
		code := vars[0]
		vars = vars[1:]
		var n int
		switch known, ok := variables[code]; {
		case ok && known.length >= 0:
			n = known.length
		case ok:
			if len(vars) == 0 {
				return found
			}
			n, vars = int(vars[0]), vars[1:]
		case code == 2: // catalog with a final zero (MySQL 5.0)
			if len(vars) == 0 {
				return found
			}
			n, vars = int(vars[0])+1, vars[1:]
		case code == varInvoker:
			n = invokerLength(vars)
		case code == 12: // names of updated databases: 254 stands for too many
			n = databasesLength(vars)
		default:
			return found
		}
		if n > len(vars) {
			return found
		}
		if known := variables[code]; known.name != "" || code == varInvoker {
			found[code] = string(vars[:n])
		}
		if code == varFlags {
			masked := binary.LittleEndian.Uint32(vars) & sessionFlags
			found[code] = string(binary.LittleEndian.AppendUint32(nil, masked))
		}
		vars = vars[n:]
	}
	return found
}

// invokerLength is the length of two texts, each after a length byte.
func invokerLength(vars []byte) int {
	n := 0
	for range 2 {
		if n >= len(vars) {
			return len(vars) + 1
		}
		n += 1 + int(vars[n])
	}
	return n
}

// databasesLength is the length of a count and so many texts, each with a final zero.
func databasesLength(vars []byte) int {
	if len(vars) == 0 {
		return 1
	}
	n := 1
	if vars[0] == 254 {
		return n
	}
	for range vars[0] {
		end := slices.Index(vars[min(n, len(vars)):], 0)
		if end < 0 {
			return len(vars) + 1
		}
		n += end + 1
	}
	return n
}

// defaults are what the lack of a variable means.
var defaults = map[byte]string{varIncrement: "\x01\x00\x01\x00", varLocale: "\x00\x00"}

// contextDiffers names the first part of two session contexts that differs.
func contextDiffers(a, b map[byte]string) string {
	for _, code := range []byte{varMode, varIncrement, varCharset, varZone, varLocale, varDatabaseSet, varFlags, varInvoker,
		varMicroseconds, varDefaults, varCollation, varMariaMicro} {
		x, inA := a[code]
		y, inB := b[code]
		if !inA && !inB {
			continue
		}
		if !inA || !inB {
			if !variables[code].always {
				continue
			}
			x, y = orDefault(code, x, inA), orDefault(code, y, inB)
		}
		if x != y && !(code == varMode && sameModes(x, y)) {
			name := variables[code].name
			if code == varInvoker {
				name = "user"
			}
			return fmt.Sprintf("the statements have different %s, %s and %s", name, show(code, x), show(code, y))
		}
	}
	return ""
}

// removedModes are bits of sql_mode that MySQL 8.0 has removed and that change no statement's meaning: POSTGRESQL, DB2,
// NO_KEY_OPTIONS, NO_TABLE_OPTIONS, NO_FIELD_OPTIONS, MYSQL323, MYSQL40 and NO_AUTO_CREATE_USER. A replica of 8.0 applies a
// statement without them, and logs it so (MODE_IGNORED_MASK in its sql/sql_class.h).
const removedModes = 1<<8 | 1<<11 | 1<<13 | 1<<14 | 1<<15 | 1<<16 | 1<<17 | 1<<28

// sameModes says whether two values of sql_mode are one, or would be if one of the servers knew what was removed since.
func sameModes(a, b string) bool {
	if len(a) != 8 || len(b) != 8 {
		return false
	}
	x, y := binary.LittleEndian.Uint64([]byte(a)), binary.LittleEndian.Uint64([]byte(b))
	return x&^removedModes == y&^removedModes && (x&removedModes == 0 || y&removedModes == 0)
}

func orDefault(code byte, value string, has bool) string {
	if has {
		return value
	}
	return defaults[code]
}

func show(code byte, value string) string {
	if code == varZone || code == varInvoker {
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%x", value)
}

// word is a statement's first words in capitals, to tell transactions by.
func word(statement string) string {
	const enough = 40
	return strings.ToUpper(strings.TrimSpace(statement[:min(len(statement), enough)]))
}

// generated ends the statements that a server writes in place of what it was told.
const generated = "/* generated by server */"

// temporaryDrop is a DROP of temporary tables with quoted names, as servers write it: in the session's name
// when it ends, and once more, in other words, when a replica replays that.
var temporaryDrop = regexp.MustCompile("(?i)^DROP\\s+(?:/\\*!40005 TEMPORARY \\*/|TEMPORARY)\\s+TABLE\\s+(?:IF EXISTS\\s+)?" +
	"((?:`(?:[^`]|``)+`[.,]?)+)\\s*(?:/\\* generated by server \\*/)?$")

// quotedName is a table's name, with or without its database.
var quotedName = regexp.MustCompile("(`(?:[^`]|``)+`)(\\.`(?:[^`]|``)+`)?")

// asWritten takes away what a replica adds to a statement that its source has generated. MariaDB replays
// DROP TABLE as DROP TABLE IF EXISTS (slave_ddl_exec_mode=IDEMPOTENT, the default), and logs it so; servers
// name the tables that a session leaves behind without their database, and their replicas with it.
func asWritten(database, statement string) (string, string) {
	if match := temporaryDrop.FindStringSubmatch(statement); match != nil {
		names := quotedName.ReplaceAllStringFunc(match[1], func(name string) string {
			if parts := quotedName.FindStringSubmatch(name); parts[2] == "" {
				return server.Ident(database) + "." + name
			}
			return name
		})
		return "", "DROP TEMPORARY TABLE " + names
	}
	if strings.HasSuffix(statement, generated) {
		statement = strings.Replace(statement, " IF EXISTS", "", 1)
		return database, repeated.ReplaceAllString(statement, "DROP TABLE ")
	}
	return database, statement
}

// repeated is the comment where MariaDB puts it when it replays such a statement: it keeps the comment of a DROP TABLE, which it
// now and then takes to be the source's own one at the end (mysql_rm_table_no_locks in its sql/sql_table.cc), and adds another.
var repeated = regexp.MustCompile(`^DROP TABLE (?:/\* generated by server \*/ )+`)

// control are statements that say where transactions and their parts begin and end, and nothing of a database.
var control = regexp.MustCompile("(?i)^(XA |SAVEPOINT |ROLLBACK TO |RELEASE SAVEPOINT )")
