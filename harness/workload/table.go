// Package workload writes to a topology under test, keeps a ledger of what was acknowledged, and compares
// what servers hold with it and with one another.
package workload

import (
	"context"
	"fmt"
	"strings"

	"mysqlmatrix/harness/server"
)

// Table names a table.
type Table struct{ Database, Name string }

// String is the quoted name for statements.
func (t Table) String() string { return server.Ident(t.Database) + "." + server.Ident(t.Name) }

// columns of the tables that writers write to. payload is derived from id and seq, so that a row whose
// payload does not fit the rest was damaged by somebody.
const definition = `(
  id BIGINT NOT NULL PRIMARY KEY,
  seq BIGINT NOT NULL,
  payload VARCHAR(120) NOT NULL,
  counter INT NOT NULL DEFAULT 0,
  changed TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  KEY seq (seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`

// fillBatch is how many rows one INSERT of Fill has.
const fillBatch = 2000

// Create makes the database and an empty table that writers can write to.
func Create(ctx context.Context, s *server.Server, t Table) error {
	return s.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+server.Ident(t.Database), "CREATE TABLE "+t.String()+" "+definition)
}

// Fill inserts rows with the keys 1 to n, each at sequence 0.
func Fill(ctx context.Context, s *server.Server, t Table, n int) error {
	for from := 1; from <= n; from += fillBatch {
		var statement strings.Builder
		statement.WriteString("INSERT INTO " + t.String() + " (id, seq, payload) VALUES ")
		for id := from; id < from+fillBatch && id <= n; id++ {
			if id > from {
				statement.WriteByte(',')
			}
			fmt.Fprintf(&statement, "(%d,0,'%s')", id, payload(int64(id), 0))
		}
		if _, err := s.DB.ExecContext(ctx, statement.String()); err != nil {
			return fmt.Errorf("fill %s on %s: %w", t, s.Endpoint.Addr(), err)
		}
	}
	return nil
}

// payload is what a row holds at a sequence; the tail makes rows long enough to fill pages.
func payload(id, seq int64) string {
	return fmt.Sprintf("row %d at %d: zażółć gęślą jaźń %016x", id, seq, uint64(id)*0x9E3779B97F4A7C15^uint64(seq))
}
