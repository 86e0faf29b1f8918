package pseudogtid

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

// errRow is a row that does not fit its table.
var errRow = errors.New("a row that does not fit its table's columns")

// longValue is how long a value may be before only its digest is kept.
const longValue = 4 << 10

// cell is one value of a row image as the log holds it.
type cell struct {
	present, null bool // a row image need not hold every column
	value         string
}

// change is one changed row. before is nil for INSERT, after for DELETE.
type change struct {
	operation     string
	table         *replication.TableMapEvent
	before, after []cell
	source        *rowsSource // to print it
	index         int         // among the images of its event
}

// rowsSource is the event that a row came in. It is decoded only when a row is shown to somebody.
type rowsSource struct {
	event *replication.RowsEvent
	data  []byte // what follows the header
	from  int    // where the rows begin in it
}

// keepRows has the library read a rows event's header and leave the rows as they are.
func keepRows(e *replication.RowsEvent, data []byte) error {
	pos, err := e.DecodeHeader(data)
	if err != nil {
		return err
	}
	e.Rows = [][]any{{&rowsSource{event: e, data: data, from: pos}}}
	return nil
}

// split cuts a rows event into changed rows.
func split(e *replication.RowsEvent, kind replication.EventType) ([]*change, error) {
	source := e.Rows[0][0].(*rowsSource)
	rest := source.data[source.from:]
	switch kind {
	case replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1, replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1,
		replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1:
		var err error
		if rest, err = mysql.DecompressMariadbData(rest); err != nil {
			return nil, err
		}
	}
	if int(e.ColumnCount) != len(e.Table.ColumnType) {
		return nil, fmt.Errorf("%w: %d columns in the event, %d in the table", errRow, e.ColumnCount, len(e.Table.ColumnType))
	}
	var list []*change
	images := 0
	for len(rest) > 0 {
		c := &change{table: e.Table, source: source, index: images}
		first, n, err := image(rest, e.ColumnBitmap1, e.Table, false)
		if err != nil {
			return nil, err
		}
		rest = rest[n:]
		images++
		switch e.Type() {
		case replication.EnumRowsEventTypeInsert:
			c.operation, c.after = "INSERT", first
		case replication.EnumRowsEventTypeDelete:
			c.operation, c.before = "DELETE", first
		default: // the partial update of JSON among them
			c.operation, c.before = "UPDATE", first
			if c.after, n, err = image(rest, e.ColumnBitmap2, e.Table, kind == replication.PARTIAL_UPDATE_ROWS_EVENT); err != nil {
				return nil, err
			}
			rest = rest[n:]
			images++
		}
		list = append(list, c)
	}
	return list, nil
}

