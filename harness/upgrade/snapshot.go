package upgrade

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
)

// attributes are what a server says of one object, in a form that does not depend on its version.
type attributes map[string]string

// snapshot is what a server holds besides rows.
type snapshot struct {
	flavor  flavor.Flavor
	objects map[Object]attributes
	columns map[Object][]column // of tables and views, in order
	// privileges are the words of the server's own SHOW PRIVILEGES.
	privileges map[string]bool
}

// column is one column of a table or view.
type column struct {
	name, kind, key string // kind is the data type without its length
	generated       bool
	auto            bool
	nullable        bool
}

// tableColumns are the columns of information_schema that every server has and that say what an object is.
var catalog = []struct {
	kind  string
	query string // the first columns are schema and name; each other one is an attribute by its name
}{
	{"database", "SELECT '' AS 's', SCHEMA_NAME AS 'n', DEFAULT_CHARACTER_SET_NAME AS 'charset', DEFAULT_COLLATION_NAME AS 'collation' FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN (%[1]s)"},
	{"table", "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE AS 'engine', TABLE_COLLATION AS 'collation', TABLE_COMMENT AS 'comment', IF(TABLE_TYPE = 'SYSTEM VERSIONED', 'yes', 'no') AS 'system_versioning' FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN (%[1]s)"},
	{"sequence", "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'SEQUENCE' AND TABLE_SCHEMA NOT IN (%[1]s)"},
	{"view", "SELECT TABLE_SCHEMA, TABLE_NAME, DEFINER AS 'definer', SECURITY_TYPE AS 'security', CHECK_OPTION AS 'check_option' FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN (%[1]s)"},
	{"routine", "SELECT ROUTINE_SCHEMA, ROUTINE_NAME, LOWER(ROUTINE_TYPE) AS 'kind', ROUTINE_DEFINITION AS 'body', DEFINER AS 'definer', SECURITY_TYPE AS 'security', SQL_MODE AS 'sql_mode', SQL_DATA_ACCESS AS 'data_access', IS_DETERMINISTIC AS 'deterministic', DTD_IDENTIFIER AS 'returns', ROUTINE_COMMENT AS 'comment', CHARACTER_SET_CLIENT AS 'client_charset', COLLATION_CONNECTION AS 'connection_collation' FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN (%[1]s)"},
	{"trigger", "SELECT TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_TABLE AS 'on_table', ACTION_TIMING AS 'timing', EVENT_MANIPULATION AS 'event', ACTION_STATEMENT AS 'body', DEFINER AS 'definer', SQL_MODE AS 'sql_mode' FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN (%[1]s)"},
	{"event", "SELECT EVENT_SCHEMA, EVENT_NAME, EVENT_DEFINITION AS 'body', EVENT_TYPE AS 'kind', EXECUTE_AT AS 'at', INTERVAL_VALUE AS 'every', INTERVAL_FIELD AS 'unit', STATUS AS 'status', ON_COMPLETION AS 'on_completion', DEFINER AS 'definer', SQL_MODE AS 'sql_mode', EVENT_COMMENT AS 'comment' FROM information_schema.EVENTS WHERE EVENT_SCHEMA NOT IN (%[1]s)"},
}

// parts are the pieces of tables: each row adds to the attributes of its table.
var parts = []string{
	"SELECT TABLE_SCHEMA, TABLE_NAME, CONCAT('index ', INDEX_NAME), GROUP_CONCAT(CONCAT_WS(' ', COLUMN_NAME, IF(SUB_PART IS NULL, NULL, CONCAT('(', SUB_PART, ')'))), IF(NON_UNIQUE = 0, ' unique', ''), ' ', INDEX_TYPE ORDER BY SEQ_IN_INDEX) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA NOT IN (%[1]s) GROUP BY 1, 2, 3",
	"SELECT k.TABLE_SCHEMA, k.TABLE_NAME, CONCAT('foreign key ', k.CONSTRAINT_NAME), CONCAT(GROUP_CONCAT(k.COLUMN_NAME, '->', k.REFERENCED_TABLE_NAME, '.', k.REFERENCED_COLUMN_NAME ORDER BY k.ORDINAL_POSITION), ' update ', REPLACE(r.UPDATE_RULE, 'NO ACTION', 'RESTRICT'), ' delete ', REPLACE(r.DELETE_RULE, 'NO ACTION', 'RESTRICT')) FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME WHERE k.REFERENCED_TABLE_NAME IS NOT NULL AND k.TABLE_SCHEMA NOT IN (%[1]s) GROUP BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, r.UPDATE_RULE, r.DELETE_RULE",
	"SELECT TABLE_SCHEMA, TABLE_NAME, CONCAT('partition ', PARTITION_NAME, IFNULL(CONCAT('/', SUBPARTITION_NAME), '')), CONCAT_WS(' ', PARTITION_METHOD, REPLACE(PARTITION_EXPRESSION, '`', ''), PARTITION_DESCRIPTION, SUBPARTITION_METHOD, REPLACE(SUBPARTITION_EXPRESSION, '`', '')) FROM information_schema.PARTITIONS WHERE PARTITION_NAME IS NOT NULL AND TABLE_SCHEMA NOT IN (%[1]s)",
}

