package upgrade

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// comparison compares two servers after one way of upgrading.
type comparison struct {
	way       string
	old, new  *side
	a, b      *snapshot
	dump      *loaded // of the old server: where each object is defined
	reload    *loaded // of the new server where the way loads the dump again; nil on other ways
	explain   *explainer
	all       *findings
	differing map[string]string // tables whose rows or columns differ, by their names in lower case, and why
	absent    map[string]bool   // objects, by key, whose absence is told as a refusal
}

// state compares what the two servers hold: objects, rows, and what views give.
func (c *comparison) state(ctx context.Context) (err error) {
	if c.a, err = take(ctx, c.old); err != nil {
		return fmt.Errorf("%s: %w", c.old.flavor, err)
	}
	if c.b, err = take(ctx, c.new); err != nil {
		return fmt.Errorf("%s: %w", c.new.flavor, err)
	}
	for _, o := range c.a.sortedObjects() {
		set, there := c.b.objects[o]
		if !there {
			c.missing(o)
			continue
		}
		c.attributes(o, c.a.objects[o], set)
	}
	for _, o := range c.b.sortedObjects() {
		if _, there := c.a.objects[o]; !there {
			c.add(Finding{Grade: Differs, Object: o, What: "it is on the new server only"}, o)
		}
	}
	if err := c.tables(ctx); err != nil {
		return err
	}
	return c.views(ctx)
}

// add gives a finding the place where its object is defined.
func (c *comparison) add(f Finding, o Object) {
	if f.File == "" {
		f = f.at(c.dump.defines[o.key()])
	}
	if f.Grade == Differs && o.Kind == "table" {
		c.differing[strings.ToLower(o.Name)] = or(f.Cause, f.What)
	}
	c.all.add(c.way, f)
}

func (c *comparison) missing(o Object) {
	if c.absent[o.key()] || c.absent[(Object{Kind: "database", Name: o.Schema}).key()] {
		return
	}
	if o.Kind == "trigger" && c.absent[(Object{Kind: "table", Schema: o.Schema, Name: c.a.objects[o]["on_table"]}).key()] {
		return
	}
	c.add(Finding{Grade: Differs, Object: o, What: "it is missing on the new server"}, o)
}

// attributes compares what the servers say of one object.
func (c *comparison) attributes(o Object, old, new attributes) {
	if o.Kind == "account" {
		c.account(o, old, new)
		return
	}
	names := slices.Sorted(maps.Keys(old))
	for name := range new {
		if _, there := old[name]; !there {
			names = append(names, name)
		}
	}
	for _, name := range names {
		before, inOld := old[name]
		after, inNew := new[name]
		if before == after && inOld == inNew {
			continue
		}
		if strings.HasPrefix(name, "check ") && !inOld {
			continue // the old version reads CHECK and forgets it; rows that break it are refused
		}
		if name == "definer" && !c.namesDefiner(o) {
			continue // it is the account that has loaded the dump
		}
		if name == "sql_mode" {
			c.sqlMode(o, before, after)
			continue
		}
		f := Finding{Grade: Differs, Object: o, What: name + " differs", Old: or(before, "(none)"), New: or(after, "(none)")}
		if strings.Contains(name, "collation") && defaultCollations(before, after) {
			f.Grade, c.explain.collations = Note, true
			f.Cause = "the default collation of utf8mb4 is another: " + before + " is " + after + " where a dump names the character set alone"
			f.Todo = "add COLLATE=" + before + " to the dump's lines that name CHARSET=utf8mb4 alone, or sort orders, comparisons and unique keys change"
		}
		if f.Grade == Differs {
			f.Cause, f.Todo = c.explain.structure(name, before, after, c.way)
		}
		c.add(f, o)
	}
}

