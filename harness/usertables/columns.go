package usertables

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/workload"
)

// column is one of a table's, as SHOW FULL COLUMNS has it.
type column struct {
	name      string
	typ       string // in small letters: "int(10) unsigned"
	charset   string // of text; "" else
	collation string // of text; "" else
	nullable  bool
	fallback  string // its default, as the server writes it
	hasValue  bool   // it has a default
	extra     string // in capitals
	generated bool   // it takes no values
	positive  bool   // it is written without negative numbers
	digits    bool   // text that is written as a number
}

// base is the type's name alone.
func (c column) base() string {
	end := strings.IndexFunc(c.typ, func(r rune) bool { return r < 'a' || r > 'z' })
	if end < 0 {
		return c.typ
	}
	if c.typ[end] >= '0' && c.typ[end] <= '9' { // inet6
		end++
	}
	return c.typ[:end]
}

// size is what stands in the type's parentheses.
func (c column) size() (first, second int) {
	match := typeSize.FindStringSubmatch(c.typ)
	if match == nil {
		return 0, 0
	}
	first, _ = strconv.Atoi(match[1])  // digits
	second, _ = strconv.Atoi(match[2]) // digits or nothing
	return first, second
}

var typeSize = regexp.MustCompile(`\((\d+)(?:,(\d+))?\)`)

func (c column) autoIncrement() bool { return strings.Contains(c.extra, "AUTO_INCREMENT") }

// generatedExtra is how servers tell of a generated column: "VIRTUAL GENERATED", "STORED GENERATED", MariaDB's old
// "PERSISTENT" and "VIRTUAL". MySQL's "DEFAULT_GENERATED" is an ordinary column with an expression as its default.
var generatedExtra = regexp.MustCompile(`\b(VIRTUAL|STORED|PERSISTENT)\b`)

// columns lists a table's columns in their order, hidden ones as well.
func columns(ctx context.Context, s *server.Server, t workload.Table) ([]column, error) {
	rows, err := s.Rows(ctx, "SHOW FULL COLUMNS FROM "+t.String())
	if err != nil {
		return nil, err
	}
	list := make([]column, len(rows))
	for i, row := range rows {
		c := column{name: row["Field"], typ: strings.ToLower(row["Type"]), nullable: row["Null"] == "YES", extra: strings.ToUpper(row["Extra"])}
		c.fallback, c.hasValue = row["Default"]
		if collation := row["Collation"]; collation != "" {
			c.collation = collation
			c.charset, _, _ = strings.Cut(collation, "_")
		}
		c.generated = generatedExtra.MatchString(c.extra)
		list[i] = c
	}
	return list, nil
}

// ownColumns are the columns that are stored as given, quoted and joined.
func ownColumns(list []column) string {
	var names []string
	for _, c := range list {
		if !c.generated {
			names = append(names, server.Ident(c.name))
		}
	}
	return strings.Join(names, ", ")
}

// index is one of a table's keys.
type index struct {
	name    string
	unique  bool
	usable  bool // its columns are whole, and none can be NULL: it tells rows apart
	columns []string
}

// indexes lists a table's keys in the server's order: the primary key comes first.
func indexes(ctx context.Context, s *server.Server, t workload.Table) ([]index, error) {
	rows, err := s.Rows(ctx, "SHOW INDEX FROM "+t.String())
	if err != nil {
		return nil, err
	}
	var list []index
	for _, row := range rows {
		if row["Seq_in_index"] == "1" {
			list = append(list, index{name: row["Key_name"], unique: row["Non_unique"] == "0", usable: true})
		}
		last := &list[len(list)-1]
		_, prefixed := row["Sub_part"]
		if row["Null"] == "YES" || row["Column_name"] == "" || prefixed {
			last.usable = false // NULLs and prefixes repeat; a functional index has no column
		}
		last.columns = append(last.columns, row["Column_name"])
	}
	return list, nil
}

// rowKey is what tells a table's rows apart: the primary key, else the first unique key that can; nil without one.
func rowKey(list []index) []string {
	for _, one := range list {
		if one.unique && one.usable {
			return one.columns
		}
	}
	return nil
}