// hidden are databases that are the servers' or the harness's own.
var hidden = []string{"mysql", "information_schema", "performance_schema", "sys", "ndbinfo", sandbox.ProofDatabase, probeDatabase, loadDatabase}

func hiddenList() string {
	var quoted []string
	for _, database := range hidden {
		quoted = append(quoted, "'"+database+"'")
	}
	return strings.Join(quoted, ", ")
}

// take reads what a server holds.
func take(ctx context.Context, s *side) (*snapshot, error) {
	shot := &snapshot{flavor: s.flavor, objects: map[Object]attributes{}, columns: map[Object][]column{}, privileges: map[string]bool{}}
	if err := execAll(ctx, s.conn, "SET SESSION group_concat_max_len = 1000000", "SET SESSION sql_mode = ''"); err != nil {
		return nil, err
	}
	for _, c := range catalog {
		if err := shot.list(ctx, s, c.kind, fmt.Sprintf(c.query, hiddenList())); err != nil {
			return nil, fmt.Errorf("read %ss: %w", c.kind, err)
		}
	}
	for _, query := range parts {
		a, err := must(ctx, s.conn, fmt.Sprintf(query, hiddenList()))
		if err != nil {
			return nil, err
		}
		for _, row := range a.rows {
			shot.add(string(row[0]), string(row[1]), string(row[2]), string(row[3]))
		}
	}
	for _, read := range []func(context.Context, *side) error{shot.readColumns, shot.readChecks, shot.readAccounts, shot.readHistory} {
		if err := read(ctx, s); err != nil {
			return nil, err
		}
	}
	own := Object{Kind: "database", Name: DefaultDatabase}
	if !shot.uses(DefaultDatabase) {
		delete(shot.objects, own) // the dump names its databases
	}
	return shot, execAll(ctx, s.conn, "SET SESSION sql_mode = DEFAULT")
}

// uses says whether a database holds anything.
func (s *snapshot) uses(database string) bool {
	for o := range s.objects {
		if strings.EqualFold(o.Schema, database) {
			return true
		}
	}
	return false
}

func (s *snapshot) list(ctx context.Context, side *side, kind, query string) error {
	a, err := must(ctx, side.conn, query)
	if err != nil {
		return err
	}
	for _, row := range a.rows {
		o := Object{kind, string(row[0]), string(row[1])}
		set := attributes{}
		for i, name := range a.columns[2:] {
			set[name] = plainValue(name, string(row[i+2]))
		}
		if kind == "routine" {
			o.Kind = set["kind"]
			delete(set, "kind")
		}
		s.objects[o] = set
	}
	return nil
}

// add gives a table an attribute; parts of views are none.
func (s *snapshot) add(schema, table, attribute, value string) {
	if set := s.objects[Object{"table", schema, table}]; set != nil {
		set[attribute] = value
	}
}

// plainValue is an attribute without what versions write differently.
func plainValue(attribute, value string) string {
	switch attribute {
	case "collation", "charset", "client_charset", "connection_collation":
		return plainCharset(value)
	case "returns":
		return plainType(value)
	case "body":
		return strings.Join(strings.Fields(value), " ")
	case "sql_mode":
		list := strings.Split(value, ",")
		slices.Sort(list)
		return strings.Join(slices.Compact(list), ",")
	case "status":
		// On a replica an event is kept from running.
		if strings.HasPrefix(value, "SLAVESIDE") || strings.HasPrefix(value, "REPLICA_SIDE") {
			return "ENABLED"
		}
	case "comment":
		if value == "VIEW" {
			return ""
		}
	}
	return value
}

// plainCharset gives the three-byte UTF-8 one name: MySQL 8.0.28 and MariaDB 10.6 call it utf8mb3.
func plainCharset(value string) string {
	if value == "utf8" {
		return "utf8mb3"
	}
	if rest, ok := strings.CutPrefix(value, "utf8_"); ok {
		return "utf8mb3_" + rest
	}
	return value
}

