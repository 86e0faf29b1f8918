package workload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// KeyColumn is a column of the key by which the statements for a Typed table name a row.
type KeyColumn struct {
	Name string
	Of   func(row int64) string // its literal in a row; different rows differ in at least one of the key's columns
}

// ValueColumn is a column that goes through a list of literals, the edges of its type among them.
type ValueColumn struct {
	Name   string
	Values []string
}

// Typed is a table of any types, as its writers see it.
type Typed struct {
	Name   string
	Key    []KeyColumn
	Values []ValueColumn
	// More are statements beside the usual ones, each for one row: %[1]s is the condition that names a row,
	// %[2]d its number.
	More []string
}

// ID is the key of most tables: the row's number.
func ID(name string) []KeyColumn {
	return []KeyColumn{{name, func(row int64) string { return fmt.Sprint(row) }}}
}

// literals are the values of a row; at shifts them, so that one row gets others than the next.
func (t Typed) literals(row, at int64) (names, values []string) {
	for _, key := range t.Key {
		names, values = append(names, key.Name), append(values, key.Of(row))
	}
	for i, c := range t.Values {
		// Shifted by the column as well, so that edges meet in one row in more than one way.
		names = append(names, c.Name)
		values = append(values, c.Values[(at+int64(i)*(at/int64(len(c.Values))))%int64(len(c.Values))])
	}
	return names, values
}

func (t Typed) where(row int64) string {
	terms := make([]string, len(t.Key))
	for i, key := range t.Key {
		terms[i] = key.Name + " = " + key.Of(row)
	}
	return strings.Join(terms, " AND ")
}

// insert is an INSERT or REPLACE of one row.
func (t Typed) insert(verb string, row, at int64) string {
	names, values := t.literals(row, at)
	return fmt.Sprintf("%s INTO %s (%s) VALUES (%s)", verb, t.Name, strings.Join(names, ", "), strings.Join(values, ", "))
}

func (t Typed) set(columns []ValueColumn, at int64) string {
	terms := make([]string, len(columns))
	for i, c := range columns {
		terms[i] = c.Name + " = " + c.Values[at%int64(len(c.Values))]
	}
	return strings.Join(terms, ", ")
}

// Seed are INSERTs of the rows 1 to n.
func (t Typed) Seed(n int) []string {
	var list []string
	for from := 1; from <= n; from += seedBatch {
		var rows []string
		var names []string
		for row := from; row < from+seedBatch && row <= n; row++ {
			columns, values := t.literals(int64(row), int64(row))
			names, rows = columns, append(rows, "("+strings.Join(values, ", ")+")")
		}
		list = append(list, fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", t.Name, strings.Join(names, ", "), strings.Join(rows, ", ")))
	}
	return list
}

// seedBatch is small enough for rows of 64 kB.
const seedBatch = 100

// Course is after how many transactions of its script every edge of every column was inserted and updated.
func (t Typed) Course() int {
	longest := 0
	for _, c := range t.Values {
		longest = max(longest, len(c.Values))
	}
	return (longest + 1) * (len(verbs) + len(t.More))
}

// verb is a kind of statement. at tells which literals it takes.
type verb struct {
	fresh bool // it makes a row that was not there, and is told its number
	text  func(t Typed, row, fresh, at int64) string
}

// verbs are the kinds of statement that a script goes through.
var verbs = []verb{
	{true, func(t Typed, _, fresh, at int64) string { return t.insert("INSERT", fresh, at) }},
	{false, func(t Typed, row, _, at int64) string {
		return fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.Name, t.set(t.Values, at), t.where(row))
	}},
	{false, func(t Typed, row, _, at int64) string {
		one := t.Values[at%int64(len(t.Values)):][:1]
		return fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.Name, t.set(one, at/int64(len(t.Values))), t.where(row))
	}},
	{true, func(t Typed, row, fresh, _ int64) string {
		terms := make([]string, len(t.Key))
		for i, key := range t.Key {
			terms[i] = key.Name + " = " + key.Of(fresh)
		}
		return fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.Name, strings.Join(terms, ", "), t.where(row))
	}},
	{false, func(t Typed, row, _, at int64) string { return t.insert("REPLACE", row, at) }},
	{false, func(t Typed, row, _, at int64) string { return t.insert("INSERT IGNORE", row, at) }},
	{false, func(t Typed, row, _, at int64) string {
		return t.insert("INSERT", row, at) + " ON DUPLICATE KEY UPDATE " + t.set(t.Values, at+1)
	}},
	{false, func(t Typed, row, _, _ int64) string {
		return fmt.Sprintf("DELETE FROM %s WHERE %s", t.Name, t.where(row))
	}},
}

// Script goes through all kinds of statement and all edges, on rows drawn from those of one stripe: the rows
// that are index modulo stripes. n rows were seeded.
func (t Typed) Script(seed int64, n int, index, stripes int64) Script {
	random := rand.New(rand.NewPCG(uint64(seed), uint64(index)))
	list := slices.Clone(verbs)
	for _, text := range t.More {
		list = append(list, verb{false, func(t Typed, row, _, _ int64) string {
			return strings.NewReplacer("%[1]s", t.where(row), "%[2]d", fmt.Sprint(row)).Replace(text)
		}})
	}
	highest, step := int64(n)/stripes, int64(0) // rows of the stripe that were there at some time
	return func() Transaction {
		next, at := list[step%int64(len(list))], step/int64(len(list))
		step++
		row := (random.Int64N(highest)+1)*stripes - index // from 1
		if next.fresh {
			highest++
		}
		return Statement(next.text(t, row, highest*stripes-index, at))
	}
}
