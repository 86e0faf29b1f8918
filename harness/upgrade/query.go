package upgrade

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/flavor"
)

var (
	slowHead    = regexp.MustCompile(`(?m)^# (Query_time|User@Host):`)
	generalLine = regexp.MustCompile(`^(?:\d{6}\s+\d{1,2}:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+|\t)?\s*(\d+) (Query|Execute|Prepare|Init DB|Connect|Quit|Field List|Close stmt|Statistics|Ping|Reset stmt|Change user)(?:\t(.*))?$`)
	generalHead = regexp.MustCompile(`(?m)^(Time\s+Id\s+Command\s+Argument|\d{4}-\d\d-\d\dT\S+\s+\d+ (Query|Connect|Init DB)\t)`)
)

// readQueries reads the statements of a file: SQL, a slow log or a general log.
func readQueries(path string, f flavor.Flavor) ([]statement, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("queries: %w", err)
	}
	head := content[:min(len(content), 1<<16)]
	var list []statement
	switch {
	case slowHead.Match(head):
		list, err = splitSQL(slowLog(content), f)
	case generalHead.Match(head):
		list, err = generalLog(content), nil
	default:
		list, err = splitSQL(content, f)
	}
	if err != nil {
		return nil, fmt.Errorf("queries %s: %w", path, err)
	}
	for i := range list {
		list[i].file, list[i].list = path, lex(list[i].sql)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("queries %s: there is no statement in it", path)
	}
	return list, nil
}

func splitSQL(content []byte, f flavor.Flavor) ([]statement, error) {
	var list []statement
	splitter := dump.NewSplitter(bytes.NewReader(content), f)
	for {
		next, err := splitter.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, statement{line: next.Line, sql: string(next.Text)})
	}
}

// slowLog blanks the lines of a slow log that are no statements, so that every line keeps its number.
func slowLog(content []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(content) {
		text := string(line)
		if strings.HasPrefix(text, "SET timestamp=") || strings.HasPrefix(text, "Tcp port:") || strings.HasPrefix(text, "Time  ") || strings.Contains(text, ", Version: ") {
			out.WriteString("\n")
			continue
		}
		out.Write(line)
	}
	return out.Bytes()
}

// generalLog reads the statements of a general log; one goes on over the lines that do not begin a new entry.
func generalLog(content []byte) []statement {
	var list []statement
	open := false
	scanner := bufio.NewScanner(bytes.NewReader(content))
	scanner.Buffer(nil, packetLimit)
	for n := 1; scanner.Scan(); n++ {
		m := generalLine.FindStringSubmatch(scanner.Text())
		switch {
		case m == nil && open && len(list) > 0:
			list[len(list)-1].sql += "\n" + scanner.Text()
		case m == nil:
		case m[2] == "Init DB":
			list, open = append(list, statement{line: n, sql: "USE " + quote(m[3])}), false
		case m[2] == "Query" || m[2] == "Execute":
			list, open = append(list, statement{line: n, sql: m[3]}), true
		default:
			open = false
		}
	}
	return slices.DeleteFunc(list, func(s statement) bool { return strings.TrimSpace(s.sql) == "" })
}

var querySettings = []string{"SET SESSION timestamp = 1577934245", "SET SESSION rand_seed1 = 7, rand_seed2 = 11", "SET SESSION autocommit = 0"}

// queries runs every statement on both servers, in one transaction that is rolled back.
func (c *comparison) queries(ctx context.Context, list []statement, schema string) error {
	if err := c.fresh(ctx, schema, querySettings); err != nil {
		return err
	}
	for n, q := range list {
		o := Object{Kind: "query", Name: fmt.Sprint(n + 1)}
		if why := reach(q.list, schema); why != "" {
			c.all.add(c.way, Finding{Grade: Note, Object: o, What: "it was not run: " + why}.at(q))
			continue
		}
		if q.list[0].is("COMMIT", "BEGIN") || sequence(q.list, "START", "TRANSACTION") == 0 || q.list[0].is("ROLLBACK") {
			continue // all of them run in one transaction
		}
		a, b, err := c.both(ctx, q.sql)
		if err != nil {
			return err
		}
		if err := errors.Join(a.warn(ctx, c.old.conn), b.warn(ctx, c.new.conn)); err != nil {
			return err
		}
		if err := c.query(ctx, o, q, a, b); err != nil {
			return err
		}
	}
	return c.rollback(ctx)
}

