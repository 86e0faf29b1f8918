package workload

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mysqlmatrix/harness/server"
)

// chunkRows is how many rows of the left side a chunk has.
const chunkRows = 1000

// bound is the last key of a chunk, as literals; nil is before the first key, or after the last.
type bound []string

// checksum is over the names and values of rows in their order. The zero checksum is of no row.
type checksum [sha256.Size]byte

// reader reads one side of a comparison, over a session of its own.
type reader struct {
	side    Side
	columns []column // by name
	key     []column
	db      *sql.DB
	conn    *sql.Conn
}

// openBoth connects to both sides and finds the columns that they share.
func openBoth(ctx context.Context, left, right Side, key []string) (_, _ *reader, err error) {
	a, err := left.reader(ctx)
	if err != nil {
		return nil, nil, err
	}
	b, err := right.reader(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, a.close())
	}
	shared := func(r, other *reader) []column {
		return slices.DeleteFunc(slices.Clone(r.columns), func(c column) bool {
			return !slices.ContainsFunc(other.columns, func(o column) bool { return o.name == c.name })
		})
	}
	a.columns, b.columns = shared(a, b), shared(b, a)
	if err := errors.Join(a.order(key), b.order(key)); err != nil {
		return nil, nil, errors.Join(err, a.close(), b.close())
	}
	return a, b, nil
}

func (s Side) reader(ctx context.Context) (_ *reader, err error) {
	r := &reader{side: s}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("read %s: %w", s, err), r.close())
		}
	}()
	if r.columns, err = s.columns(ctx); err != nil {
		return nil, err
	}
	// Not a session of the server's pool: its settings would stay with it.
	if r.db, err = s.Server.Endpoint.OpenDB(""); err != nil {
		return nil, err
	}
	if r.conn, err = r.db.Conn(ctx); err != nil {
		return nil, err
	}
	// A TIMESTAMP is sent in the session's time zone, text in its character set.
	_, err = r.conn.ExecContext(ctx, "SET SESSION time_zone = '+00:00', character_set_results = 'utf8mb4', sql_mode = ''")
	return r, err
}

func (r *reader) close() error {
	var errs []error
	if r.conn != nil {
		errs = append(errs, r.conn.Close())
	}
	if r.db != nil {
		errs = append(errs, r.db.Close())
	}
	return errors.Join(errs...)
}

// order picks the key columns.
func (r *reader) order(key []string) error {
	for _, name := range key {
		i := slices.IndexFunc(r.columns, func(c column) bool { return c.name == name })
		if i < 0 {
			return fmt.Errorf("read %s: both sides need the key column %s", r.side, name)
		}
		r.key = append(r.key, r.columns[i])
	}
	if len(r.key) == 0 {
		return fmt.Errorf("read %s: a comparison needs a key", r.side)
	}
	return nil
}

func expressions(columns []column, of func(column) string) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = of(c)
	}
	return strings.Join(list, ", ")
}

// where is the condition for the keys beyond from, up to and with to. Rows are compared by nested terms,
// since servers make poor use of an index for (a, b) > (1, 2).
func (r *reader) where(from, to bound) string {
	var terms []string
	if from != nil {
		terms = append(terms, beyond(r.key, from))
	}
	if to != nil {
		terms = append(terms, "NOT "+beyond(r.key, to))
	}
	if terms == nil {
		return ""
	}
	return " WHERE " + strings.Join(terms, " AND ")
}

func beyond(key []column, b bound) string {
	first := key[0].order()
	if len(key) == 1 {
		return "(" + first + " > " + b[0] + ")"
	}
	return "(" + first + " > " + b[0] + " OR (" + first + " = " + b[0] + " AND " + beyond(key[1:], b[1:]) + "))"
}

// next is the key at which the chunk beyond from ends; nil for the last chunk.
func (r *reader) next(ctx context.Context, from bound) (bound, error) {
	order := expressions(r.key, column.order)
	query := fmt.Sprintf("SELECT %s FROM %s%s ORDER BY %s LIMIT 1 OFFSET %d", order, r.side.Table, r.where(from, nil), order, chunkRows-1)
	values, targets := make([][]byte, len(r.key)), make([]any, len(r.key))
	for i := range values {
		targets[i] = &values[i]
	}
	err := r.conn.QueryRowContext(ctx, query).Scan(targets...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %s: %w", r.side, query, err)
	}
	b := make(bound, len(r.key))
	for i, c := range r.key {
		b[i] = c.literal(values[i])
	}
	return b, nil
}

// checksum reduces a chunk to its checksum.
func (r *reader) checksum(ctx context.Context, from, to bound) (sum checksum, err error) {
	hash, n := sha256.New(), 0
	err = r.each(ctx, from, to, func(_, values []sql.RawBytes) error {
		n++
		_, err := hash.Write(canonical(r.columns, values))
		return err
	})
	if n > 0 {
		hash.Sum(sum[:0])
	}
	return sum, err
}

// rows reads a chunk as key → row.
func (r *reader) rows(ctx context.Context, from, to bound) (map[string]row, error) {
	content := map[string]row{}
	err := r.each(ctx, from, to, func(key, values []sql.RawBytes) error {
		var id, text []string
		for i, value := range key {
			id = append(id, r.key[i].literal(value))
		}
		for i, value := range values {
			text = append(text, r.columns[i].name+"="+show(value))
		}
		k := strings.Join(id, ", ")
		if _, twice := content[k]; twice {
			return fmt.Errorf("the key %s is there twice", k)
		}
		content[k] = row{sha256.Sum256(canonical(r.columns, values)), strings.Join(text, " ")}
		return nil
	})
	return content, err
}

// each reads the rows of a chunk in the order of their keys.
func (r *reader) each(ctx context.Context, from, to bound, do func(key, values []sql.RawBytes) error) (err error) {
	order := expressions(r.key, column.order)
	query := "SELECT " + order + ", " + expressions(r.columns, column.value) + " FROM " + r.side.Table.String() + r.where(from, to) + " ORDER BY " + order
	defer func() {
		if err != nil {
			err = fmt.Errorf("read %s: %w", r.side, err)
		}
	}()
	result, err := r.conn.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	defer func() { err = errors.Join(err, result.Close()) }()
	values, targets := make([]sql.RawBytes, len(r.key)+len(r.columns)), make([]any, len(r.key)+len(r.columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for result.Next() {
		if err := result.Scan(targets...); err != nil {
			return err
		}
		if err := do(values[:len(r.key)], values[len(r.key):]); err != nil {
			return err
		}
	}
	return result.Err()
}

// canonical writes a row so that no two different rows are written alike: names end with a zero byte, NULL
// differs from every value, and values are preceded by their lengths.
func canonical(columns []column, values []sql.RawBytes) []byte {
	var text []byte
	for i, c := range columns {
		text = append(append(text, c.name...), 0)
		if values[i] == nil {
			text = append(text, 0)
			continue
		}
		text = binary.AppendUvarint(append(text, 1), uint64(len(values[i])))
		text = append(text, values[i]...)
	}
	return text
}

// columns are the table's, by name.
func (s Side) columns(ctx context.Context) ([]column, error) {
	rows, err := s.Server.Rows(ctx, fmt.Sprintf(
		"SELECT COLUMN_NAME AS name, DATA_TYPE AS type FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
		server.Quote(s.Table.Database), server.Quote(s.Table.Name)))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no table %s", s)
	}
	list := make([]column, len(rows))
	for i, row := range rows {
		list[i] = column{row["name"], strings.ToLower(row["type"])}
	}
	slices.SortFunc(list, func(a, b column) int { return strings.Compare(a.name, b.name) })
	return list, nil
}
