package upgrade

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
)

// DefaultDatabase holds what a dump makes that names no database.
const DefaultDatabase = "own"

// statement is a statement of the user's file.
type statement struct {
	file string
	line int
	sql  string
	list []token
	in   string // the database that it runs in
}

// keptText is how much of a statement that makes nothing is kept for messages.
const keptText = 1 << 16

// refusal is a statement that a server did not take.
type refusal struct {
	statement
	number  uint16
	message string
	about   Object // what it would have made
	known   bool   // about is known
	// of is the index of the refusal that this one follows from: its table was not made. -1 is a cause of its own.
	of int
}

// loaded is what a server made of a dump.
type loaded struct {
	refusals []refusal
	skipped  []skipped
	defines  map[string]statement // by Object.key: the last statement that makes it
	modes    map[string]int       // objects made after a refused SET, with the refusal
	failed   map[string]int       // objects that were not made, with the refusal
	unset    int                  // the last refused SET of sql_mode, -1 when it was set since
	used     []string             // databases, in the order in which the dump goes into them
	schema   string
	lost     int // the refused USE or CREATE DATABASE that the statements now run without, -1 for none
}

// skipped is a statement that was not run, and why.
type skipped struct {
	statement
	why string
}

// load runs a dump on a server, statement by statement, and goes on after a refusal. Only what ends the connection is an error.
// The session's clock stands still: what the dump leaves to CURRENT_TIMESTAMP is the same wherever it is loaded with the same
// time.
func load(ctx context.Context, conn *sql.Conn, source *dump.Source, f flavor.Flavor, now time.Time) (*loaded, error) {
	l := &loaded{defines: map[string]statement{}, modes: map[string]int{}, failed: map[string]int{}, unset: -1, lost: -1}
	if _, err := conn.ExecContext(ctx, "DROP DATABASE IF EXISTS test"); err != nil {
		return nil, err // an empty one that comes with the sandbox
	}
	if f.IsMariaDB() {
		// Packages of some distributions make no root@localhost, whose views and routines a dump has.
		if _, err := ask(ctx, conn, "GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' IDENTIFIED BY '"+sandbox.Password+"' WITH GRANT OPTION"); err != nil {
			return nil, err
		}
	}
	if err := execAll(ctx, conn, fmt.Sprintf("SET SESSION timestamp = %d", now.Unix())); err != nil {
		return nil, err
	}
	if err := l.use(ctx, conn, DefaultDatabase); err != nil {
		return nil, err
	}
	for _, part := range source.Files {
		if part.Database != "" {
			if err := l.use(ctx, conn, part.Database); err != nil {
				return nil, err
			}
		}
		if err := l.file(ctx, conn, part.Path, f); err != nil {
			return nil, fmt.Errorf("load %s on %s: %w", part.Path, f, err)
		}
	}
	for _, s := range []string{"SET SESSION sql_mode = DEFAULT", "SET SESSION timestamp = DEFAULT", "UNLOCK TABLES"} {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *loaded) use(ctx context.Context, conn *sql.Conn, database string) error {
	quoted := "`" + strings.ReplaceAll(database, "`", "``") + "`"
	l.schema, l.lost = database, -1
	for _, s := range []string{"CREATE DATABASE IF NOT EXISTS " + quoted, "USE " + quoted} {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func (l *loaded) file(ctx context.Context, conn *sql.Conn, path string, f flavor.Flavor) (err error) {
	in, err := dump.OpenFile(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	splitter := dump.NewSplitter(in, f)
	if splitter.Modes, err = modes(ctx, conn); err != nil {
		return err
	}
	for {
		next, err := splitter.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		st := statement{file: path, line: next.Line, sql: string(next.Text), in: l.schema}
		st.list = lex(st.sql[:min(len(st.sql), keptText)])
		if err := l.run(ctx, conn, st); err != nil {
			return err
		}
		if len(st.list) > 0 && st.list[0].is("SET") {
			if splitter.Modes, err = modes(ctx, conn); err != nil {
				return err
			}
		}
	}
}

// functions are the names of the dump's functions, in lower case.
func (l *loaded) functions() map[string]bool {
	names := map[string]bool{}
	for key := range l.defines {
		if strings.HasPrefix(key, "function ") {
			names[key[strings.LastIndexAny(key, ". ")+1:]] = true
		}
	}
	return names
}

func modes(ctx context.Context, conn *sql.Conn) (dump.Modes, error) {
	var value, charset string
	err := conn.QueryRowContext(ctx, dump.SessionModes).Scan(&value, &charset)
	return dump.ParseModes(value, charset), err
}

// run runs one statement and notes what became of it.
func (l *loaded) run(ctx context.Context, conn *sql.Conn, st statement) error {
	if len(st.list) == 0 {
		return nil
	}
	uses := st.list[0].is("USE") && len(st.list) > 1
	if uses {
		l.schema = st.list[1].text
		if dump.IsSystem(l.schema) {
			l.skipped = append(l.skipped, skipped{st, "it changes a system database"})
			l.lost = -1
			return nil
		}
	}
	about, known := subject(st.list, l.schema)
	if why := reach(st.list, l.schema); why != "" {
		l.skipped = append(l.skipped, skipped{st, why})
		return nil
	}
	if dump.IsSystem(l.schema) && !uses && !st.list[0].is("CREATE", "DROP", "SET", "GRANT") {
		l.skipped = append(l.skipped, skipped{st, "it changes a system database"})
		return nil
	}
	if l.lost >= 0 && !uses && !st.list[0].is("SET", "GRANT", "UNLOCK") && !(known && about.Kind == "database") {
		l.refuse(st, 1046, "No database selected", about, known)
		return nil
	}
	_, err := conn.ExecContext(ctx, st.sql)
	if len(st.sql) > keptText {
		st.sql = st.sql[:keptText]
	}
	var refused *mysql.MySQLError
	switch {
	case errors.As(err, &refused):
		l.refuse(st, refused.Number, refused.Message, about, known)
	case err != nil:
		return fmt.Errorf("line %d: %w", st.line, err)
	default:
		l.accept(st, about, known, uses)
	}
	return nil
}

func (l *loaded) accept(st statement, about Object, known, uses bool) {
	if uses {
		l.lost = -1
		l.used = append(l.used, l.schema)
	}
	if st.list[0].is("SET") && sequence(st.list, "sql_mode") >= 0 {
		l.unset = -1
	}
	if !known {
		return
	}
	key := about.key()
	switch {
	case st.list[0].is("CREATE"):
		l.defines[key] = st
		delete(l.failed, key)
		if l.unset >= 0 && (about.Kind == "procedure" || about.Kind == "function" || about.Kind == "trigger" || about.Kind == "event") {
			l.modes[key] = l.unset
		}
	case about.Kind == "account" && l.defines[key].sql == "":
		l.defines[key] = st
	}
}

// refuse notes a refusal, and whether it follows from an earlier one.
func (l *loaded) refuse(st statement, number uint16, message string, about Object, known bool) {
	r := refusal{statement: st, number: number, message: message, about: about, known: known, of: -1}
	index := len(l.refusals)
	switch uses := st.list[0].is("USE"); {
	case uses && number == 1049:
		if r.of = l.cause(Object{Kind: "database", Name: st.list[1].text}.key()); l.lost < 0 {
			l.lost = max(r.of, 0)
		}
		if r.of < 0 {
			l.lost = index
		}
	case number == 1046:
		r.of = max(l.lost, -1)
	case follows[number]:
		r.of = l.follow(st, message, about, known)
	}
	if st.list[0].is("SET") && sequence(st.list, "sql_mode") >= 0 {
		l.unset = index
	}
	l.refusals = append(l.refusals, r)
	makes := st.list[0].is("CREATE") || about.Kind == "account"
	if known && makes {
		if _, before := l.failed[about.key()]; !before {
			l.failed[about.key()] = index
			if r.of >= 0 {
				l.failed[about.key()] = r.of
			}
		}
		l.defines[about.key()] = st
	}
}

// follows are the errors that a statement has because something is missing that an earlier statement would have made.
var follows = map[uint16]bool{1146: true, 1049: true, 1305: true, 1410: true, 1356: true, 1100: true, 1051: true, 1176: true, 1824: true,
	1133: true, 1396: true, 1471: true, 1347: true, 1099: true, 1060: true, 1091: true, 1539: true, 1360: true, 1269: true, 4091: true}

func (l *loaded) cause(key string) int {
	if i, ok := l.failed[key]; ok {
		return i
	}
	return -1
}

// follow finds the refusal that another one follows from: it made, or would have made, what this statement or message names.
func (l *loaded) follow(st statement, message string, about Object, known bool) int {
	if known && !st.list[0].is("CREATE") {
		if i := l.cause(about.key()); i >= 0 {
			return i
		}
	}
	if about.Kind == "table" {
		for _, kind := range []string{"view", "sequence"} {
			if i := l.cause(Object{kind, about.Schema, about.Name}.key()); i >= 0 {
				return i
			}
		}
	}
	for key, i := range l.failed {
		missing := key[strings.LastIndexAny(key, ". ")+1:]
		missing, _, _ = strings.Cut(missing, "@")
		if strings.Contains(strings.ToLower(message), missing) && mentions(message, missing) && known && about.key() != key {
			return i
		}
		for _, t := range st.list {
			if (t.kind == word || t.kind == name) && strings.EqualFold(t.text, missing) && (!known || about.key() != key) && l.refusals[i].number != 0 {
				return i
			}
		}
	}
	return -1
}

// mentions says whether a message names something as a whole word.
func mentions(message, missing string) bool {
	for _, t := range lex(strings.Trim(message, "'")) {
		if strings.EqualFold(t.text, missing) {
			return true
		}
		if parts := strings.Split(t.text, "."); t.kind == text && strings.EqualFold(parts[len(parts)-1], missing) {
			return true
		}
	}
	return false
}
