package usertables

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/workload"
)

// definition is a table as SHOW CREATE TABLE has it, without its name, and what else belongs to it.
type definition struct {
	statement   string   // as the server has it
	text        string   // without the table's name, foreign keys and the counter; names and collations of the server's own making are alike
	foreignKeys []string // sorted, without names: pt-online-schema-change makes new ones
	keyNames    []string // of the foreign keys
	counter     uint64   // the next AUTO_INCREMENT, 1 when the server says none
	triggers    []string // sorted
	referenced  []string // sorted: foreign keys of other tables to this one
}

var (
	nextKey    = regexp.MustCompile(` AUTO_INCREMENT=(\d+)`)
	foreignKey = regexp.MustCompile("^CONSTRAINT `((?:[^`]|``)*)` (FOREIGN KEY .*)$")
	checkName  = regexp.MustCompile("CONSTRAINT `((?:[^`]|``)*)_chk_(\\d+)`")
	// numberedCheck is MariaDB's name for a CHECK without one; pt-online-schema-change puts _ before every name.
	numberedCheck = regexp.MustCompile("^CONSTRAINT `_*CONSTRAINT_(\\d+)` CHECK")
)

// structure reads a table's definition.
func structure(ctx context.Context, s *server.Server, t workload.Table) (d definition, err error) {
	rows, err := s.Rows(ctx, "SHOW CREATE TABLE "+t.String())
	if err != nil {
		return d, err
	}
	if len(rows) == 0 || rows[0]["Create Table"] == "" {
		return d, fmt.Errorf("no table %s", Display(t))
	}
	list, err := columns(ctx, s, t)
	if err != nil {
		return d, err
	}
	d = define(rows[0]["Create Table"], t.Name)
	d.text = collated(d.text, list)
	if d.triggers, err = triggers(ctx, s, t); err != nil {
		return d, err
	}
	d.referenced, err = references(ctx, s, t)
	return d, err
}

func define(statement, table string) (d definition) {
	d = definition{statement: statement, counter: 1}
	text := strings.Replace(statement, server.Ident(table), "t", 1)
	if next := nextKey.FindStringSubmatch(lastLine(text)); next != nil {
		d.counter, _ = strconv.ParseUint(next[1], 10, 64) // digits of a server's own
	}
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(strings.TrimSpace(line), ",")
		if key := foreignKey.FindStringSubmatch(line); key != nil {
			d.foreignKeys, d.keyNames = append(d.foreignKeys, key[2]), append(d.keyNames, strings.ReplaceAll(key[1], "``", "`"))
			continue
		}
		lines = append(lines, ownCheck(line, table))
	}
	slices.Sort(d.foreignKeys)
	last := len(lines) - 1
	for i, line := range lines {
		if strings.HasPrefix(line, ")") { // the table's options; what follows is partitions
			last = i
		}
	}
	lines[last] = nextKey.ReplaceAllString(lines[last], "")
	d.text = strings.Join(lines, "\n")
	return d
}

// textColumn finds a column's name and type, and the character set and collation behind it.
var textColumn = regexp.MustCompile("(?m)^(`((?:[^`]|``)*)` \\w+(?:\\((?:'(?:[^']|'')*'|[^')])*\\))?)(?: CHARACTER SET \\w+)?(?: COLLATE \\w+)?")

// collated writes the collation of each column that has one, whether the server does or not: it leaves one out that is the
// table's, but remembers that one was given (seen on MySQL 8.0.31), so that the same columns are written in several ways.
func collated(text string, list []column) string {
	return textColumn.ReplaceAllStringFunc(text, func(found string) string {
		match := textColumn.FindStringSubmatch(found)
		for _, c := range list {
			if c.name == strings.ReplaceAll(match[2], "``", "`") && c.collation != "" {
				return match[1] + " COLLATE " + c.collation
			}
		}
		return found
	})
}

// lastLine is the line of a definition that has the table's options.
func lastLine(text string) string {
	options := ""
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, ")") {
			options = line
		}
	}
	return options
}

// ownCheck writes the name of a CHECK alike wherever the server made it of the table's name.
func ownCheck(line, table string) string {
	if numbered := numberedCheck.FindStringSubmatch(line); numbered != nil {
		return strings.Replace(line, numbered[0], "CONSTRAINT `chk_"+numbered[1]+"` CHECK", 1)
	}
	match := checkName.FindStringSubmatch(line)
	if match == nil || !strings.HasPrefix(line, "CONSTRAINT ") {
		return line
	}
	of := strings.ReplaceAll(match[1], "``", "`")
	if strings.Trim(strings.TrimLeft(of, "_"), "_") != strings.Trim(strings.TrimLeft(table, "_"), "_") && of != table {
		return line
	}
	return strings.Replace(line, match[0], "CONSTRAINT `chk_"+match[2]+"`", 1)
}

