package usertables

import (
	"cmp"
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
	// scratchDatabase holds copies that a table is made again from.
	scratchDatabase = "matrix_scratch"
)

// standing are databases that every sandbox has.
var standing = []string{"mysql", "sys", "information_schema", "performance_schema", sandbox.ProofDatabase}

// tables lists the base tables that are no server's own, by database and name. Names are ordered by their bytes: two
// may differ in case alone.
func tables(ctx context.Context, s *server.Server) ([]workload.Table, error) {
	rows, err := s.Rows(ctx, "SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name FROM information_schema.TABLES"+
		" WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN ('"+strings.Join(standing, "', '")+"', '"+
		scratchDatabase+"', '"+workload.HeartbeatDatabase+"')")
	if err != nil {
		return nil, err
	}
	var list []workload.Table
	for _, row := range rows {
		list = append(list, workload.Table{Database: row["db"], Name: row["name"]})
	}
	slices.SortFunc(list, func(a, b workload.Table) int {
		return cmp.Or(strings.Compare(a.Database, b.Database), strings.Compare(a.Name, b.Name))
	})
	return list, nil
}

func countRows(ctx context.Context, s *server.Server, t workload.Table) (n int64, err error) {
	if err = s.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+t.String()).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the rows of %s on %s: %w", Display(t), s.Endpoint.Addr(), err)
	}
	return n, nil
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
