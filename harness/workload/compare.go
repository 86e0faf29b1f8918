package workload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"mysqlmatrix/harness/server"
)

// Side is a table on a server.
type Side struct {
	Server *server.Server
	Table  Table
}

// String names the server and the table.
func (s Side) String() string { return s.Table.String() + " on " + s.Server.Endpoint.Addr() }

// RowDifference is a row that two tables do not share.
type RowDifference struct {
	Key        string // values of the key columns
	Left       string // the row, "" when it is missing
	Right      string
	LeftTable  string
	RightTable string
}

// String shows both rows.
func (d RowDifference) String() string {
	show := func(row string) string {
		if row == "" {
			return "(no row)"
		}
		return row
	}
	return fmt.Sprintf("key %s: %s has %s, %s has %s", d.Key, d.LeftTable, show(d.Left), d.RightTable, show(d.Right))
}

// differ is an error that shows the differences; nil when there are none.
func differ(differences []RowDifference) error {
	if len(differences) == 0 {
		return nil
	}
	lines := []string{"the tables differ:"}
	for _, d := range differences {
		lines = append(lines, d.String())
	}
	return errors.New(strings.Join(lines, "\n  "))
}

// Same is an error that shows a few rows unless two tables hold the same ones; see Compare.
func Same(ctx context.Context, left, right Side, key []string) error {
	const few = 5
	differences, err := Compare(ctx, left, right, key, few)
	if err != nil {
		return err
	}
	return differ(differences)
}

// Compare compares two tables by content, chunk by chunk in the order of the key columns, over the columns
// that both have by name, whatever their order. Both sides of a chunk are read at the same time and reduced
// to a checksum; only chunks whose checksums differ are held in memory and compared row by row. The checksum
// is computed here over values in one character set and time zone, so that it means the same for every
// server. The key must be unique and without NULLs. It returns up to limit differences.
func Compare(ctx context.Context, left, right Side, key []string, limit int) (_ []RowDifference, err error) {
	a, b, err := openBoth(ctx, left, right, key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close(), b.close()) }()
	var differences []RowDifference
	var from bound
	for last := false; !last; {
		to, err := a.next(ctx, from)
		if err != nil {
			return nil, err
		}
		last = to == nil
		found, err := compareChunk(ctx, a, b, from, to)
		if err != nil {
			return nil, err
		}
		if differences = append(differences, found...); len(differences) >= limit {
			return differences[:limit], nil
		}
		from = to
	}
	return differences, nil
}

// compareChunk compares the rows beyond from, up to and with to.
func compareChunk(ctx context.Context, a, b *reader, from, to bound) ([]RowDifference, error) {
	var sums [2]checksum
	if err := both(ctx, a, b, func(ctx context.Context, i int, r *reader) (err error) {
		sums[i], err = r.checksum(ctx, from, to)
		return err
	}); err != nil || sums[0] == sums[1] {
		return nil, err
	}
	var rows [2]map[string]row
	if err := both(ctx, a, b, func(ctx context.Context, i int, r *reader) (err error) {
		rows[i], err = r.rows(ctx, from, to)
		return err
	}); err != nil {
		return nil, err
	}
	differences := diff(rows[0], rows[1])
	for i := range differences {
		differences[i].LeftTable, differences[i].RightTable = a.side.String(), b.side.String()
	}
	return differences, nil
}

func both(ctx context.Context, a, b *reader, do func(context.Context, int, *reader) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, r := range []*reader{a, b} {
		group.Go(func() error { return do(ctx, i, r) })
	}
	return group.Wait()
}

// row is a row of a chunk whose checksums differ.
type row struct {
	sum  checksum // of this row alone
	text string   // for people
}

// diff finds the rows that two sides do not share, by key.
func diff(left, right map[string]row) []RowDifference {
	keys := maps.Clone(left)
	maps.Copy(keys, right)
	var differences []RowDifference
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if l, r := left[k], right[k]; l.sum != r.sum {
			differences = append(differences, RowDifference{Key: k, Left: l.text, Right: r.text})
		}
	}
	return differences
}

// shownBytes is how much of a value a difference repeats.
const shownBytes = 160

// show writes a value for people: text as it is, anything else in hexadecimal, the middle of a long one left
// out.
func show(value []byte) string {
	if value == nil {
		return "NULL"
	}
	cut := func(v []byte) (head, tail []byte) {
		if len(v) <= shownBytes {
			return v, nil
		}
		return v[:shownBytes/2], v[len(v)-shownBytes/2:]
	}
	head, tail := cut(value)
	format := "%s"
	if !printable(value) {
		format = "%x"
	}
	text := fmt.Sprintf("%d:"+format, len(value), head)
	if tail != nil {
		text += fmt.Sprintf("…"+format, tail)
	}
	return strings.ToValidUTF8(text, "�")
}

func printable(value []byte) bool {
	if !utf8.Valid(value) {
		return false
	}
	return !slices.ContainsFunc([]rune(string(value)), func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' })
}