// triggers are a table's, by what they do and when.
func triggers(ctx context.Context, s *server.Server, t workload.Table) ([]string, error) {
	rows, err := s.Rows(ctx, "SHOW TRIGGERS FROM "+server.Ident(t.Database))
	if err != nil {
		return nil, err
	}
	var list []string
	for _, row := range rows {
		if row["Table"] == t.Name {
			list = append(list, row["Trigger"]+": "+row["Timing"]+" "+row["Event"]+" "+row["Statement"])
		}
	}
	slices.Sort(list)
	return list, nil
}

// references are the foreign keys of other tables to this one, without their names.
func references(ctx context.Context, s *server.Server, t workload.Table) ([]string, error) {
	rows, err := s.Rows(ctx, "SELECT k.TABLE_SCHEMA AS db, k.TABLE_NAME AS name, k.COLUMN_NAME AS col, k.ORDINAL_POSITION AS pos,"+
		" k.REFERENCED_TABLE_NAME AS parent, k.REFERENCED_COLUMN_NAME AS to_col, r.DELETE_RULE AS del, r.UPDATE_RULE AS upd"+
		" FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r"+
		" ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME"+
		" WHERE k.REFERENCED_TABLE_SCHEMA = "+server.Quote(t.Database)+" AND k.REFERENCED_TABLE_NAME = "+server.Quote(t.Name))
	if err != nil {
		return nil, err
	}
	var list []string
	for _, row := range rows {
		if row["parent"] == t.Name && (row["db"] != t.Database || row["name"] != t.Name) {
			list = append(list, fmt.Sprintf("%s.%s (%s, %s) to %s ON DELETE %s ON UPDATE %s",
				row["db"], row["name"], row["col"], row["pos"], row["to_col"], row["del"], row["upd"]))
		}
	}
	slices.Sort(list)
	return list, nil
}

// referring are the other tables with foreign keys to this one.
func referring(ctx context.Context, s *server.Server, t workload.Table) (list []workload.Table, err error) {
	rows, err := s.Rows(ctx, "SELECT DISTINCT TABLE_SCHEMA AS db, TABLE_NAME AS name, REFERENCED_TABLE_NAME AS parent FROM information_schema.KEY_COLUMN_USAGE"+
		" WHERE REFERENCED_TABLE_SCHEMA = "+server.Quote(t.Database)+" AND REFERENCED_TABLE_NAME = "+server.Quote(t.Name))
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		one := workload.Table{Database: row["db"], Name: row["name"]}
		if row["parent"] == t.Name && one != t {
			list = append(list, one)
		}
	}
	return list, nil
}

// counterSlack is how far the next AUTO_INCREMENT may lie above that of the server's own change: servers reserve
// numbers in blocks.
const counterSlack = 64

// differences lists what a definition has otherwise than the one that the server's own ALTER TABLE leaves. besides says
// whether the table is the one that the application uses, with its triggers and the keys that refer to it.
func (d definition) differences(want definition, writes int64, besides bool) []string {
	list := compareLines(want.text, d.text)
	list = append(list, compareSets("foreign key", want.foreignKeys, d.foreignKeys)...)
	if d.counter < want.counter || d.counter > want.counter+counterSlack+2*uint64(writes) {
		list = append(list, fmt.Sprintf("structure: AUTO_INCREMENT is %d; the server's own ALTER TABLE leaves %d", d.counter, want.counter))
	}
	if besides {
		list = append(list, compareSets("trigger", want.triggers, d.triggers)...)
		list = append(list, compareSets("foreign key of another table", want.referenced, d.referenced)...)
	}
	return list
}

func compareSets(what string, want, got []string) (list []string) {
	for _, one := range want {
		if !slices.Contains(got, one) {
			list = append(list, "structure: only the server's own ALTER TABLE leaves the "+what+" "+printable(one))
		}
	}
	for _, one := range got {
		if !slices.Contains(want, one) {
			list = append(list, "structure: only the tool leaves the "+what+" "+printable(one))
		}
	}
	if len(list) == 0 && len(want) != len(got) {
		list = append(list, fmt.Sprintf("structure: the server's own ALTER TABLE leaves %d %ss, the tool %d", len(want), what, len(got)))
	}
	return list
}

// compareLines lists the lines of a definition that the other one lacks.
func compareLines(want, got string) []string {
	if want == got {
		return nil
	}
	var list []string
	missing := func(what, of, in string) {
		have := map[string]bool{}
		for l := range strings.Lines(in) {
			have[strings.TrimSpace(l)] = true
		}
		for l := range strings.Lines(of) {
			if l = strings.TrimSpace(l); !have[l] {
				list = append(list, what+": "+printable(l))
			}
		}
	}
	missing("structure: only the server's own ALTER TABLE makes", want, got)
	missing("structure: only the tool makes", got, want)
	if len(list) == 0 {
		list = append(list, "structure: the columns or keys are in another order than the server's own ALTER TABLE leaves them")
	}
	return list
}
