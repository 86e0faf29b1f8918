package usertables

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/workload"
)

// Writes is the ledger of the rows that were written to a table while the tool worked: what the server acknowledged, and
// what it refused for a constraint.
type Writes struct {
	Inserted int64  `json:"inserted"`
	Updated  int64  `json:"updated"`
	Deleted  int64  `json:"deleted"`
	Refused  int64  `json:"refused,omitempty"`
	Why      string `json:"why,omitempty"` // the last refusal
}

// Acknowledged counts what the server confirmed.
func (w Writes) Acknowledged() int64 { return w.Inserted + w.Updated + w.Deleted }

// String is "12 inserted, 30 updated, 6 deleted".
func (w Writes) String() string {
	text := fmt.Sprintf("%d inserted, %d updated, %d deleted", w.Inserted, w.Updated, w.Deleted)
	if w.Refused > 0 {
		text += fmt.Sprintf(", %d refused", w.Refused)
	}
	return text
}

const (
	// knownKeys is how many of a table's keys are read to write to its rows.
	knownKeys = 500
	// earlyRows are inserted before the tool begins: they are among those that it copies.
	earlyRows = 30
	// parentRows is how many rows of a parent table a foreign key's values are taken from.
	parentRows = 100
)

// writer writes to one of a user's tables, by its own columns and constraints.
type writer struct {
	conn    *sql.Conn
	table   workload.Table
	random  *rand.Rand
	values  *values
	columns []column
	key     []column
	unique  map[string]bool
	theirs  [][]string // keys of the dump's rows, as literals: they are copied, and never changed, so that the verdict is on them
	keys    [][]string // of the rows that were written here
	parents []parent
	ledger  Writes
	step    int
}

// parent is a foreign key, and values that its columns may have.
type parent struct {
	columns []string
	rows    [][]string // literals
}

// newWriter looks at a table. The session is the server's default one, as an application's would be.
//
// What it writes is to satisfy the changed table as well, so that the server takes the change of the rows.
func newWriter(ctx context.Context, own, read *server.Server, t workload.Table, seed int64, after changed) (_ *writer, err error) {
	w := &writer{table: t, unique: map[string]bool{}, random: rand.New(rand.NewPCG(uint64(seed), 0x3717e))}
	if w.columns, err = columns(ctx, read, t); err != nil {
		return nil, err
	}
	d, err := structure(ctx, read, t)
	if err != nil {
		return nil, err
	}
	w.values = newValues(seed, d.statement, w.columns)
	list, err := indexes(ctx, read, t)
	if err != nil {
		return nil, err
	}
	for _, one := range slices.Concat(list, after.indexes) {
		for _, name := range one.columns {
			w.unique[name] = w.unique[name] || one.unique
		}
	}
	for i, c := range w.columns {
		if j := slices.IndexFunc(after.columns, func(a column) bool { return a.name == c.name }); j >= 0 {
			w.columns[i] = c.narrower(after.columns[j])
		}
	}
	for _, name := range rowKey(list) {
		w.key = append(w.key, w.columns[slices.IndexFunc(w.columns, func(c column) bool { return c.name == name })])
	}
	if err := w.read(ctx, read, d); err != nil {
		return nil, err
	}
	w.conn, err = own.DB.Conn(ctx)
	return w, err
}

func (w *writer) close() error { return discard(w.conn) }

// read fetches the rows to write to and the values of foreign keys, and sets the serial beyond what is there.
func (w *writer) read(ctx context.Context, s *server.Server, d definition) (err error) {
	if len(w.key) > 0 {
		if w.theirs, err = literals(ctx, s, w.table, w.key, knownKeys); err != nil {
			return err
		}
	}
	rows, err := countRows(ctx, s, w.table)
	if err != nil {
		return err
	}
	w.values.serial = rows
	for _, c := range w.columns {
		if !w.unique[c.name] || bytesOf[c.base()] == 0 {
			continue
		}
		var top sql.NullInt64
		if err := s.DB.QueryRowContext(ctx, "SELECT MAX("+server.Ident(c.name)+") FROM "+w.table.String()).Scan(&top); err == nil {
			w.values.serial = max(w.values.serial, top.Int64) // a number beyond 63 bits is passed over
		}
	}
	for _, key := range d.foreignKeys {
		if err := w.parent(ctx, s, key); err != nil {
			return err
		}
	}
	return nil
}

