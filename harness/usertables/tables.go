package usertables

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/workload"
)

const (
	// DefaultDatabase takes the tables of a dump that names no database.
	DefaultDatabase = "own"
	// scratchDatabase holds copies that a table is compared with.
	scratchDatabase = "matrix_scratch"
)

// tables lists the base tables that a dump has made, by database and name.
func tables(ctx context.Context, s *server.Server) ([]workload.Table, error) {
	rows, err := s.Rows(ctx, "SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name FROM information_schema.TABLES"+
		" WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema',"+
		" 'performance_schema', "+server.Quote(sandbox.ProofDatabase)+", "+server.Quote(scratchDatabase)+")"+
		" ORDER BY TABLE_SCHEMA, TABLE_NAME")
	if err != nil {
		return nil, err
	}
	var list []workload.Table
	for _, row := range rows {
		list = append(list, workload.Table{Database: row["db"], Name: row["name"]})
	}
	return list, nil
}

// Display is a table's name for people: dotted, and quoted where a part has more than letters, digits and _.
func Display(t workload.Table) string {
	part := func(name string) string {
		if plainName.MatchString(name) {
			return name
		}
		return printable(server.Ident(name))
	}
	return part(t.Database) + "." + part(t.Name)
}

var plainName = regexp.MustCompile(`^[0-9A-Za-z_$]+$`)

// Patterns choose tables by name, or by database and name joined by a dot. * stands for any text, ? for one
// character; all else, whatever names may have, for itself.
type Patterns []string

var wildcards = strings.NewReplacer(`\*`, `.*`, `\?`, `.`)

func matches(pattern, name string) bool {
	return regexp.MustCompile(`(?s)^` + wildcards.Replace(regexp.QuoteMeta(pattern)) + `$`).MatchString(name)
}

// choose keeps the tables that a pattern matches, all of them without a pattern. A pattern that matches none is
// a mistake.
func (p Patterns) choose(all []workload.Table) ([]workload.Table, error) {
	if len(p) == 0 {
		return all, nil
	}
	var chosen []workload.Table
	used := make([]bool, len(p))
	for _, table := range all {
		matched := false
		for i, one := range p {
			if matches(one, table.Name) || matches(one, table.Database+"."+table.Name) {
				used[i], matched = true, true
			}
		}
		if matched {
			chosen = append(chosen, table)
		}
	}
	for i, one := range p {
		if !used[i] {
			return nil, fmt.Errorf("no table matches %q; there are %s", one, some(all))
		}
	}
	return chosen, nil
}

// some names the first few tables.
func some(all []workload.Table) string {
	const few = 10
	var names []string
	for i, table := range all {
		if i == few {
			names = append(names, fmt.Sprintf("%d more", len(all)-few))
			break
		}
		names = append(names, Display(table))
	}
	return strings.Join(names, ", ")
}

// key is what identifies a table's rows: the primary key, else the first unique key without a column that can be
// NULL, else (for a tool that changes such a table) nothing.
func key(ctx context.Context, s *server.Server, t workload.Table) ([]string, error) {
	rows, err := s.Rows(ctx, "SELECT INDEX_NAME AS name, COLUMN_NAME AS col, NULLABLE AS nullable, SUB_PART AS part"+
		" FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 AND TABLE_SCHEMA = "+server.Quote(t.Database)+
		" AND TABLE_NAME = "+server.Quote(t.Name)+" ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX")
	if err != nil {
		return nil, err
	}
	var name string
	var columns []string
	usable := true
	for _, row := range rows {
		if row["name"] != name {
			if len(columns) > 0 && usable {
				return columns, nil
			}
			name, columns, usable = row["name"], nil, true
		}
		_, prefixed := row["part"]
		if row["nullable"] == "YES" || row["col"] == "" || prefixed {
			usable = false // NULLs and prefixes repeat; a functional index has no column
		}
		columns = append(columns, row["col"])
	}
	if !usable {
		return nil, nil
	}
	return columns, nil
}

// ownColumns are a table's columns that are stored as given: generated ones take no values.
func ownColumns(ctx context.Context, s *server.Server, t workload.Table) (string, error) {
	rows, err := s.Rows(ctx, "SELECT COLUMN_NAME AS name, EXTRA AS extra FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = "+
		server.Quote(t.Database)+" AND TABLE_NAME = "+server.Quote(t.Name)+" ORDER BY ORDINAL_POSITION")
	if err != nil {
		return "", err
	}
	var names []string
	for _, row := range rows {
		// "VIRTUAL GENERATED", "STORED GENERATED"; MySQL's "DEFAULT_GENERATED" is an ordinary column.
		if extra := row["extra"]; strings.Contains(extra, "VIRTUAL GENERATED") || strings.Contains(extra, "STORED GENERATED") {
			continue
		}
		names = append(names, server.Ident(row["name"]))
	}
	return strings.Join(names, ", "), nil
}

var (
	// nextKey is the one part of a table's definition that tells of its rows and not of its structure.
	nextKey = regexp.MustCompile(` AUTO_INCREMENT=\d+`)
	// ownChecks are constraints that the server named after the table.
	ownChecks = regexp.MustCompile("CONSTRAINT `(?:[^`]|``)*_chk_(\\d+)`")
)

// definition is a table as SHOW CREATE TABLE has it, without its name, the next generated key and the names that
// are derived from the table's.
type definition struct {
	text        string
	foreignKeys []string // sorted, without names: pt-online-schema-change makes new ones
}

// foreignKey is a line of SHOW CREATE TABLE.
var foreignKey = regexp.MustCompile("^CONSTRAINT `(?:[^`]|``)*` (FOREIGN KEY .*)$")

func structure(ctx context.Context, s *server.Server, t workload.Table) (d definition, err error) {
	rows, err := s.Rows(ctx, "SHOW CREATE TABLE "+t.String())
	if err != nil {
		return d, err
	}
	if len(rows) == 0 {
		return d, fmt.Errorf("no table %s", Display(t))
	}
	return define(rows[0]["Create Table"], t.Name), nil
}

func define(statement, name string) (d definition) {
	text := strings.Replace(statement, server.Ident(name), "t", 1)
	text = ownChecks.ReplaceAllString(nextKey.ReplaceAllString(text, ""), "CONSTRAINT `chk_$1`")
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(strings.TrimSpace(line), ",")
		if key := foreignKey.FindStringSubmatch(line); key != nil {
			d.foreignKeys = append(d.foreignKeys, key[1])
			continue
		}
		lines = append(lines, line)
	}
	slices.Sort(d.foreignKeys)
	d.text = strings.Join(lines, "\n")
	return d
}
