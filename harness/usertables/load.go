package usertables

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/wait"
	"mysqlmatrix/harness/workload"
)

// LoadError is a dump that the server did not take.
type LoadError struct {
	File    string
	Line    int
	Text    string // of the line, its beginning
	Server  string
	Message string // the server's own
}

// Error is the place, the server's message and the line.
func (e *LoadError) Error() string {
	return fmt.Sprintf("%s:%d: %s: %s\n  %s", e.File, e.Line, e.Server, e.Message, e.Text)
}

// PassedOver is a statement of the dump, or a part of one, that was not run; Count of the same kind follow one another.
type PassedOver struct {
	File  string `json:"file"`
	Line  int    `json:"line"` // of the first
	What  string `json:"what"`
	Why   string `json:"why"`
	Count int    `json:"count"`
}

// String is one line.
func (p PassedOver) String() string {
	text := fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, printable(p.What), p.Why)
	if p.Count > 1 {
		text += fmt.Sprintf(" (%d of them)", p.Count)
	}
	return text
}

// passedLimit bounds how many are listed.
const passedLimit = 1000

// loader runs a dump's statements in one session of the primary.
type loader struct {
	server  *server.Server
	conn    *sql.Conn
	judge   *dump.Judge
	file    string
	passed  []PassedOver
	say     func(string, ...any)
	created map[string]bool // databases that were made for the dump, not by it
}

// load runs the dump on the primary. Tables of a dump that names no database go into DefaultDatabase.
func load(ctx context.Context, source *dump.Source, s *server.Server, say func(string, ...any)) ([]PassedOver, error) {
	own, err := withSettings(s, nil)
	if err != nil {
		return nil, err
	}
	defer own.Close() // its sessions are ended; the servers are the topology's
	l := &loader{server: own, judge: &dump.Judge{Flavor: s.Flavor}, say: say, created: map[string]bool{}}
	for _, part := range source.Files {
		if err := l.part(ctx, part); err != nil {
			return l.passed, err
		}
	}
	return l.passed, nil
}

// part runs one file in a session of its own.
func (l *loader) part(ctx context.Context, part dump.Part) (err error) {
	in, err := dump.OpenFile(part.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if l.conn, err = l.server.DB.Conn(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, discard(l.conn)) }()
	database := part.Database
	if database == "" {
		database = DefaultDatabase
	}
	if !dump.IsSystem(database) {
		l.created[database] = true
		for _, statement := range []string{"CREATE DATABASE IF NOT EXISTS " + server.Ident(database), "USE " + server.Ident(database)} {
			if _, err := l.conn.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	}
	l.file = part.Path
	defer wait.Every(progressEvery, func() { l.say("loading %s: %d%%", part.Path, in.Progress()) })()
	splitter := dump.NewSplitter(in, l.server.Flavor)
	if err := l.settings(ctx, splitter); err != nil {
		return err
	}
	for {
		st, err := splitter.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // a compressed file that was cut short, a statement that is too long
			return l.explain(&unfit{"cannot be read to its end: " + err.Error()}, st)
		}
		if err := l.statement(ctx, splitter, st); err != nil {
			return l.explain(err, st)
		}
	}
	// A dump that ends inside a transaction means what it says so far.
	_, err = l.conn.ExecContext(ctx, "COMMIT")
	return err
}

// settings has the splitter know the session's modes.
func (l *loader) settings(ctx context.Context, splitter *dump.Splitter) error {
	var modes, charset string
	if err := l.conn.QueryRowContext(ctx, dump.SessionModes).Scan(&modes, &charset); err != nil {
		return err
	}
	splitter.Modes = dump.ParseModes(modes, charset)
	return nil
}

func (l *loader) statement(ctx context.Context, splitter *dump.Splitter, st dump.Statement) error {
	d := l.judge.Decide(st, splitter.Modes)
	for _, left := range d.Left {
		l.pass(st.Line, left)
	}
	switch {
	case d.Wrong != "":
		return &unfit{d.Wrong}
	case d.Text == "":
		return nil
	case d.Unknown:
		return l.unknown(ctx, st)
	case d.Assignments != nil:
		if err := l.set(ctx, d, st); err != nil {
			return err
		}
		return l.settings(ctx, splitter)
	}
	_, err := l.conn.ExecContext(ctx, d.Text)
	number, message, _ := refused(err)
	switch {
	case number == databaseExists && l.madeFor(d.Text):
		return nil
	case number == emptyQuery: // comments alone
		return nil
	case number != 0 && number != syntaxError && d.Idle: // a function that only the dump's server has
		l.pass(st.Line, dump.Left{What: firstWords(string(st.Text)), Why: dump.WhyIdle + ": " + message})
		return nil
	}
	return err
}