var (
	foreignKeyParts = regexp.MustCompile("^FOREIGN KEY \\((.*?)\\) REFERENCES (?:`((?:[^`]|``)*)`\\.)?`((?:[^`]|``)*)` \\((.*?)\\)")
	quotedName      = regexp.MustCompile("`((?:[^`]|``)*)`")
)

func names(list string) (all []string) {
	for _, match := range quotedName.FindAllStringSubmatch(list, -1) {
		all = append(all, strings.ReplaceAll(match[1], "``", "`"))
	}
	return all
}

// parentOf is the table that a foreign key refers to.
func parentOf(key string, child workload.Table) (t workload.Table, ok bool) {
	match := foreignKeyParts.FindStringSubmatch(key)
	if match == nil {
		return t, false
	}
	t = workload.Table{Database: strings.ReplaceAll(match[2], "``", "`"), Name: strings.ReplaceAll(match[3], "``", "`")}
	if t.Database == "" {
		t.Database = child.Database
	}
	return t, true
}

// parent reads values that a foreign key may have. The parent may be missing: then there are none.
func (w *writer) parent(ctx context.Context, s *server.Server, key string) error {
	match := foreignKeyParts.FindStringSubmatch(key)
	t, ok := parentOf(key, w.table)
	if !ok {
		return nil
	}
	all, err := columns(ctx, s, t)
	if _, _, ok := refused(err); ok {
		return nil
	}
	if err != nil {
		return err
	}
	p := parent{columns: names(match[1])}
	var referenced []column
	for _, name := range names(match[4]) {
		i := slices.IndexFunc(all, func(c column) bool { return strings.EqualFold(c.name, name) })
		if i < 0 {
			return nil
		}
		referenced = append(referenced, all[i])
	}
	p.rows, err = literals(ctx, s, t, referenced, parentRows)
	w.parents = append(w.parents, p)
	return err
}

