package workload

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// Compare compares two tables by content: every row, by its key columns, over the columns that both have
// by name, whatever their order. Values are compared as the servers send them as text, in one character
// set and time zone, so that servers of different versions can be compared. It returns up to limit
// differences.
func Compare(ctx context.Context, left, right Side, key []string, limit int) ([]RowDifference, error) {
	columns, err := sharedColumns(ctx, left, right)
	if err != nil {
		return nil, err
	}
	rows, err := left.rows(ctx, columns, key)
	if err != nil {
		return nil, err
	}
	others, err := right.rows(ctx, columns, key)
	if err != nil {
		return nil, err
	}
	var differences []RowDifference
	note := func(k string) {
		if len(differences) < limit {
			differences = append(differences, RowDifference{Key: k, Left: rows[k], Right: others[k], LeftTable: left.String(), RightTable: right.String()})
		}
	}
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		if other, ok := others[k]; !ok || other != rows[k] {
			note(k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(others)) {
		if _, ok := rows[k]; !ok {
			note(k)
		}
	}
	return differences, nil
}

func sharedColumns(ctx context.Context, left, right Side) ([]string, error) {
	a, err := left.columns(ctx)
	if err != nil {
		return nil, err
	}
	b, err := right.columns(ctx)
	if err != nil {
		return nil, err
	}
	shared := slices.DeleteFunc(a, func(column string) bool { return !slices.Contains(b, column) })
	if len(shared) == 0 {
		return nil, fmt.Errorf("%s and %s have no column in common", left, right)
	}
	slices.Sort(shared)
	return shared, nil
}

func (s Side) columns(ctx context.Context) ([]string, error) {
	rows, err := s.Server.Rows(ctx, fmt.Sprintf(
		"SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
		server.Quote(s.Table.Database), server.Quote(s.Table.Name)))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no table %s", s)
	}
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row["name"]
	}
	return names, nil
}

// rows reads a table as key → row in text.
func (s Side) rows(ctx context.Context, columns, key []string) (_ map[string]string, err error) {
	conn, err := s.Server.DB.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	// A TIMESTAMP is sent in the session's time zone.
	if _, err := conn.ExecContext(ctx, "SET SESSION time_zone = '+00:00'"); err != nil {
		return nil, fmt.Errorf("read %s: %w", s, err)
	}
	quoted := make([]string, len(columns))
	for i, column := range columns {
		quoted[i] = server.Ident(column)
	}
	result, err := conn.QueryContext(ctx, "SELECT "+strings.Join(quoted, ", ")+" FROM "+s.Table.String())
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s, err)
	}
	defer func() { err = errors.Join(err, result.Close()) }()
	content := map[string]string{}
	values := make([]sql.RawBytes, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for result.Next() {
		if err := result.Scan(targets...); err != nil {
			return nil, fmt.Errorf("read %s: %w", s, err)
		}
		k, row := render(columns, key, values)
		if _, twice := content[k]; twice {
			return nil, fmt.Errorf("%s has the key %s twice", s, k)
		}
		content[k] = row
	}
	if err := result.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", s, err)
	}
	return content, nil
}

// render writes a row as name=value pairs; a length before each value keeps pairs from running together.
func render(columns, key []string, values []sql.RawBytes) (string, string) {
	var row, id strings.Builder
	for i, column := range columns {
		value := "NULL"
		if values[i] != nil {
			value = fmt.Sprintf("%d:%s", len(values[i]), values[i])
		}
		fmt.Fprintf(&row, "%s=%s ", column, value)
		if slices.Contains(key, column) {
			id.WriteString(value + " ")
		}
	}
	return strings.TrimSpace(id.String()), strings.TrimSpace(row.String())
}