// unfit is a dump that cannot be loaded, whatever the server.
type unfit struct{ why string }

// Error is why.
func (u *unfit) Error() string { return u.why }

// The servers' error numbers.
const (
	databaseExists     = 1007
	syntaxError        = 1064
	emptyQuery         = 1065
	unknownCharset     = 1115
	unknownVariable    = 1193
	wrongValue         = 1231
	wrongType          = 1232
	wrongScope         = 1238
	globalOnly         = 1229
	accessDenied       = 1227
	unknownCollation   = 1273
	wrongTimeZone      = 1298
	deprecatedVariable = 3719
)

// settingErrors are refusals of a SET that say more of the server that the dump came from than of its tables.
var settingErrors = []uint16{unknownCharset, unknownVariable, wrongValue, wrongType, wrongScope, globalOnly, accessDenied, unknownCollation,
	wrongTimeZone, deprecatedVariable}

// madeFor says whether a CREATE DATABASE names one that was made before the dump could.
func (l *loader) madeFor(text string) bool {
	for name := range l.created {
		if strings.Contains(text, name) {
			return true
		}
	}
	return false
}

// set runs a SET, and where the server does not know one of its variables or values, the other assignments.
func (l *loader) set(ctx context.Context, d dump.Decision, st dump.Statement) error {
	_, err := l.conn.ExecContext(ctx, d.Text)
	number, _, _ := refused(err)
	if err == nil || number == emptyQuery {
		return nil
	}
	if !slices.Contains(settingErrors, number) && number != syntaxError && !slices.ContainsFunc(d.Assignments, ofServer) {
		return err
	}
	for _, one := range d.Assignments {
		if err := l.assign(ctx, one, st); err != nil {
			return err
		}
	}
	return nil
}

// ofServer says whether an assignment is to a server's variable, and not to one of the dump's own, @name.
func ofServer(assignment string) bool {
	name := strings.TrimSpace(strings.TrimPrefix(assignment, "SET "))
	return !strings.HasPrefix(name, "@") || strings.HasPrefix(name, "@@")
}

// unknownMode finds the mode that a server does not have (MySQL 8 removed NO_AUTO_CREATE_USER).
var unknownMode = regexp.MustCompile(`'sql_mode' can't be set to the value of '([^']*)'`)

func (l *loader) assign(ctx context.Context, text string, st dump.Statement) error {
	for {
		_, err := l.conn.ExecContext(ctx, text)
		number, message, isRefusal := refused(err)
		if err == nil || !isRefusal {
			return err
		}
		if !slices.Contains(settingErrors, number) && number != syntaxError && !ofServer(text) {
			return err
		}
		mode := unknownMode.FindStringSubmatch(message)
		if mode == nil || mode[1] == "" || !strings.Contains(text, mode[1]) {
			what, _, _ := strings.Cut(text, "=")
			l.pass(st.Line, dump.Left{What: strings.TrimSpace(what), Why: dump.WhyUnknown + ": " + message})
			return nil
		}
		l.pass(st.Line, dump.Left{What: "sql_mode " + mode[1], Why: dump.WhyUnknown})
		text = strings.Replace(text, mode[1], "", 1)
	}
}

// unknown has the server read a statement that begins with no word that is known here. One that is no SQL is the
// dump's mistake; any other is passed over.
func (l *loader) unknown(ctx context.Context, st dump.Statement) error {
	_, err := l.conn.ExecContext(ctx, fmt.Sprintf("SET @matrix_check = CONVERT(x'%x' USING utf8mb4)", st.Text))
	if err == nil {
		_, err = l.conn.ExecContext(ctx, "PREPARE matrix_check FROM @matrix_check")
	}
	if number, _, ok := refused(err); ok && number == syntaxError {
		return err
	}
	l.pass(st.Line, dump.Left{What: shorten(firstWords(string(st.Text)), 60), Why: dump.WhyIdle})
	return nil
}

func firstWords(text string) string {
	words := strings.Fields(text)
	return strings.Join(words[:min(len(words), 2)], " ")
}