// image cuts a row image into values. MySQL's manual of the protocol, "Rows_event": a bitmap of the columns
// that are there, then for each row a bitmap of which of these are NULL, and the values.
func image(data, there []byte, table *replication.TableMapEvent, partial bool) (cells []cell, n int, err error) {
	var diffs []byte // which JSON columns are given as differences
	if partial {
		if diffs, n, err = jsonDiffs(data, table); err != nil {
			return nil, 0, err
		}
	}
	columns := len(table.ColumnType)
	count := columnsIn(there, columns)
	if n+(count+7)/8 > len(data) || len(there)*8 < columns {
		return nil, 0, errRow
	}
	nulls := data[n : n+(count+7)/8]
	n += len(nulls)
	cells = make([]cell, columns)
	seen, json := 0, 0
	for i, kind := range table.ColumnType {
		prefix := byte('=')
		if kind == mysql.MYSQL_TYPE_JSON && diffs != nil {
			if json/8 < len(diffs) && diffs[json/8]&(1<<(json%8)) != 0 {
				prefix = '~'
			}
			json++
		}
		if there[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		cells[i].present = true
		cells[i].null = nulls[seen/8]&(1<<(seen%8)) != 0
		seen++
		if cells[i].null {
			continue
		}
		size, err := valueSize(data[n:], kind, table.ColumnMeta[i])
		if err != nil || size < 0 || n+size > len(data) {
			return nil, 0, errors.Join(errRow, err)
		}
		value := data[n : n+size]
		n += size
		cells[i].value = cellValue(value, prefix)
	}
	return cells, n, nil
}

// jsonDiffs is the head of an image of a partial update: which JSON columns are given as differences, nil for none.
func jsonDiffs(data []byte, table *replication.TableMapEvent) (diffs []byte, n int, err error) {
	options, _, n := mysql.LengthEncodedInt(data)
	if options&1 == 0 {
		return nil, n, nil
	}
	size := int(table.JsonColumnCount()+7) / 8
	if n+size > len(data) {
		return nil, 0, errRow
	}
	return data[n : n+size], n + size, nil
}

// columnsIn counts the columns that a bitmap names, of so many that the table has.
func columnsIn(bitmap []byte, columns int) (count int) {
	for i, b := range bitmap {
		if extra := (i+1)*8 - columns; extra > 0 {
			b &= 0xff >> extra
		}
		count += bits.OnesCount8(b)
	}
	return count
}

// cellValue is what is kept of a value to compare it: a long one's checksum. The prefix tells JSON differences ('~') and
// checksums ('#') from values ('=').
func cellValue(value []byte, prefix byte) string {
	if len(value) > longValue {
		sum := sha256.Sum256(value)
		value, prefix = sum[:], '#'
	}
	if prefix == '=' {
		return string(value)
	}
	return string(prefix) + string(value)
}

// valueSize is the length of a value in bytes. Sources: MySQL's calc_field_size, go-mysql's decodeValue.
func valueSize(data []byte, kind byte, meta uint16) (int, error) {
	if kind == mysql.MYSQL_TYPE_STRING && meta >= 256 {
		// The metadata of CHAR, ENUM and SET holds the real type, and two more bits of the length.
		if high, low := byte(meta>>8), meta&0xff; high&0x30 != 0x30 {
			kind, meta = high|0x30, low|uint16((high&0x30)^0x30)<<4
		} else {
			kind, meta = high, low
		}
	}
	fraction := int(meta+1) / 2
	switch kind {
	case mysql.MYSQL_TYPE_NULL:
		return 0, nil
	case mysql.MYSQL_TYPE_TINY, mysql.MYSQL_TYPE_YEAR:
		return 1, nil
	case mysql.MYSQL_TYPE_SHORT:
		return 2, nil
	case mysql.MYSQL_TYPE_INT24, mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_NEWDATE, mysql.MYSQL_TYPE_TIME:
		return 3, nil
	case mysql.MYSQL_TYPE_LONG, mysql.MYSQL_TYPE_FLOAT, mysql.MYSQL_TYPE_TIMESTAMP:
		return 4, nil
	case mysql.MYSQL_TYPE_LONGLONG, mysql.MYSQL_TYPE_DOUBLE, mysql.MYSQL_TYPE_DATETIME:
		return 8, nil
	case mysql.MYSQL_TYPE_TIMESTAMP2:
		return 4 + fraction, nil
	case mysql.MYSQL_TYPE_DATETIME2:
		return 5 + fraction, nil
	case mysql.MYSQL_TYPE_TIME2:
		return 3 + fraction, nil
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		return decimalSize(int(meta>>8), int(meta&0xff))
	case mysql.MYSQL_TYPE_BIT:
		return (int(meta>>8)*8 + int(meta&0xff) + 7) / 8, nil
	case mysql.MYSQL_TYPE_ENUM, mysql.MYSQL_TYPE_SET:
		return int(meta & 0xff), nil
	case mysql.MYSQL_TYPE_STRING, mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_VAR_STRING, mariaVarcharCompressed:
		if meta < 256 {
			return prefixed(data, 1)
		}
		return prefixed(data, 2)
	case mysql.MYSQL_TYPE_BLOB, mysql.MYSQL_TYPE_TINY_BLOB, mysql.MYSQL_TYPE_MEDIUM_BLOB, mysql.MYSQL_TYPE_LONG_BLOB,
		mysql.MYSQL_TYPE_GEOMETRY, mysql.MYSQL_TYPE_JSON, mysql.MYSQL_TYPE_VECTOR, mariaBlobCompressed:
		return prefixed(data, int(meta))
	}
	return 0, fmt.Errorf("column type %d is not known", kind)
}

// MariaDB's column types for COMPRESSED columns (its include/mysql_com.h).
const (
	mariaBlobCompressed    = 140
	mariaVarcharCompressed = 141
)

// prefixed is the size of a value after its length in width bytes, both counted.
func prefixed(data []byte, width int) (int, error) {
	if width < 1 || width > 4 || len(data) < width {
		return 0, errRow
	}
	var buffer [8]byte
	copy(buffer[:], data[:width])
	return width + int(binary.LittleEndian.Uint64(buffer[:])), nil
}

// decimalSize is the packed size of DECIMAL(precision, scale): four bytes for each nine digits, and the
// rest by this table, on each side of the point (MySQL's strings/decimal.c, dig2bytes).
func decimalSize(precision, scale int) (int, error) {
	rest := [...]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}
	whole := precision - scale
	if whole < 0 {
		return 0, errRow
	}
	return whole/9*4 + rest[whole%9] + scale/9*4 + rest[scale%9], nil
}