func (c *comparison) query(ctx context.Context, o Object, q statement, a, b answer) error {
	f := Finding{Object: o, Old: a.String(), New: b.String(), What: beginning(q.sql, 120)}.at(q)
	switch compareAnswers(a, b) {
	case alike:
		c.warnings(f, a, b)
		return c.plans(ctx, f, q)
	case bothFail:
		if a.number != b.number {
			f.Grade, f.What = Broken, f.What+": fails on both versions"
			c.all.add(c.way, f)
		}
		return nil
	case accepts:
		f.Grade, f.What = Note, f.What+": fails on the old version, and on the new one it does not"
	case refuses:
		f.Grade, f.What = Breaks, f.What+": fails on the new version"
		if of := c.follows(q, b); of != "" {
			f.Number, f.Cause = int(b.number), of
			f.Todo = "see that finding"
			break
		}
		f = c.explain.refused(ctx, f, q, b, c.new)
		if b.number == 1457 || b.number == 3512 || b.number == 1356 || b.number == 1305 || b.number == 1064 {
			f = c.within(ctx, f, q, b)
		}
	case otherOrder:
		f.Grade, f.What = Order, f.What+": the same rows in another order"
		f.Cause, f.Todo = c.explain.silent(ctx, q.sql, c.definitions())
	case unlike:
		if q.list[0].is("SELECT") {
			again, err := ask(ctx, c.old.conn, q.sql)
			if err != nil {
				return err
			}
			if compareAnswers(a, again) == unlike {
				f.Grade, f.What = Note, f.What+": not compared, the old server gives another answer each time"
				break
			}
		}
		f.Grade, f.What = Differs, f.What+": another answer"
		f.Cause, f.Todo = c.explain.silent(ctx, q.sql, c.definitions())
		for _, t := range q.list {
			if why := c.differing[strings.ToLower(t.text)]; why != "" && t.kind != symbol {
				f.Cause, f.Todo = "it follows: table "+t.text+" is not the same: "+why, "see that finding"
				break
			}
		}
		if systemTable.MatchString(q.sql) { // what it tells of objects was compared
			f.Grade = Note
		}
	}
	c.all.add(c.way, f)
	return nil
}

// systemTable is a query that reads what the server says of its objects.
var systemTable = regexp.MustCompile(`(?is)\b(FROM|JOIN)\s+\W?(information_schema|performance_schema|mysql|sys)\b`)

// follows says which refusal a query's error follows from, "" where it has a cause of its own.
func (c *comparison) follows(q statement, b answer) string {
	const noDatabase = 1046
	for key := range c.absent {
		if b.number == noDatabase && strings.HasPrefix(key, "database ") {
			return "it follows: " + key + " is not on the new server"
		}
	}
	if !follows[b.number] {
		return ""
	}
	for key := range c.absent {
		if missing := key[strings.LastIndexAny(key, ". ")+1:]; mentions(b.message, missing) {
			return "it follows: " + key + " is not on the new server"
		}
	}
	return ""
}

// within looks for the cause in the view or routine that a query uses.
func (c *comparison) within(ctx context.Context, f Finding, q statement, b answer) Finding {
	for key, st := range c.dump.defines {
		kind, _, _ := strings.Cut(key, " ")
		if kind != "view" && kind != "procedure" && kind != "function" {
			continue
		}
		used := key[strings.LastIndexAny(key, ". ")+1:]
		if !slices.ContainsFunc(q.list, func(t token) bool { return strings.EqualFold(t.text, used) }) {
			continue
		}
		inner := c.explain.refused(ctx, Finding{}, st, b, c.new)
		f.Cause, f.Todo = "in "+key+" ("+inner.place()+"): "+inner.Cause, inner.Todo
		return f
	}
	return f
}

// warnings notes warnings that only the new server gives.
func (c *comparison) warnings(f Finding, a, b answer) {
	var gained []string
	for _, w := range b.warnings {
		number, _, _ := strings.Cut(w, " ")
		if !slices.ContainsFunc(a.warnings, func(old string) bool { return strings.HasPrefix(old, number+" ") }) {
			gained = append(gained, w)
		}
	}
	if len(gained) > 0 {
		f.Grade, f.What, f.Old, f.New = Note, "the new version warns of it", "", strings.Join(gained, "; ")
		c.all.add(c.way, f)
	}
}

// plans notes a table that the old server reads by an index and the new one reads whole.
func (c *comparison) plans(ctx context.Context, f Finding, q statement) error {
	if !q.list[0].is("SELECT") {
		return nil
	}
	scans := func(s *side) (map[string]bool, error) {
		if s.flavor.MinMySQL(8, 0, 32) { // explain_format came with it, and is TREE in 9.x
			if err := execAll(ctx, s.conn, "SET SESSION explain_format = TRADITIONAL"); err != nil {
				return nil, err
			}
		}
		a, err := ask(ctx, s.conn, "EXPLAIN "+q.sql)
		if err != nil || a.failed() {
			return nil, err
		}
		found := map[string]bool{}
		table, access := slices.Index(a.columns, "table"), slices.Index(a.columns, "type")
		for _, row := range a.rows {
			if table >= 0 && access >= 0 && row[table] != nil {
				found[string(row[table])] = string(row[access]) == "ALL"
			}
		}
		return found, nil
	}
	before, err := scans(c.old)
	if err != nil {
		return err
	}
	after, err := scans(c.new)
	if err != nil {
		return err
	}
	for table, scan := range after {
		if used, there := before[table]; there && !used && scan {
			f.Grade, f.What, f.Old, f.New = Note, "the new version reads "+table+" whole, where the old one uses an index", "index", "ALL"
			c.all.add(c.way, f)
		}
	}
	return nil
}
