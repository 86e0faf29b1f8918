package upgrade

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// explainer says why the new server has refused something, or reads it otherwise. Where it can, it asks the two servers: which
// words they take as names, which types and SQL modes they know.
type explainer struct {
	old, new  *side // sessions for nothing else
	from, to  flavor.Flavor
	reserved  map[string]bool // words that the new version reserves and the old one does not
	lostModes map[string]bool
	lostTypes map[string]bool
	functions map[string]bool // of the dump's own, by their names in lower case
	native    map[string]bool // functions that only the new version has by itself
	// collations says that a default collation is another on this way.
	collations bool
}

func newExplainer(ctx context.Context, old, new *side) (*explainer, error) {
	e := &explainer{old: old, new: new, from: old.flavor, to: new.flavor,
		reserved: map[string]bool{}, lostModes: map[string]bool{}, lostTypes: map[string]bool{}, native: map[string]bool{}}
	for _, s := range []*side{old, new} {
		if err := execAll(ctx, s.conn, "CREATE DATABASE IF NOT EXISTS "+probeDatabase, "USE "+probeDatabase, "SET SESSION sql_mode = ''"); err != nil {
			return nil, err
		}
	}
	for _, mode := range oldModes {
		if err := e.differ(ctx, e.lostModes, mode, "SET SESSION sql_mode = '"+mode+"'"); err != nil {
			return nil, err
		}
	}
	for _, s := range []*side{old, new} {
		if err := execAll(ctx, s.conn, "SET SESSION sql_mode = ''"); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// oldModes are SQL modes that versions have removed.
var oldModes = []string{"NO_AUTO_CREATE_USER", "DB2", "MAXDB", "MSSQL", "MYSQL323", "MYSQL40", "ORACLE", "POSTGRESQL", "NO_FIELD_OPTIONS",
	"NO_KEY_OPTIONS", "NO_TABLE_OPTIONS", "NO_BACKSLASH_ESCAPES", "IGNORE_BAD_TABLE_OPTIONS", "SIMULTANEOUS_ASSIGNMENT", "TIME_ROUND_FRACTIONAL"}

// differ notes whether the old server takes a statement that the new one refuses.
func (e *explainer) differ(ctx context.Context, into map[string]bool, word, statement string) error {
	if _, asked := into[word]; asked {
		return nil
	}
	a, err := ask(ctx, e.old.conn, statement)
	if err != nil {
		return err
	}
	b, err := ask(ctx, e.new.conn, statement)
	into[word] = !a.failed() && b.failed()
	return err
}

// modeIsGone says whether the new version no longer has an SQL mode.
func (e *explainer) modeIsGone(mode string) bool { return e.lostModes[mode] }

// why is one reason of a refusal.
type why struct {
	cause, todo string
	at          []int // places in the statement
}

// refused explains why the new server refuses a statement. There can be several reasons, each with a finding of its own.
func (e *explainer) refusedAll(ctx context.Context, f Finding, st statement, number uint16, message string) []Finding {
	f.Number = int(number)
	if f.File == "" {
		f = f.at(st)
	}
	var reasons []why
	if number == 1064 {
		reasons = e.syntax(ctx, st, message)
	}
	if shadow := e.shadowed(ctx, st.sql); len(reasons) == 0 && shadow != nil && number != 1305 {
		reasons = []why{*shadow}
	}
	if len(reasons) == 0 {
		reasons = e.known(refusals, st.sql, number, message)
	}
	if len(reasons) == 0 {
		reasons = []why{{cause: fmt.Sprintf("the new version refuses it: ERROR %d", number), todo: "see the server's message"}}
		if number == 1064 {
			reasons[0].cause = "the new version does not have this syntax"
		}
	}
	var list []Finding
	for _, r := range reasons {
		one := f
		one.Cause, one.Todo = r.cause, r.todo
		if one.Line > 0 && len(r.at) > 0 {
			var lines []int
			for _, at := range r.at {
				lines = append(lines, lineOf(st.line, st.sql, at))
			}
			slices.Sort(lines)
			lines = slices.Compact(lines)
			one.Line, one.Lines = lines[0], lines[1:]
		}
		list = append(list, one)
	}
	return list
}

// refused is refusedAll for what has one finding.
func (e *explainer) refused(ctx context.Context, f Finding, st statement, b answer, new *side) Finding {
	number, message := b.number, b.message
	switch number {
	case 1356: // a view that cannot be used: its own query says why
		if query := queryOf(st); query != "" {
			if under, err := e.under(ctx, new, st.in, query); err == nil && under.failed() {
				number, message = under.number, under.message
			}
		}
	case 1457, 3512: // a routine that cannot be loaded: making it anew says why
		if len(st.list) == 0 || !st.list[0].is("CREATE") {
			break
		}
		if under, err := e.under(ctx, new, probeDatabase, st.sql); err == nil && under.failed() {
			number, message = under.number, under.message
		}
	}
	f = e.refusedAll(ctx, f, st, number, message)[0]
	if number != b.number {
		f.Number = int(b.number)
		f.New += fmt.Sprintf(" (ERROR %d: %s)", number, message)
	}
	return f
}

// under runs a statement in a session of its own.
func (e *explainer) under(ctx context.Context, s *side, schema, statement string) (a answer, err error) {
	conn, err := s.session(ctx)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if schema != "" {
		if err := execAll(ctx, conn, "USE "+quote(schema)); err != nil {
			return a, err
		}
	}
	return ask(ctx, conn, statement)
}

// queryOf is the query of a CREATE VIEW.
func queryOf(st statement) string {
	i := sequence(st.list, "AS")
	view := sequence(st.list, "VIEW")
	for i >= 0 && i < view {
		next := sequence(st.list[i+1:], "AS")
		if next < 0 {
			return ""
		}
		i += 1 + next
	}
	if i < 0 || i+1 >= len(st.list) {
		return ""
	}
	return strings.TrimSuffix(strings.TrimSpace(st.sql[st.list[i+1].at:]), "*/")
}

// known looks a refusal up.
func (e *explainer) known(list []reason, sql string, number uint16, message string) []why {
	var found []why
	for _, r := range list {
		if len(r.numbers) > 0 && !slices.Contains(r.numbers, number) || !e.applies(r) || r.message != nil && !r.message.MatchString(message) {
			continue
		}
		w := why{cause: r.cause, todo: r.todo}
		if r.pattern != nil {
			at := r.pattern.FindStringIndex(sql)
			if at == nil {
				continue
			}
			w.at = []int{at[0]}
		}
		found = append(found, w)
		break
	}
	return found
}

// applies says whether the change of server goes over the release that a reason is about.
func (e *explainer) applies(r reason) bool {
	if r.since == (flavor.Flavor{}) {
		return true
	}
	if e.from.IsMariaDB() != e.to.IsMariaDB() { // MariaDB has little of what MySQL has changed since 5.7
		return !e.to.IsMariaDB() && !r.since.IsMariaDB() && e.to.Version.Compare(r.since.Version) >= 0
	}
	return e.from.Crosses(e.to, r.since)
}

var nearText = regexp.MustCompile(`(?s) near '(.*)' at line (\d+)$`)

// syntax explains a syntax error. The server names the place where it stopped: the word itself or the one behind it.
func (e *explainer) syntax(ctx context.Context, st statement, message string) []why {
	words := e.newlyReserved(ctx, st)
	place := e.stopped(st, message)
	if known := e.around(st.sql, message, place); known != nil {
		return known
	}
	var reasons []why
	if word := wordAt(st, place, words); word != "" {
		var at []int
		for _, t := range st.list {
			if strings.EqualFold(t.text, word) && words[t.at] {
				at = append(at, t.at)
			}
		}
		return []why{{at: at, cause: fmt.Sprintf("%s is a reserved word in %s, and was none in %s: without back quotes it is no name", "`"+word+"`", e.to, e.from),
			todo: "put `" + word + "` in back quotes, or rename it, on the old server"}}
	}
	reasons = append(reasons, e.types(ctx, st)...)
	if len(reasons) == 0 {
		reasons = e.known(refusals, st.sql, 1064, message)
	}
	if len(reasons) == 0 && place >= 0 {
		reasons = []why{{at: []int{place}, cause: "the new version does not have this syntax: it stopped at " + strconv.Quote(beginning(st.sql[place:], 40)), todo: "write it in the new version's words"}}
	}
	return reasons
}

// around is the reason whose words stand where the server stopped.
func (e *explainer) around(sql, message string, place int) []why {
	for _, r := range refusals {
		if !slices.Contains(r.numbers, 1064) || r.pattern == nil || !e.applies(r) {
			continue
		}
		for _, at := range r.pattern.FindAllStringIndex(sql, -1) {
			if at[0] <= place && place < at[1] && (r.message == nil || r.message.MatchString(message)) {
				return []why{{cause: r.cause, todo: r.todo, at: []int{at[0]}}}
			}
		}
	}
	return nil
}

// stopped is the place in a statement at which the server stopped, -1 when it cannot be told.
func (e *explainer) stopped(st statement, message string) int {
	m := nearText.FindStringSubmatch(message)
	if m == nil {
		return -1
	}
	near := strings.TrimSuffix(m[1], "...")
	line, _ := strconv.Atoi(m[2])
	from := 0
	for range line - 1 {
		next := strings.IndexByte(st.sql[from:], '\n')
		if next < 0 {
			from = 0
			break
		}
		from += next + 1
	}
	for _, start := range []int{from, 0} {
		// The server shows a statement's text without the comments around it, and cuts it.
		for length := len(near); length >= min(len(near), 12) && length > 0; length-- {
			if i := strings.Index(st.sql[start:], near[:length]); i >= 0 {
				return start + i
			}
		}
	}
	return -1
}

// wordAt is the newly reserved word at which, or behind which, the server stopped.
func wordAt(st statement, place int, words map[int]bool) string {
	if place < 0 {
		return ""
	}
	before := ""
	for _, t := range st.list {
		switch {
		case t.at < place:
			before = ""
			if words[t.at] {
				before = t.text
			}
		case t.at == place && words[t.at]:
			return t.text
		default:
			return before
		}
	}
	return before
}

// newlyReserved finds words of a statement, by their places, that the old server takes as names and the new one does not.
func (e *explainer) newlyReserved(ctx context.Context, st statement) map[int]bool {
	found := map[int]bool{}
	for i, t := range st.list {
		if t.kind != word || strings.HasPrefix(t.text, "@") || t.text[0] >= '0' && t.text[0] <= '9' || i > 0 && st.list[i-1].text == "." {
			continue
		}
		w := strings.ToLower(t.text)
		if err := e.differ(ctx, e.reserved, w, "SELECT 1 AS "+w); err != nil {
			return found
		}
		found[t.at] = e.reserved[w]
	}
	return found
}

// types finds column types of a CREATE TABLE that the old server knows and the new one does not.
func (e *explainer) types(ctx context.Context, st statement) []why {
	if sequence(st.list, "CREATE") != 0 || sequence(st.list, "TABLE") < 0 {
		return nil
	}
	var list []why
	named := map[string]bool{}
	depth := 0
	for i, t := range st.list {
		switch t.text {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth != 1 || i < 2 || t.kind != word || st.list[i-1].kind == symbol || st.list[i-2].text != "(" && st.list[i-2].text != "," {
			continue
		}
		w := strings.ToLower(t.text)
		if named[w] || e.differ(ctx, e.lostTypes, w, "CREATE TEMPORARY TABLE "+probeDatabase+".t_"+w+" (c "+w+")") != nil || !e.lostTypes[w] {
			continue
		}
		named[w] = true
		list = append(list, why{at: []int{t.at}, cause: "the type " + w + " is unknown to " + e.to.String(), todo: "change the column's type (uuid: BINARY(16) or CHAR(36); inet6: VARBINARY(16) with INET6_ATON())"})
	}
	return list
}

// structure explains another attribute of an object.
func (e *explainer) structure(name, before, after, way string) (cause, todo string) {
	switch {
	case strings.Contains(name, "column ") && strings.HasPrefix(before, "timestamp") && strings.HasPrefix(after, "timestamp"):
		return "explicit_defaults_for_timestamp is ON since MySQL 8.0.2 (MariaDB 10.10): a TIMESTAMP without a default is NULL DEFAULT NULL, and no longer NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
			"write the column's defaults out, or load under explicit_defaults_for_timestamp=OFF"
	case strings.HasPrefix(name, "index ") && strings.Contains(after, "("):
		return "the index was cut without an error: where the schema names no character set the new default is utf8mb4, of 4 bytes a character, and the whole column does not fit into a key (3072 bytes)",
			"name the old character set in CREATE DATABASE or CREATE TABLE"
	case strings.Contains(name, "charset") || strings.Contains(name, "collation"):
		return "where the schema names no character set or collation the new version's default is taken: " + after,
			"name " + before + " in CREATE DATABASE, CREATE TABLE or the column"
	}
	return "", ""
}

// value explains another value of a row.
func (e *explainer) value(kind string, d rowDifference, way string) (cause, todo string) {
	switch {
	case kind == "json" && way == WayLogical:
		return "the JSON text of the dump is read anew: of a repeated key the last value is kept (MySQL 8.0.3), where the old version kept the first",
			"write each key once; a dump made by mysqldump has it normalised already"
	case kind == "timestamp" && d.new == "NULL":
		return "explicit_defaults_for_timestamp is ON since MySQL 8.0.2 (MariaDB 10.10): the column is NULL DEFAULT NULL",
			"write the column's defaults out, or load under explicit_defaults_for_timestamp=OFF"
	}
	return "", ""
}

// shadowed finds a call of one of the dump's functions that the new version takes for a function of its own: one without the
// name of a database (MySQL's manual, "Function Name Parsing and Resolution"). Both servers are asked which they have.
func (e *explainer) shadowed(ctx context.Context, sql string) *why {
	list := lex(sql)
	for i, t := range list {
		name := strings.ToLower(t.text)
		if t.kind != word || !e.functions[name] || i+1 >= len(list) || list[i+1].text != "(" || i > 0 && (list[i-1].text == "." || list[i-1].is("FUNCTION")) {
			continue
		}
		if _, asked := e.native[name]; !asked {
			a, errA := ask(ctx, e.old.conn, "SELECT "+name+"()")
			b, errB := ask(ctx, e.new.conn, "SELECT "+name+"()")
			e.native[name] = errA == nil && errB == nil && a.number == noFunction && b.number != noFunction
		}
		if e.native[name] {
			return &why{at: []int{t.at}, cause: fmt.Sprintf("%s has a function %s() of its own, which %s had not: without a database's name that one is called in place of yours", e.to, strings.ToUpper(name), e.from),
				todo: "rename your function, or call it by its database's name, on the old server"}
		}
	}
	return nil
}

// noFunction is the error of a call of a function that the server has not.
const noFunction = 1305

// silent explains other rows of a query by what stands in it and in the views and routines that it uses.
func (e *explainer) silent(ctx context.Context, sql string, definitions map[string]string) (cause, todo string) {
	texts := []string{sql}
	used := map[string]bool{}
	for i := 0; i < len(texts) && i < 20; i++ {
		for _, t := range lex(texts[i]) {
			definition, there := definitions[strings.ToLower(t.text)]
			if there && !used[strings.ToLower(t.text)] {
				used[strings.ToLower(t.text)] = true
				texts = append(texts, definition)
			}
		}
	}
	for _, t := range texts {
		if w := e.shadowed(ctx, t); w != nil {
			return w.cause, w.todo
		}
	}
	for _, r := range silents {
		if r.collation && !e.collations {
			continue
		}
		for _, t := range texts {
			if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(t)), "CREATE TABLE") {
				continue
			}
			if found := e.known([]reason{r}, t, 0, ""); len(found) > 0 {
				return found[0].cause, found[0].todo
			}
		}
	}
	return "", ""
}
