package upgrade

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// cell is one value of a row, as text; nil is NULL.
type cell = []byte

// answer is what a server says to a statement: rows, or an error.
type answer struct {
	columns  []string
	rows     [][]cell
	cut      bool // there were more rows than rowLimit
	number   uint16
	message  string
	warnings []string // "1287 message"
}

// rowLimit is how many rows of one answer are compared.
const rowLimit = 200_000

func (a answer) failed() bool { return a.number != 0 }

// ask runs a statement, with all of its result sets one after the other. Only what is not the server's refusal is an error.
func ask(ctx context.Context, conn *sql.Conn, statement string) (a answer, err error) {
	rows, err := conn.QueryContext(ctx, statement)
	if err == nil {
		err = errors.Join(a.read(rows), rows.Close())
	}
	var refused *mysql.MySQLError
	if errors.As(err, &refused) {
		a.number, a.message, a.rows = refused.Number, refused.Message, nil
		return a, nil
	}
	if err != nil {
		return a, fmt.Errorf("%s: %w", beginning(statement, 200), err)
	}
	return a, nil
}

func (a *answer) read(rows *sql.Rows) error {
	for {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		a.columns = append(a.columns, columns...)
		for rows.Next() {
			raw := make([]sql.RawBytes, len(columns))
			into := make([]any, len(columns))
			for i := range raw {
				into[i] = &raw[i]
			}
			if err := rows.Scan(into...); err != nil {
				return err
			}
			if len(a.rows) == rowLimit {
				a.cut = true
				continue
			}
			row := make([]cell, len(raw))
			for i, value := range raw {
				if value != nil {
					row[i] = append(cell{}, value...)
				}
			}
			a.rows = append(a.rows, row)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if !rows.NextResultSet() {
			return rows.Err()
		}
	}
}

// warn reads the warnings of the statement before.
func (a *answer) warn(ctx context.Context, conn *sql.Conn) error {
	if a.failed() {
		return nil
	}
	w, err := ask(ctx, conn, "SHOW WARNINGS")
	if err != nil {
		return err
	}
	for _, row := range w.rows {
		if len(row) == 3 && string(row[0]) == "Warning" {
			a.warnings = append(a.warnings, string(row[1])+" "+string(row[2]))
		}
	}
	return nil
}

// likeness is how two answers compare.
type likeness uint8

const (
	unlike likeness = iota // other rows, or an error of the new server alone
	alike
	otherOrder // the same rows in another order
	bothFail   // each server refuses it
	accepts    // the old server refuses it, the new one does not
	refuses    // the new server refuses it, the old one does not
)

func compareAnswers(old, new answer) likeness {
	switch {
	case old.failed() && new.failed():
		return bothFail
	case old.failed():
		return accepts
	case new.failed():
		return refuses
	}
	if len(old.rows) != len(new.rows) || old.cut != new.cut {
		return unlike
	}
	if slices.EqualFunc(old.rows, new.rows, sameRow) {
		return alike
	}
	byText := func(a, b [][]cell) bool {
		return slices.EqualFunc(sorted(a), sorted(b), sameRow)
	}
	if byText(old.rows, new.rows) {
		return otherOrder
	}
	return unlike
}

func sorted(rows [][]cell) [][]cell {
	list := slices.Clone(rows)
	slices.SortFunc(list, func(a, b []cell) int {
		return slices.CompareFunc(a, b, func(x, y cell) int { return strings.Compare(string(x), string(y)) })
	})
	return list
}

func sameRow(a, b []cell) bool { return slices.EqualFunc(a, b, sameCell) }

// sameCell compares two values; numbers are the same when they are equal, however many zeros follow the point.
func sameCell(a, b cell) bool {
	if (a == nil) != (b == nil) {
		return false
	}
	if string(a) == string(b) {
		return true
	}
	x, errX := strconv.ParseFloat(string(a), 64)
	y, errY := strconv.ParseFloat(string(b), 64)
	return errX == nil && errY == nil && x == y && strings.ContainsAny(string(a)+string(b), ".eE")
}

const (
	shownRows  = 4
	shownBytes = 300
)

// String is the answer for a report: "1 | Bo; 2 | Tamar", or the error.
func (a answer) String() string {
	if a.failed() {
		return fmt.Sprintf("ERROR %d: %s", a.number, a.message)
	}
	if len(a.rows) == 0 {
		return "(no row)"
	}
	var list []string
	for i, row := range a.rows {
		if i == shownRows {
			list = append(list, fmt.Sprintf("… %d rows", len(a.rows)))
			break
		}
		list = append(list, rowText(row))
	}
	return strings.Join(list, "; ")
}

func rowText(row []cell) string {
	var values []string
	for _, c := range row {
		if c == nil {
			values = append(values, "NULL")
			continue
		}
		values = append(values, printable(string(c), shownBytes))
	}
	return strings.Join(values, " | ")
}

// printable is a text of which every byte can be shown.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r == '�' || r < ' ' {
			return '.'
		}
		return r
	}, strings.ToValidUTF8(s, "."))
	return beginning(s, limit)
}

// beginning is the first part of a text, on one line.
func beginning(s string, limit int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xc0 == 0x80 {
		limit--
	}
	return s[:limit] + "…"
}
