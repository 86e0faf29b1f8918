package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Every call sees the same time of day, and rolls back what it has written.
var callSettings = []string{"SET SESSION sql_mode = DEFAULT", "SET SESSION timestamp = 1577934245", "SET SESSION rand_seed1 = 7, rand_seed2 = 11",
	"SET SESSION foreign_key_checks = 0", "SET SESSION autocommit = 0"}

// parameters are the values that a routine is called with, by type. Two calls are made, with other values.
var parameters = []struct {
	types  []string
	values [2]string
}{
	{[]string{"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "numeric", "float", "double", "bit", "year"}, [2]string{"1", "2"}},
	{[]string{"date"}, [2]string{"'2020-01-02'", "'2021-02-03'"}},
	{[]string{"datetime", "timestamp"}, [2]string{"'2020-01-02 03:04:05'", "'2021-02-03 04:05:06'"}},
	{[]string{"time"}, [2]string{"'03:04:05'", "'00:00:01'"}},
	{[]string{"json"}, [2]string{`'{"a": 1}'`, `'[1, 2]'`}},
	{[]string{"point", "geometry"}, [2]string{"ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(3 4)')"}},
	{[]string{"linestring"}, [2]string{"ST_GeomFromText('LINESTRING(1 2,3 4)')", "ST_GeomFromText('LINESTRING(0 0,1 1)')"}},
	{[]string{"polygon"}, [2]string{"ST_GeomFromText('POLYGON((0 0,0 1,1 1,0 0))')", "ST_GeomFromText('POLYGON((0 0,0 2,2 2,0 0))')"}},
	{[]string{"enum", "set"}, [2]string{"NULL", "NULL"}},
}

func parameterValue(dataType string, turn int) string {
	for _, p := range parameters {
		if slices.Contains(p.types, strings.ToLower(dataType)) {
			return p.values[turn]
		}
	}
	return [2]string{"'a'", "'1'"}[turn]
}

// activities calls every routine, fires every trigger and parses every event on both servers.
func (c *comparison) activities(ctx context.Context) error {
	for _, o := range c.a.sortedObjects() {
		set, there := c.b.objects[o]
		if !there {
			continue
		}
		var err error
		switch o.Kind {
		case "procedure", "function":
			err = c.routine(ctx, o)
		case "trigger":
			err = c.trigger(ctx, o, set)
		case "event":
			err = c.event(ctx, o, set)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", o, err)
		}
	}
	return nil
}

// fresh gives both sides a session with the settings of calls.
func (c *comparison) fresh(ctx context.Context, schema string, settings []string) error {
	for _, s := range []*side{c.old, c.new} {
		if err := s.again(ctx); err != nil {
			return err
		}
		if schema != "" {
			// A database that the new server refused to make is not there: what is asked in it fails, and is told.
			if _, err := ask(ctx, s.conn, "USE "+quote(schema)); err != nil {
				return err
			}
		}
		if err := execAll(ctx, s.conn, settings...); err != nil {
			return fmt.Errorf("%s: %w", s.flavor, err)
		}
	}
	return nil
}

func (c *comparison) rollback(ctx context.Context) error {
	for _, s := range []*side{c.old, c.new} {
		if err := execAll(ctx, s.conn, "ROLLBACK"); err != nil {
			return err
		}
	}
	return nil
}

// routine calls a routine. One that runs statements from text is only loaded, since what it would do cannot be told.
func (c *comparison) routine(ctx context.Context, o Object) error {
	definition := c.dump.defines[o.key()]
	if definition.sql == "" {
		definition.list = lex(c.a.objects[o]["body"])
	}
	why := reach(definition.list, o.Schema)
	a, err := must(ctx, c.old.conn, "SELECT PARAMETER_MODE, DATA_TYPE FROM information_schema.PARAMETERS WHERE ORDINAL_POSITION > 0 AND SPECIFIC_SCHEMA = "+
		literal(o.Schema)+" AND SPECIFIC_NAME = "+literal(o.Name)+" AND ROUTINE_TYPE = "+literal(strings.ToUpper(o.Kind))+" ORDER BY ORDINAL_POSITION")
	if err != nil {
		return err
	}
	if why != "" || indirect(definition.list) {
		c.add(Finding{Grade: Note, Object: o, What: "it was not called, only read: " + or(why, "it runs statements that are made while it runs")}, o)
		return nil
	}
	for turn := range 2 {
		var arguments []string
		for i, row := range a.rows {
			if mode := string(row[0]); mode == "OUT" || mode == "INOUT" {
				arguments = append(arguments, "@p"+strconv.Itoa(i))
				continue
			}
			arguments = append(arguments, parameterValue(string(row[1]), turn))
		}
		call := o.quoted() + "(" + strings.Join(arguments, ", ") + ")"
		if o.Kind == "procedure" {
			call = "CALL " + call
		} else {
			call = "SELECT " + call
		}
		told, err := c.call(ctx, o, call, definition)
		if err != nil || told || len(a.rows) == 0 {
			return err
		}
	}
	return nil
}

// call makes one call on both servers; told says that they differ.
func (c *comparison) call(ctx context.Context, o Object, call string, definition statement) (told bool, err error) {
	if err := c.fresh(ctx, o.Schema, callSettings); err != nil {
		return false, err
	}
	a, b, err := c.both(ctx, call)
	if err != nil {
		return false, err
	}
	if err := c.rollback(ctx); err != nil {
		return false, err
	}
	f := Finding{Object: o, Old: a.String(), New: b.String()}
	switch compareAnswers(a, b) {
	case bothFail, alike, accepts:
		return false, nil
	case otherOrder:
		f.Grade, f.What = Order, call+" gives its rows in another order"
	case unlike:
		if steady, err := c.steady(ctx, o.Schema, call, a); err != nil || !steady {
			return false, err
		}
		f.Grade, f.What = Differs, call+" gives something else"
		f.Cause, f.Todo = c.explain.silent(ctx, definition.sql, c.definitions())
	case refuses:
		f.Grade, f.What = Breaks, call+" fails on the new version"
		f = c.explain.refused(ctx, f, definition, b, c.new)
	}
	c.add(f, o)
	return true, nil
}

// steady says whether the old server gives the same answer again: one that it does not cannot be compared.
func (c *comparison) steady(ctx context.Context, schema, query string, before answer) (bool, error) {
	conn, err := c.old.session(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close() // its answer was read
	settings := callSettings
	if schema != "" {
		settings = append([]string{"USE " + quote(schema)}, settings...)
	}
	if err := execAll(ctx, conn, settings...); err != nil {
		return false, err
	}
	again, err := ask(ctx, conn, query)
	if err != nil {
		return false, err
	}
	return compareAnswers(before, again) == alike, execAll(ctx, conn, "ROLLBACK")
}

func literal(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
}

// trigger fires a trigger on both servers, and rolls back.
func (c *comparison) trigger(ctx context.Context, o Object, set attributes) error {
	table := Object{"table", o.Schema, set["on_table"]}
	columns := c.a.columns[table]
	if len(columns) == 0 || indirect(lex(set["body"])) || reach(lex(set["body"]), o.Schema) != "" {
		c.add(Finding{Grade: Note, Object: o, What: "it was not fired"}, o)
		return nil
	}
	statement := firing(set["event"], table, columns)
	if err := c.fresh(ctx, o.Schema, append(slices.Clone(callSettings), "SET SESSION sql_mode = ''")); err != nil {
		return err
	}
	a, b, err := c.both(ctx, statement)
	if err != nil {
		return err
	}
	sums := [2]int{}
	for i, s := range []*side{c.old, c.new} {
		for other, columns := range c.a.columns {
			if _, there := c.b.objects[other]; !there || other.Kind != "table" || other.Schema != o.Schema {
				continue
			}
			n, err := ask(ctx, s.conn, "SELECT COUNT(*) FROM "+other.quoted())
			if err != nil {
				return err
			}
			if len(n.rows) == 1 && len(columns) > 0 {
				count, _ := strconv.Atoi(string(n.rows[0][0]))
				sums[i] += count
			}
		}
	}
	if err := c.rollback(ctx); err != nil {
		return err
	}
	f := Finding{Object: o, Old: a.String(), New: b.String()}
	switch kind := compareAnswers(a, b); {
	case kind == refuses:
		f.Grade, f.What = Breaks, "it fails on the new version when it is fired"
		f = c.explain.refused(ctx, f, c.dump.defines[o.key()], b, c.new)
	case kind == alike && sums[0] != sums[1]:
		f.Grade, f.What = Differs, "fired on both, it leaves another number of rows"
		f.Old, f.New = strconv.Itoa(sums[0]), strconv.Itoa(sums[1])
	default:
		return nil
	}
	c.add(f, o)
	return nil
}

// firing is a statement that fires a table's triggers of one event.
func firing(event string, table Object, columns []column) string {
	switch event {
	case "DELETE":
		return "DELETE FROM " + table.quoted() + " LIMIT 1"
	case "UPDATE":
		for _, col := range columns {
			if !col.generated {
				return "UPDATE " + table.quoted() + " SET " + quote(col.name) + " = " + quote(col.name) + " LIMIT 1"
			}
		}
	}
	var names, values []string
	for _, col := range columns {
		if col.generated || col.auto {
			continue
		}
		value := parameterValue(col.kind, 0)
		if col.key == "PRI" || col.key == "UNI" {
			value = map[bool]string{true: "101", false: "'~1'"}[value == "1"]
		}
		if value == "NULL" && !col.nullable {
			value = "1"
		}
		names, values = append(names, quote(col.name)), append(values, value)
	}
	return "INSERT INTO " + table.quoted() + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
}

// event has both servers parse what an event does: some keep its text without a look at it.
func (c *comparison) event(ctx context.Context, o Object, set attributes) error {
	statement := "CREATE EVENT " + quote(o.Schema) + "." + quote("matrix_probe") + " ON SCHEDULE AT '2037-01-01' DISABLE DO " + set["body"]
	if err := c.fresh(ctx, o.Schema, []string{"SET SESSION sql_mode = " + literal(set["sql_mode"])}); err != nil {
		return err
	}
	a, b, err := c.both(ctx, statement)
	if err != nil {
		return err
	}
	for _, s := range []*side{c.old, c.new} {
		if _, err := ask(ctx, s.conn, "DROP EVENT IF EXISTS "+quote(o.Schema)+"."+quote("matrix_probe")); err != nil {
			return err
		}
	}
	if compareAnswers(a, b) == refuses {
		f := Finding{Grade: Breaks, Object: o, What: "the new version cannot parse what it does", Old: "parses", New: b.String()}
		c.add(c.explain.refused(ctx, f, c.dump.defines[o.key()], b, c.new), o)
	}
	return nil
}