// literals reads some columns of a table's first rows.
func literals(ctx context.Context, s *server.Server, t workload.Table, list []column, limit int) (all [][]string, err error) {
	var expressions []string
	for _, c := range list {
		expressions = append(expressions, exact(c.name, c.base()))
	}
	rows, err := s.DB.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s LIMIT %d", strings.Join(expressions, ", "), t, limit))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values, targets := make([]sql.RawBytes, len(list)), make([]any, len(list))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		row := make([]string, len(list))
		for i, c := range list {
			row[i] = c.literal(values[i])
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// write does the next statement. A refusal of the server is counted; every other error is returned.
func (w *writer) write(ctx context.Context) error {
	w.step++
	var statement string
	counter, done := &w.ledger.Inserted, func(sql.Result) {}
	switch turn := w.step % 5; {
	case len(w.keys) > 0 && w.step > earlyRows && (turn == 1 || turn == 2):
		statement, counter = w.update(), &w.ledger.Updated
	case len(w.keys) > fewKeys && w.step > earlyRows && turn == 3:
		i := w.random.IntN(len(w.keys))
		statement, counter = "DELETE FROM "+w.table.String()+" WHERE "+w.where(w.keys[i]), &w.ledger.Deleted
		done = func(sql.Result) { w.keys = slices.Delete(w.keys, i, i+1) }
	default:
		var key []string
		statement, key = w.insert()
		done = func(result sql.Result) { w.wrote(key, result) }
	}
	if statement == "" {
		return nil
	}
	result, err := w.conn.ExecContext(ctx, statement)
	if number, message, ok := refused(err); ok {
		w.ledger.Refused++
		w.ledger.Why = fmt.Sprintf("%s (%d)", printable(message), number)
		return nil
	}
	if err != nil {
		return err
	}
	if rows, err := result.RowsAffected(); err == nil && rows > 0 {
		*counter += rows
	}
	done(result)
	return nil
}

// fewKeys is how many of the written rows are left.
const fewKeys = 5

// wrote notes the key of a row that was inserted. The server has made it when it numbers rows.
func (w *writer) wrote(key []string, result sql.Result) {
	if len(w.key) == 1 && w.key[0].autoIncrement() {
		if id, err := result.LastInsertId(); err == nil && id > 0 {
			key = []string{fmt.Sprint(id)}
		}
	}
	if rows, err := result.RowsAffected(); err != nil || rows == 0 {
		return // a copy of a row that is not there
	}
	if len(key) > 0 && !slices.Contains(key, "") {
		w.keys = append(w.keys, key)
	}
}

// early inserts rows before the tool begins.
func (w *writer) early(ctx context.Context) error {
	for range earlyRows {
		if err := w.write(ctx); err != nil {
			return err
		}
	}
	return nil
}

// where names a row by its key.
func (w *writer) where(key []string) string {
	terms := make([]string, len(w.key))
	for i, c := range w.key {
		terms[i] = server.Ident(c.name) + " = " + key[i]
	}
	return strings.Join(terms, " AND ")
}

// insert is a new row: of made values, or a copy of a row that is there with new values in unique columns, which
// satisfies constraints that nobody here understands.
func (w *writer) insert() (statement string, key []string) {
	if len(w.theirs) > 0 && w.random.IntN(2) == 0 {
		return w.copyOfRow()
	}
	names, values, key := w.made()
	return w.into(names) + " VALUES (" + strings.Join(values, ", ") + ")", key
}

func (w *writer) into(names []string) string {
	return "INSERT INTO " + w.table.String() + " (" + strings.Join(names, ", ") + ")"
}

func (w *writer) copyOfRow() (statement string, key []string) {
	var names, values []string
	key = make([]string, len(w.key))
	for _, c := range w.columns {
		value := server.Ident(c.name)
		switch {
		case c.generated || c.autoIncrement():
			continue
		case w.unique[c.name]:
			if value = w.values.value(c, true); value == "DEFAULT" {
				continue
			}
		}
		for i, one := range w.key {
			if one.name == c.name {
				key[i] = value
			}
		}
		names, values = append(names, server.Ident(c.name)), append(values, value)
	}
	from := w.theirs[w.random.IntN(len(w.theirs))]
	return w.into(names) + " SELECT " + strings.Join(values, ", ") + " FROM " + w.table.String() + " WHERE " + w.where(from), key
}

// made is a row of made values: the names of its columns, the values, and those of the key, "" where the server gives them.
func (w *writer) made() (names, values, key []string) {
	fixed := map[string]string{}
	for _, p := range w.parents {
		if len(p.rows) == 0 { // as at first in a table that refers to itself
			for _, c := range w.columns {
				if c.nullable && slices.Contains(p.columns, c.name) {
					fixed[c.name] = "NULL"
				}
			}
			continue
		}
		row := p.rows[w.random.IntN(len(p.rows))]
		for i, name := range p.columns {
			fixed[name] = row[i]
		}
	}
	key = make([]string, len(w.key))
	for _, c := range w.columns {
		if c.generated || c.autoIncrement() {
			continue
		}
		value := w.values.value(c, w.unique[c.name])
		if given, ok := fixed[c.name]; ok {
			value = given
		}
		for i, one := range w.key {
			if one.name == c.name && value != "DEFAULT" {
				key[i] = value
			}
		}
		names, values = append(names, server.Ident(c.name)), append(values, value)
	}
	return names, values, key
}

// update changes one or two columns of a row; now and then its key. "" when no column can be changed.
func (w *writer) update() string {
	var able []column
	for _, c := range w.columns {
		foreign := slices.ContainsFunc(w.parents, func(p parent) bool { return slices.Contains(p.columns, c.name) })
		isKey := slices.ContainsFunc(w.key, func(one column) bool { return one.name == c.name })
		if !c.generated && !c.autoIncrement() && !foreign && !isKey && (!w.unique[c.name] || w.random.IntN(6) == 0) {
			able = append(able, c)
		}
	}
	if len(able) == 0 {
		return ""
	}
	i := w.random.IntN(len(w.keys))
	key := slices.Clone(w.keys[i])
	var terms []string
	for range 1 + w.random.IntN(2) {
		c := able[w.random.IntN(len(able))]
		value := w.values.value(c, w.unique[c.name])
		terms = append(terms, server.Ident(c.name)+" = "+value)
	}
	for n, c := range w.key { // now and then the row gets another key
		if len(w.key) == 1 && !c.generated && !c.autoIncrement() && w.random.IntN(8) == 0 && !slices.ContainsFunc(w.parents, func(p parent) bool { return slices.Contains(p.columns, c.name) }) {
			if value := w.values.value(c, true); value != "DEFAULT" {
				terms = append(terms, server.Ident(c.name)+" = "+value)
				w.keys[i] = slices.Clone(key)
				w.keys[i][n] = value
			}
		}
	}
	return "UPDATE " + w.table.String() + " SET " + strings.Join(terms, ", ") + " WHERE " + w.where(key)
}

// earlyWrite is the pause between writes before the tool has begun, and how often it is asked whether it has.
const earlyWrite = 10 * time.Millisecond
