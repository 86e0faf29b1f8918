package usertables

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mysqlmatrix/harness/workload"
)

// Filled is a table of a dump without rows that was given some.
type Filled struct {
	Database string `json:"database"`
	Table    string `json:"table"`
	Rows     int64  `json:"rows"`
	Why      string `json:"why,omitempty"` // the last refusal, where there are fewer rows than asked for
}

// String is one line.
func (f Filled) String() string {
	text := fmt.Sprintf("%s: %s made", Display(workload.Table{Database: f.Database, Name: f.Table}), count(f.Rows, "row"))
	if f.Why != "" {
		text += "; the server refused others: " + f.Why
	}
	return text
}

// fillBatch is how many rows one INSERT has.
const fillBatch = 100

// fill gives the tables that have no rows as many as asked for, by their columns' types, keys and constraints, from a
// seed. Tables come after those that their foreign keys refer to.
func (p *place) fill(ctx context.Context, rows, seed int64) ([]Filled, error) {
	all, err := tables(ctx, p.primary)
	if err != nil {
		return nil, err
	}
	var empty []workload.Table
	for _, t := range all {
		n, err := countRows(ctx, p.primary, t)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			empty = append(empty, t)
		}
	}
	if empty, err = p.parentsFirst(ctx, empty); err != nil {
		return nil, err
	}
	var list []Filled
	for i, t := range empty {
		one, err := p.fillTable(ctx, t, rows, seed+int64(i))
		if err != nil {
			return list, fmt.Errorf("fill %s: %w", Display(t), err)
		}
		list = append(list, one)
	}
	return list, nil
}

// parentsFirst orders tables so that a foreign key's parent comes before its child, where there is no ring.
func (p *place) parentsFirst(ctx context.Context, list []workload.Table) ([]workload.Table, error) {
	parents := map[workload.Table][]workload.Table{}
	for _, t := range list {
		d, err := structure(ctx, p.primary, t)
		if err != nil {
			return nil, err
		}
		for _, key := range d.foreignKeys {
			if parent, ok := parentOf(key, t); ok && parent != t {
				parents[t] = append(parents[t], parent)
			}
		}
	}
	var ordered []workload.Table
	for left := list; len(left) > 0; {
		ready := slices.IndexFunc(left, func(t workload.Table) bool {
			return !slices.ContainsFunc(parents[t], func(parent workload.Table) bool { return slices.Contains(left, parent) })
		})
		ready = max(ready, 0) // a ring has to begin somewhere
		ordered = append(ordered, left[ready])
		left = slices.Delete(slices.Clone(left), ready, ready+1)
	}
	return ordered, nil
}

func (p *place) fillTable(ctx context.Context, t workload.Table, rows, seed int64) (f Filled, err error) {
	f = Filled{Database: t.Database, Table: t.Name}
	w, err := newWriter(ctx, p.writers, p.primary, t, seed, changed{})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	for tried := int64(0); f.Rows < rows && tried < 3*rows; {
		n := min(fillBatch, rows-f.Rows)
		tried += n
		made, refusal, err := w.batch(ctx, n)
		if err != nil {
			return f, err
		}
		f.Rows += made
		if refusal != "" {
			f.Why = refusal
		}
	}
	if f.Rows == rows {
		f.Why = ""
	}
	return f, nil
}

// batch inserts rows at once, and where the server refuses one of them, each by itself.
func (w *writer) batch(ctx context.Context, n int64) (made int64, refusal string, err error) {
	var rows []string
	var into string
	for range n {
		names, values, _ := w.made()
		into = w.into(names) + " VALUES "
		rows = append(rows, "("+strings.Join(values, ", ")+")")
	}
	_, err = w.conn.ExecContext(ctx, into+strings.Join(rows, ", "))
	if err == nil {
		return n, "", nil
	}
	if _, _, ok := refused(err); !ok {
		return 0, "", err
	}
	for _, row := range rows {
		_, err := w.conn.ExecContext(ctx, into+row)
		number, message, ok := refused(err)
		switch {
		case ok:
			refusal = fmt.Sprintf("%s (%d)", printable(message), number)
		case err != nil:
			return made, refusal, err
		default:
			made++
		}
	}
	return made, refusal, nil
}