const columnQuery = `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, CHARACTER_SET_NAME,
COLLATION_NAME, COLUMN_COMMENT, COLUMN_KEY, %s FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN (%s) ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION`

func (s *snapshot) readColumns(ctx context.Context, side *side) error {
	a, err := ask(ctx, side.conn, fmt.Sprintf(columnQuery, "GENERATION_EXPRESSION", hiddenList()))
	if err == nil && a.failed() { // MySQL 5.6 and MariaDB 10.1 have no such column
		a, err = must(ctx, side.conn, fmt.Sprintf(columnQuery, "NULL", hiddenList()))
	}
	if err != nil {
		return err
	}
	for _, row := range a.rows {
		text := func(i int) string { return string(row[i]) }
		table := Object{"table", text(0), text(1)}
		set := s.objects[table]
		if set == nil {
			table.Kind = "view"
		}
		generated := text(12) != "" || strings.Contains(strings.ToUpper(text(7)), "GENERATED") && !strings.Contains(strings.ToUpper(text(7)), "DEFAULT_GENERATED")
		s.columns[table] = append(s.columns[table], column{name: text(2), kind: strings.ToLower(text(4)), key: text(11),
			generated: generated, nullable: text(5) == "YES", auto: strings.Contains(strings.ToLower(text(7)), "auto_increment")})
		if set == nil {
			continue
		}
		at := "column " + text(2)
		null := "NOT NULL"
		if text(5) == "YES" {
			null = "NULL"
		}
		set[at] = strings.Join([]string{plainType(text(3)), null, plainDefault(row[6], side.flavor), plainExtra(text(7))}, " ")
		set["order of columns"] += " " + text(2)
		if row[9] != nil {
			set["collation of "+at] = plainCharset(text(9))
		}
		if text(10) != "" {
			set["comment of "+at] = text(10)
		}
		if generated {
			set["expression of "+at] = plainExpression(text(12))
		}
	}
	return nil
}

// readChecks reads CHECK constraints where both the server enforces them and information_schema has them.
func (s *snapshot) readChecks(ctx context.Context, side *side) error {
	query := "SELECT c.CONSTRAINT_SCHEMA, t.TABLE_NAME, c.CONSTRAINT_NAME, c.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS c JOIN information_schema.TABLE_CONSTRAINTS t ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME AND t.CONSTRAINT_TYPE = 'CHECK' %s WHERE c.CONSTRAINT_SCHEMA NOT IN (%s)"
	join := ""
	if side.flavor.IsMariaDB() {
		join = "AND t.TABLE_NAME = c.TABLE_NAME"
	}
	a, err := ask(ctx, side.conn, fmt.Sprintf(query, join, hiddenList()))
	if err != nil || a.failed() {
		return err // the server has no such table
	}
	for _, row := range a.rows {
		s.add(string(row[0]), string(row[1]), "check "+string(row[2]), plainExpression(string(row[3])))
	}
	return nil
}

// readHistory reads what MariaDB keeps beside the rows: how many a system-versioned table has with those of the past, and
// where a sequence goes on.
func (s *snapshot) readHistory(ctx context.Context, side *side) error {
	for o, set := range s.objects {
		query, attribute := "", ""
		switch {
		case o.Kind == "sequence":
			query, attribute = "SELECT CONCAT_WS(' ', next_not_cached_value, minimum_value, maximum_value, start_value, increment, cycle_option, cycle_count) FROM "+o.quoted(), "state"
		case set["system_versioning"] == "yes":
			query, attribute = "SELECT COUNT(*) FROM "+o.quoted()+" FOR SYSTEM_TIME ALL", "number of rows with their history"
		default:
			continue
		}
		a, err := must(ctx, side.conn, query)
		if err != nil {
			return err
		}
		set[attribute] = string(a.rows[0][0])
	}
	return nil
}

// counts are how many objects of each kind there are.
func (s *snapshot) counts() map[string]int {
	n := map[string]int{}
	for o := range s.objects {
		n[o.Kind]++
	}
	return n
}

// sortedObjects are the objects in the order of a report.
func (s *snapshot) sortedObjects() []Object {
	order := []string{"database", "table", "sequence", "view", "procedure", "function", "trigger", "event", "account"}
	return slices.SortedFunc(maps.Keys(s.objects), func(a, b Object) int {
		if d := slices.Index(order, a.Kind) - slices.Index(order, b.Kind); d != 0 {
			return d
		}
		return strings.Compare(a.String(), b.String())
	})
}

func countText(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