// pass notes what is not run; the same kinds that follow one another are counted.
func (l *loader) pass(line int, left dump.Left) {
	if n := len(l.passed); n > 0 {
		if last := &l.passed[n-1]; last.File == l.file && last.Why == left.Why && (last.What == left.What || left.Why == dump.WhySystem) {
			last.Count++
			return
		}
	}
	if len(l.passed) < passedLimit {
		l.passed = append(l.passed, PassedOver{File: l.file, Line: line, What: left.What, Why: left.Why, Count: 1})
	}
}

// explain makes a server's refusal a LoadError. Everything else is the machine's or this program's.
func (l *loader) explain(err error, st dump.Statement) error {
	var wrong *unfit
	if errors.As(err, &wrong) {
		return &LoadError{File: l.file, Line: max(st.Line, 1), Text: shorten(dump.Line(l.file, st.Line, shownLine), shownLine), Server: "the dump", Message: wrong.why}
	}
	number, message, ok := refused(err)
	if !ok {
		return fmt.Errorf("load %s, line %d: %w", l.file, st.Line, err)
	}
	return &LoadError{File: l.file, Line: st.Line, Text: shorten(dump.Line(l.file, st.Line, shownLine), shownLine), Server: l.server.Flavor.String(),
		Message: printable(message) + " (" + strconv.Itoa(int(number)) + ")"}
}

// shownLine is how much of a line an error repeats.
const shownLine = 120

// loaded waits until every node has what was loaded, and counts it there.
func (p *place) loaded(ctx context.Context, path string) error {
	if err := p.topology.WaitCaughtUp(ctx); err != nil {
		if ctx.Err() != nil || !p.applierStopped(ctx) {
			return err
		}
		return &Mistake{fmt.Errorf("schema %s: the replicas do not take what the primary took: %w", path, err)}
	}
	if err := p.strict(ctx); err != nil {
		return err
	}
	if err := p.ownDatabases(ctx); err != nil {
		return err
	}
	all, err := tables(ctx, p.primary)
	if err != nil {
		return err
	}
	rows := make([]int64, len(all))
	for i, t := range all {
		if rows[i], err = countRows(ctx, p.primary, t); err != nil {
			return err
		}
	}
	for _, node := range []*server.Server{p.replica, p.model} {
		copied, err := tables(ctx, node)
		if err != nil {
			return err
		}
		if !slices.Equal(all, copied) {
			return &Mistake{fmt.Errorf("schema %s: the primary has %d tables and a replica %d", path, len(all), len(copied))}
		}
		for i, t := range all {
			got, err := countRows(ctx, node, t)
			if err != nil {
				return err
			}
			if rows[i] != got {
				return &Mistake{fmt.Errorf("schema %s: %s has %s on the primary and %s on a replica", path, Display(t), count(rows[i], "row"), count(got, "row"))}
			}
		}
	}
	p.own = all
	return nil
}

// ownDatabases finds a database of the dump whose name is that of one that is made and dropped here.
func (p *place) ownDatabases(ctx context.Context) error {
	rows, err := p.primary.Rows(ctx, "SHOW DATABASES")
	if err != nil {
		return err
	}
	for _, row := range rows {
		for _, reserved := range []string{scratchDatabase, workload.HeartbeatDatabase} {
			if strings.EqualFold(row["Database"], reserved) {
				return &Mistake{fmt.Errorf("the dump has a database %s, which is made and dropped here: rename it in the dump", reserved)}
			}
		}
	}
	return nil
}

// applierStopped says whether a replica has stopped at one of the dump's statements, and not for want of its source.
func (p *place) applierStopped(ctx context.Context) bool {
	for _, s := range []*server.Server{p.replica, p.model} {
		statuses, err := s.ReplicaStatus(ctx)
		if err == nil && slices.ContainsFunc(statuses, func(r server.ReplicaStatus) bool { return r.SQLErrno != 0 }) {
			return true
		}
	}
	return false
}

// strict gives the replicas the primary's innodb_strict_mode, now that they have what the dump's sessions were lenient about.
func (p *place) strict(ctx context.Context) error {
	value, err := p.primary.Variable(ctx, "innodb_strict_mode")
	if err != nil {
		return err
	}
	for _, s := range []*server.Server{p.replica, p.model} {
		if err := s.Exec(ctx, "SET GLOBAL innodb_strict_mode = "+value); err != nil {
			return err
		}
	}
	return nil
}