// differs says in words why two changes are not the same, "" when they are.
func (c *change) differs(o *change) string {
	a, b := tableName(c.table), tableName(o.table)
	switch {
	case a != b:
		return fmt.Sprintf("the rows are of different tables, %s and %s", a, b)
	case c.operation != o.operation:
		return fmt.Sprintf("one is an %s, the other an %s", c.operation, o.operation)
	case len(c.table.ColumnType) != len(o.table.ColumnType):
		return fmt.Sprintf("%s has %d columns here and %d there", a, len(c.table.ColumnType), len(o.table.ColumnType))
	}
	for i := range c.table.ColumnType {
		if c.table.ColumnType[i] != o.table.ColumnType[i] || c.table.ColumnMeta[i] != o.table.ColumnMeta[i] {
			return fmt.Sprintf("column %d of %s has different types", i+1, a)
		}
		if c.before != nil && !agree(c.before[i], o.before[i]) {
			return fmt.Sprintf("the rows differ in column %d of %s, before the change", i+1, a)
		}
		if c.after != nil && (!agree(c.after[i], o.after[i]) || c.changes(i) && !o.keeps(i) || o.changes(i) && !c.keeps(i)) {
			return fmt.Sprintf("the rows differ in column %d of %s", i+1, a)
		}
	}
	return ""
}

// agree says whether two values do not contradict one another: where only one log holds the column,
// binlog_row_image differs.
func agree(a, b cell) bool { return !a.present || !b.present || a == b }

// changes says whether an update gives a column another value, as far as its images tell.
func (c *change) changes(i int) bool {
	return c.operation == "UPDATE" && c.after[i].present && (!c.before[i].present || c.before[i] != c.after[i])
}

// keeps says whether the images have the column's new value; an update that leaves it out does not change it.
func (c *change) keeps(i int) bool { return c.after[i].present }

func tableName(t *replication.TableMapEvent) string {
	return fmt.Sprintf("`%s`.`%s`", t.Schema, t.Table)
}

// String prints the row as the library decodes it.
func (c *change) String() string {
	head := fmt.Sprintf("%s %s ", c.operation, tableName(c.table))
	rows, err := c.source.decoded()
	if err != nil || c.index >= len(rows) {
		return head + fmt.Sprintf("(a row that cannot be printed: %v)", err)
	}
	text := head + printRow(rows[c.index])
	if c.operation == "UPDATE" && c.index+1 < len(rows) {
		text += " → " + printRow(rows[c.index+1])
	}
	return text
}

func (s *rowsSource) decoded() (_ [][]any, err error) {
	defer recovered(&err)
	e := *s.event
	if err := e.DecodeData(s.from, s.data); err != nil {
		return nil, err
	}
	return e.Rows, nil
}

func printRow(values []any) string {
	parts := make([]string, len(values))
	for i, value := range values {
		switch v := value.(type) {
		case nil:
			parts[i] = "NULL"
		case []byte:
			parts[i] = shorten(fmt.Appendf(nil, "%q", v))
		case string:
			parts[i] = shorten(fmt.Appendf(nil, "%q", v))
		default:
			parts[i] = fmt.Sprint(v)
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
