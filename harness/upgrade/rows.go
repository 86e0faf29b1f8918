package upgrade

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// digest identifies a row by its values, whatever version printed them.
type digest [16]byte

// rowSet is the rows of a table without their order, which a collation of another version may change.
type rowSet struct {
	count int64
	seen  map[digest]int32
}

// quote quotes an identifier.
func quote(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

func (o Object) quoted() string { return quote(o.Schema) + "." + quote(o.Name) }

// selection is the list of a table's columns in a form in which they can be compared: floats as doubles, since versions round
// what they print of a float in different places.
func selection(columns []column) string {
	var list []string
	for _, c := range columns {
		if c.kind == "float" {
			list = append(list, quote(c.name)+"+0e0")
			continue
		}
		list = append(list, quote(c.name))
	}
	return strings.Join(list, ", ")
}

// rowsOf reads a table.
func rowsOf(ctx context.Context, s *side, table Object, columns []column, each func(row []sql.RawBytes) error) (err error) {
	rows, err := s.conn.QueryContext(ctx, "SELECT "+selection(columns)+" FROM "+table.quoted())
	if err != nil {
		return fmt.Errorf("read %s on %s: %w", table, s.flavor, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	raw := make([]sql.RawBytes, len(columns))
	into := make([]any, len(columns))
	for i := range raw {
		into[i] = &raw[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := each(raw); err != nil {
			return err
		}
	}
	return rows.Err()
}

func readRows(ctx context.Context, s *side, table Object, columns []column) (rowSet, error) {
	set := rowSet{seen: map[digest]int32{}}
	err := rowsOf(ctx, s, table, columns, func(row []sql.RawBytes) error {
		set.count++
		set.seen[digestOf(row, columns)]++
		return nil
	})
	return set, err
}

func digestOf(row []sql.RawBytes, columns []column) (d digest) {
	h := sha256.New()
	for i, value := range row {
		if value == nil {
			h.Write([]byte{0})
			continue
		}
		plain := plainCell(value, columns[i].kind)
		fmt.Fprintf(h, "\x01%d:", len(plain))
		h.Write(plain)
	}
	copy(d[:], h.Sum(nil))
	return d
}

// plainCell is a value without what versions print differently.
func plainCell(value []byte, kind string) []byte {
	switch kind {
	case "float", "double", "real":
		if f, err := strconv.ParseFloat(string(value), 64); err == nil {
			return fmt.Appendf(nil, "%x", math.Float64bits(f+0))
		}
	case "json":
		return plainJSON(value)
	}
	return value
}

// plainJSON is a document with its members in order and its numbers as doubles or integers.
func plainJSON(value []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return value
	}
	out, err := json.Marshal(document)
	if err != nil {
		return value
	}
	return out
}

// rowDifference is a row of which the two servers hold something else.
type rowDifference struct {
	key      string // "id 1", or the row
	column   string // the first column that differs, "" when the row is missing on one side
	old, new string
}

// shownDifferences is how many rows of a table are shown.
const shownDifferences = 3

// differingRows finds the rows that only one side has, and pairs them by the primary key.
func differingRows(ctx context.Context, old, new *side, table Object, columns []column, a, b rowSet) ([]rowDifference, error) {
	pick := func(s *side, mine, other rowSet) (map[string][]cell, error) {
		left := maps.Clone(mine.seen)
		for d, n := range other.seen {
			if left[d] -= n; left[d] <= 0 {
				delete(left, d)
			}
		}
		found := map[string][]cell{}
		err := rowsOf(ctx, s, table, columns, func(row []sql.RawBytes) error {
			if d := digestOf(row, columns); left[d] > 0 && len(found) < rowLimit {
				left[d]--
				kept := make([]cell, len(row))
				for i, value := range row {
					if value != nil {
						kept[i] = append(cell{}, value...)
					}
				}
				found[keyOf(kept, columns)] = kept
			}
			return nil
		})
		return found, err
	}
	before, err := pick(old, a, b)
	if err != nil {
		return nil, err
	}
	after, err := pick(new, b, a)
	if err != nil {
		return nil, err
	}
	var list []rowDifference
	for _, key := range slices.Sorted(maps.Keys(before)) {
		list = append(list, pair(key, before[key], after[key], columns))
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if before[key] == nil {
			list = append(list, pair(key, nil, after[key], columns))
		}
	}
	return list[:min(len(list), shownDifferences)], nil
}

// keyOf names a row by its primary key, or by all of its values.
func keyOf(row []cell, columns []column) string {
	var list []string
	for i, c := range columns {
		if c.key == "PRI" {
			list = append(list, c.name+" "+printable(string(row[i]), 60))
		}
	}
	if len(list) == 0 {
		return "row " + rowText(row)
	}
	return strings.Join(list, ", ")
}

func pair(key string, old, new []cell, columns []column) rowDifference {
	d := rowDifference{key: key, old: "(no row)", new: "(no row)"}
	if old != nil && new != nil {
		for i, c := range columns {
			if (old[i] == nil) != (new[i] == nil) || string(plainCell(old[i], c.kind)) != string(plainCell(new[i], c.kind)) {
				d.column, d.old, d.new = c.name, rowText(old[i:i+1]), rowText(new[i:i+1])
				return d
			}
		}
	}
	if old != nil {
		d.old = rowText(old)
	}
	if new != nil {
		d.new = rowText(new)
	}
	return d
}
