package migration_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/workload"
)

const plainTable = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, v VARCHAR(40)) DEFAULT CHARSET=utf8mb4"

var plainTyped = workload.Typed{Name: "t", Values: plain, Key: workload.ID("id")}

// How rows are written, on a table that is nothing special.
var workloadScenarios = []scenario{
	{
		group: "workload", name: "eight writers with every kind of statement, at 500 a second",
		create: one(plainTable),
		alter:  adding + ", ADD KEY a (a)",
		typed:  plainTyped,
		rows:   800,
		scripts: func(seed int64) []workload.Script {
			scripts := make([]workload.Script, 8)
			for i := range scripts {
				scripts[i] = plainTyped.Script(seed, 800, int64(i), int64(len(scripts)))
			}
			return scripts
		},
		rate:   500,
		course: 800,
		spread: spreadAll,
		inPR:   true,
	},
	{
		group: "workload", name: "transactions of 10,000 rows",
		create:  one(plainTable),
		alter:   adding,
		typed:   plainTyped,
		scripts: large,
		course:  60,
		is:      migration.CaseLargeTransactions,
	},
	{
		group: "workload", name: "rolled-back transactions and savepoints leave nothing",
		create:  one(plainTable),
		alter:   adding,
		typed:   plainTyped,
		scripts: undoing,
		course:  80,
	},
	{
		group: "workload", name: "eight writers change the same three rows",
		create:  one(plainTable),
		alter:   adding,
		typed:   plainTyped,
		scripts: hot,
		rate:    400,
		course:  400,
	},
	{
		group: "workload", name: "rows swap their unique values", finds: true,
		create:  one("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, u INT NULL, a INT NOT NULL, v VARCHAR(40), UNIQUE KEY u (u)) DEFAULT CHARSET=utf8mb4"),
		alter:   adding,
		typed:   workload.Typed{Name: "t", Values: plain, Key: []workload.KeyColumn{workload.ID("id")[0], keyed("u", "%d")}},
		scripts: swapping,
		course:  150,
		// Values that are on their way while their rows are copied are what this is about: many at any time.
		rate: 300,
	},
}

// large has three transactions of 10,000 rows, among small ones on other rows.
func large(seed int64) []workload.Script {
	small := plainTyped.Script(seed, seedRows, 0, 1)
	const rows, from = 10_000, 1_000_000
	big := [][]string{
		{}, // INSERTs of 1,000 rows
		{fmt.Sprintf("UPDATE t SET a = a + 1, v = 'updated' WHERE id >= %d", from)},
		{fmt.Sprintf("DELETE FROM t WHERE id >= %d", from)},
	}
	for at := from; at < from+rows; at += 1000 {
		values := make([]string, 1000)
		for i := range values {
			values[i] = fmt.Sprintf("(%d, %d, 'row of a large transaction')", at+i, i)
		}
		big[0] = append(big[0], "INSERT INTO t (id, a, v) VALUES "+strings.Join(values, ", "))
	}
	n := 0
	return []workload.Script{func() workload.Transaction {
		n++
		// The first is written before the tool follows, or while it does; the others once it does.
		if n%15 == 0 && n/15 <= len(big) {
			return transaction(big[n/15-1]...)
		}
		return small()
	}}
}

// transaction wraps statements.
func transaction(statements ...string) workload.Transaction {
	return workload.Transaction{Statements: append(append([]string{"BEGIN"}, statements...), "COMMIT")}
}

// undoing has transactions that are rolled back in whole or in part.
func undoing(seed int64) []workload.Script {
	usual := plainTyped.Script(seed, seedRows, 0, 1)
	next := func() string { return usual().Statements[0] }
	n := 0
	return []workload.Script{func() workload.Transaction {
		n++
		switch n % 4 {
		case 0:
			return transaction(next(), next(), next())
		case 1:
			return workload.Transaction{Statements: []string{"BEGIN", next(), next(), "ROLLBACK"}}
		case 2:
			return transaction(next(), "SAVEPOINT a", next(), next(), "ROLLBACK TO SAVEPOINT a", next())
		default:
			return transaction("SAVEPOINT a", next(), "SAVEPOINT b", next(), "RELEASE SAVEPOINT a",
				fmt.Sprintf("UPDATE t SET a = %d WHERE id = %d", n, 1+n%seedRows))
		}
	}}
}

// hot adds to a few rows: in whatever order that is done, the sums are the same.
func hot(seed int64) []workload.Script {
	scripts := make([]workload.Script, 8)
	for i := range scripts {
		random := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
		scripts[i] = func() workload.Transaction {
			row := 1 + random.IntN(3)
			if random.IntN(4) > 0 {
				return workload.Statement(fmt.Sprintf("UPDATE t SET a = a + %d WHERE id = %d", 1+random.IntN(9), row))
			}
			// In the order of keys, so that writers wait for each other instead of failing.
			return transaction(
				fmt.Sprintf("UPDATE t SET a = a - 1 WHERE id = %d", row),
				fmt.Sprintf("UPDATE t SET a = a + 1 WHERE id = %d", row+1))
		}
	}
	return scripts
}

// swapping exchanges the unique values of eight pairs of rows in each transaction.
func swapping(seed int64) []workload.Script {
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	return []workload.Script{func() workload.Transaction {
		var statements []string
		for range 8 {
			a, b := 1+random.IntN(seedRows), 1+random.IntN(seedRows-1)
			if b >= a {
				b++ // another one than a
			}
			statements = append(statements,
				fmt.Sprintf("SELECT u INTO @a FROM t WHERE id = %d FOR UPDATE", a),
				fmt.Sprintf("SELECT u INTO @b FROM t WHERE id = %d FOR UPDATE", b),
				fmt.Sprintf("UPDATE t SET u = NULL WHERE id = %d", a),
				fmt.Sprintf("UPDATE t SET u = @a WHERE id = %d", b),
				fmt.Sprintf("UPDATE t SET u = @b WHERE id = %d", a))
		}
		return transaction(statements...)
	}}
}
