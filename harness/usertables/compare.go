package usertables

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/workload"
)

// side is a table on a server, to be compared.
type side struct {
	server *server.Server
	table  workload.Table
}

func (s side) String() string { return Display(s.table) + " on " + s.server.Endpoint.Addr() }

const (
	// buckets is into how many parts a table's rows are divided by their keys. Each has one sum: what a comparison
	// holds in memory does not depend on the table.
	buckets = 1 << 14
	// rowsHeld bounds the rows that are held to show how tables differ.
	rowsHeld = 20_000
	// shownRows is how many differing rows a report repeats.
	shownRows = 5
)

// sum adds up the checksums of rows, in whichever order they come.
type sum struct {
	words [4]uint64
	rows  uint64
}

func (s *sum) add(row [sha256.Size]byte) {
	for i := range s.words {
		s.words[i] += binary.LittleEndian.Uint64(row[i*8:])
	}
	s.rows++
}

// comparison is over the same columns of two tables.
type comparison struct {
	columns []string
	key     []string // tells rows apart; nil where nothing does
}

// result is what a comparison found.
type result struct {
	rows    [2]int64
	differs []string
}

// compare reads both tables once, at the same time and in whichever order the servers like, and compares the sums of
// rows by bucket; where sums differ it reads both again and shows some of the rows.
func (c comparison) compare(ctx context.Context, left, right side) (r result, err error) {
	sums := [2][]sum{make([]sum, buckets), make([]sum, buckets)}
	err = both(ctx, left, right, func(ctx context.Context, i int, s side) error {
		return c.each(ctx, s, func(bucket uint16, _, row []sql.RawBytes) {
			sums[i][bucket].add(sha256.Sum256(canonical(row)))
			r.rows[i]++
		})
	})
	if err != nil {
		return r, err
	}
	differing := map[uint16]bool{}
	held := uint64(0)
	for bucket := range sums[0] {
		a, b := sums[0][bucket], sums[1][bucket]
		if a != b && held+a.rows+b.rows <= rowsHeld {
			differing[uint16(bucket)] = true
			held += a.rows + b.rows
		}
	}
	if slices.Equal(sums[0], sums[1]) {
		return r, nil
	}
	r.differs, err = c.show(ctx, left, right, differing)
	if err == nil && len(r.differs) == 0 {
		r.differs = []string{fmt.Sprintf("rows: %s has %d, %s has %d, and their sums differ", left, r.rows[0], right, r.rows[1])}
	}
	return r, err
}

// shown is a row of a bucket that differs.
type shown struct {
	sum   [sha256.Size]byte
	text  string
	count int
}

// show lists rows that one side has and the other has not.
func (c comparison) show(ctx context.Context, left, right side, differing map[uint16]bool) ([]string, error) {
	var found [2]map[string]shown
	err := both(ctx, left, right, func(ctx context.Context, i int, s side) error {
		found[i] = map[string]shown{}
		return c.each(ctx, s, func(bucket uint16, key, row []sql.RawBytes) {
			if !differing[bucket] {
				return
			}
			text := describe(c.columns, row)
			id := text
			if len(c.key) > 0 {
				id = describe(c.key, key)
			}
			one := found[i][id]
			found[i][id] = shown{sha256.Sum256(canonical(row)), text, one.count + 1}
		})
	})
	if err != nil {
		return nil, err
	}
	keys := map[string]bool{}
	for _, rows := range found {
		for id := range rows {
			keys[id] = true
		}
	}
	ids := make([]string, 0, len(keys))
	for id := range keys {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var list []string
	for _, id := range ids {
		a, b := found[0][id], found[1][id]
		if a.sum == b.sum && a.count == b.count {
			continue
		}
		if list = append(list, fmt.Sprintf("row %s: the server's own ALTER TABLE leaves %s; the tool %s", printable(id), a, b)); len(list) == shownRows {
			break
		}
	}
	return list, nil
}

// String is the row, and how often it is there.
func (s shown) String() string {
	switch s.count {
	case 0:
		return "(no row)"
	case 1:
		return printable(s.text)
	default:
		return fmt.Sprintf("%d times %s", s.count, printable(s.text))
	}
}

func both(ctx context.Context, left, right side, do func(context.Context, int, side) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, s := range []side{left, right} {
		group.Go(func() error {
			if err := do(ctx, i, s); err != nil {
				return fmt.Errorf("read %s: %w", s, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// each reads a table's rows as they are stored. Nothing is converted on the way: two values that differ in one byte differ.
func (c comparison) each(ctx context.Context, s side, do func(bucket uint16, key, row []sql.RawBytes)) (err error) {
	list, err := columns(ctx, s.server, s.table)
	if err != nil {
		return err
	}
	types := map[string]string{}
	for _, one := range list {
		types[one.name] = one.base()
	}
	var expressions []string
	for _, name := range slices.Concat(c.key, c.columns) {
		expressions = append(expressions, exact(name, types[name]))
	}
	conn, err := s.server.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, discard(conn)) }()
	// No character set: text comes as its bytes.
	if _, err := conn.ExecContext(ctx, "SET SESSION character_set_results = NULL"); err != nil {
		return err
	}
	rows, err := conn.QueryContext(ctx, "SELECT "+strings.Join(expressions, ", ")+" FROM "+s.table.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]sql.RawBytes, len(expressions))
	targets := make([]any, len(values))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		key, row := values[:len(c.key)], values[len(c.key):]
		id := key
		if len(key) == 0 {
			id = row
		}
		h := sha256.Sum256(canonical(id))
		do(binary.LittleEndian.Uint16(h[:])%buckets, key, row)
	}
	return rows.Err()
}

// exact is the expression by which the server sends all of a value: a FLOAT is sent with six digits, unless asked as a
// DOUBLE. A product keeps the sign of zero.
func exact(name, typ string) string {
	if typ == "float" || typ == "double" {
		return server.Ident(name) + " * 1E0"
	}
	return server.Ident(name)
}

// canonical writes values so that no two different rows are written alike.
func canonical(values []sql.RawBytes) []byte {
	var text []byte
	for _, value := range values {
		if value == nil {
			text = append(text, 0)
			continue
		}
		text = binary.AppendUvarint(append(text, 1), uint64(len(value)))
		text = append(text, value...)
	}
	return text
}

// shownBytes is how much of a value a difference repeats.
const shownBytes = 80

// describe writes values for people: text as it is, anything else in hexadecimal.
func describe(names []string, values []sql.RawBytes) string {
	parts := make([]string, len(values))
	for i, value := range values {
		text := "NULL"
		if value != nil {
			cut := value[:min(len(value), shownBytes)]
			if text = "'" + string(cut) + "'"; !utf8.Valid(cut) || strings.ContainsFunc(string(cut), func(r rune) bool { return r < ' ' }) {
				text = fmt.Sprintf("0x%x", []byte(cut))
			}
			if len(value) > shownBytes {
				text += fmt.Sprintf("… (%d bytes)", len(value))
			}
		}
		parts[i] = names[i] + "=" + text
	}
	return strings.Join(parts, " ")
}