// namesDefiner says whether the dump names an object's definer.
func (c *comparison) namesDefiner(o Object) bool {
	st, there := c.dump.defines[o.key()]
	return !there || sequence(st.list, "DEFINER") >= 0
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// defaults are the collations that versions give utf8mb4 when none is named.
var defaults = []string{"utf8mb4_general_ci", "utf8mb4_0900_ai_ci", "utf8mb4_uca1400_ai_ci"}

func defaultCollations(a, b string) bool {
	return slices.Contains(defaults, a) && slices.Contains(defaults, b)
}

// sqlMode compares the modes that a routine keeps. Modes that the new version no longer has are dropped by it.
func (c *comparison) sqlMode(o Object, old, new string) {
	gone, lost, gained := []string{}, []string{}, []string{}
	before, after := strings.Split(old, ","), strings.Split(new, ",")
	for _, mode := range before {
		switch {
		case mode == "" || slices.Contains(after, mode):
		case c.explain.modeIsGone(mode):
			gone = append(gone, mode)
		default:
			lost = append(lost, mode)
		}
	}
	for _, mode := range after {
		if mode != "" && !slices.Contains(before, mode) {
			gained = append(gained, mode)
		}
	}
	if len(lost)+len(gained) == 0 {
		c.add(Finding{Grade: Note, Object: o, What: "the new version has dropped " + strings.Join(gone, ", ") + " from its sql_mode, which it no longer has",
			Old: old, New: new}, o)
		return
	}
	f := Finding{Grade: Differs, Object: o, What: "it runs under another sql_mode", Old: old, New: new}
	if c.reload != nil {
		if i, ok := c.reload.modes[o.key()]; ok {
			r := c.reload.refusals[i]
			f = f.at(r.statement)
			f.Cause = fmt.Sprintf("the SET before it was refused (ERROR %d); a load that goes on, as with --force, makes it under the session's own mode", r.number)
			f.Todo = "take the mode that the new version no longer has out of that SET"
		}
	}
	c.add(f, o)
}

func (c *comparison) account(o Object, old, new attributes) {
	if old["plugin"] != new["plugin"] {
		c.add(Finding{Grade: Differs, Object: o, What: "it authenticates by another plug-in", Old: old["plugin"], New: new["plugin"],
			Cause: "the default authentication plug-in is another where a statement names none",
			Todo:  "name the plug-in in the statement, and see that every client knows it"}, o)
	} else if old["authentication"] != new["authentication"] && (old["plugin"] == "mysql_native_password" || c.reload == nil) {
		c.add(Finding{Grade: Differs, Object: o, What: "its password is another"}, o)
	}
	lost, gained := grantDifferences(old, new, c.a.privileges)
	if len(lost) > 0 {
		c.add(Finding{Grade: Differs, Object: o, What: "it has lost " + strings.Join(lost, ", ")}, o)
	}
	if len(gained) > 0 {
		c.add(Finding{Grade: Differs, Object: o, What: "it has gained " + strings.Join(gained, ", ")}, o)
	}
}

// tables compares the rows of every table that both servers have.
func (c *comparison) tables(ctx context.Context) error {
	for _, o := range c.a.sortedObjects() {
		if _, there := c.b.objects[o]; o.Kind != "table" || !there {
			continue
		}
		var shared []column
		for _, col := range c.a.columns[o] {
			if slices.ContainsFunc(c.b.columns[o], func(other column) bool { return strings.EqualFold(other.name, col.name) }) {
				shared = append(shared, col)
			}
		}
		if err := c.rows(ctx, o, shared); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) rows(ctx context.Context, o Object, columns []column) error {
	a, errA := readRows(ctx, c.old, o, columns)
	b, errB := readRows(ctx, c.new, o, columns)
	if errA != nil || errB != nil {
		f := Finding{Grade: Breaks, Object: o, What: "its rows cannot be read", Old: failure(errA), New: failure(errB)}
		if errA != nil {
			f.Grade = Broken
		}
		c.add(f, o)
		return ctx.Err()
	}
	if a.count == b.count && maps.Equal(a.seen, b.seen) {
		return nil
	}
	list, err := differingRows(ctx, c.old, c.new, o, columns, a, b)
	if err != nil {
		return err
	}
	if a.count != b.count {
		f := Finding{Grade: Differs, Object: o, What: fmt.Sprintf("it has %d rows on the old server and %d on the new one", a.count, b.count)}
		if c.reload != nil {
			for _, r := range c.reload.refusals {
				if r.known && r.about.key() == o.key() && r.statement.list[0].is("INSERT", "REPLACE") {
					return nil // told as that INSERT's refusal
				}
			}
		}
		c.add(f, o)
	}
	for _, d := range list {
		f := Finding{Grade: Differs, Object: o, What: d.key + ": the row differs", Old: d.old, New: d.new}
		if d.column != "" {
			f.What = d.key + ": column " + d.column + " differs"
		}
		kind := ""
		for _, col := range columns {
			if col.name == d.column {
				kind = col.kind
			}
		}
		f.Cause, f.Todo = c.explain.value(kind, d, c.way)
		c.add(f, o)
	}
	return nil
}

func failure(err error) string {
	if err == nil {
		return "reads"
	}
	return beginning(err.Error(), shownBytes)
}

// views compares what every view gives.
func (c *comparison) views(ctx context.Context) error {
	for _, o := range c.a.sortedObjects() {
		if _, there := c.b.objects[o]; o.Kind != "view" || !there {
			continue
		}
		query := "SELECT * FROM " + o.quoted()
		a, b, err := c.both(ctx, query)
		if err != nil {
			return err
		}
		f := Finding{Object: o, Old: a.String(), New: b.String(), Number: int(b.number)}
		definition := c.dump.defines[o.key()]
		switch compareAnswers(a, b) {
		case alike, otherOrder: // the order of a view's rows is no promise
			continue
		case bothFail:
			f.Grade, f.What = Broken, "it cannot be read on either version"
		case accepts:
			f.Grade, f.What = Note, "it cannot be read on the old version, and on the new one it can"
		case refuses:
			f.Grade, f.What = Breaks, "it cannot be read on the new version"
			f = c.explain.refused(ctx, f, definition, b, c.new)
		case unlike:
			f.Grade, f.What = Differs, "it gives other rows"
			f.Cause, f.Todo = c.explain.silent(ctx, definition.sql, c.definitions())
		}
		c.add(f, o)
	}
	return nil
}

// both asks both servers.
func (c *comparison) both(ctx context.Context, query string) (a, b answer, err error) {
	if a, err = ask(ctx, c.old.conn, query); err != nil {
		return a, b, fmt.Errorf("%s: %w", c.old.flavor, err)
	}
	if b, err = ask(ctx, c.new.conn, query); err != nil {
		return a, b, fmt.Errorf("%s: %w", c.new.flavor, err)
	}
	return a, b, nil
}

// definitions are the texts that make views and routines, by their names in lower case. A dump makes a table in a view's place
// first, which counts for nothing.
func (c *comparison) definitions() map[string]string {
	out := map[string]string{}
	for key, st := range c.dump.defines {
		if strings.HasPrefix(key, "table ") {
			continue
		}
		out[key[strings.LastIndexAny(key, ". ")+1:]] = st.sql
	}
	return out
}
