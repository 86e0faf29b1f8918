package migration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/workload"
)

// check is one part of the oracle.
type check string

// The checks.
const (
	checkRows      check = "rows"      // primary and replica hold the same
	checkLedger    check = "ledger"    // every acknowledged write is there, and nothing else
	checkStructure check = "structure" // as the server's own ALTER TABLE makes it
	checkLeftovers check = "leftovers" // no table or trigger of the tool's remains
)

// objections are the checks that fail once replicas have caught up, by name.
func (f *fixture) objections(ctx context.Context) map[check]error {
	found := map[check]error{}
	note := func(c check, err error) {
		if err != nil {
			found[c] = errors.Join(found[c], err)
		}
	}
	note(checkRows, sameRows(ctx, f.primary, table, f.replica, table))
	for _, one := range []*server.Server{f.primary, f.replica} {
		note(checkLedger, f.complete(ctx, one))
		note(checkStructure, f.hasStructure(ctx, one))
	}
	var kept []string
	if target := f.mode.Target(table.Name); target.Stopped {
		kept = append(kept, target.Table)
	}
	note(checkLeftovers, leftovers(ctx, f.primary))
	note(checkLeftovers, leftovers(ctx, f.replica, kept...))
	return found
}

// sameRows is an error unless two tables hold the same rows, over the columns that both have.
func sameRows(ctx context.Context, a *server.Server, left workload.Table, b *server.Server, right workload.Table) error {
	return workload.Same(ctx, workload.Side{Server: a, Table: left}, workload.Side{Server: b, Table: right}, []string{"id"})
}

// complete is an error unless a server's table holds every acknowledged write and nothing else.
func (f *fixture) complete(ctx context.Context, one *server.Server) error {
	differences, err := f.ledger.Verify(ctx, one, table)
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return fmt.Errorf("server %s: %s", one.Endpoint.Addr(), differences)
	}
	return nil
}

// plantedFault is something that a bad migration could leave, as statements on the replica. %[1]s is the table,
// %[2]d the key of a row.
type plantedFault struct {
	what       string
	plant      string
	detectedBy []check
	alsoHeal   string // beside restoring the row
}

var plantedFaults = []plantedFault{
	{"one row that was changed", "UPDATE %[1]s SET counter = counter + 1 WHERE id = %[2]d", []check{checkRows}, ""},
	{"a write that was lost", "DELETE FROM %[1]s WHERE id = %[2]d", []check{checkRows, checkLedger}, ""},
	{"a payload that was cut short", "UPDATE %[1]s SET payload = 'row' WHERE id = %[2]d", []check{checkRows, checkLedger}, ""},
	{
		"a row that nobody wrote", "INSERT INTO %[1]s (id, seq, payload) VALUES (900000000, 1, 'row')",
		[]check{checkRows, checkLedger}, "DELETE FROM %[1]s WHERE id = 900000000",
	},
	{
		"a column that is too narrow", "ALTER TABLE %[1]s MODIFY COLUMN payload VARCHAR(190) NOT NULL",
		[]check{checkStructure}, "ALTER TABLE %[1]s MODIFY COLUMN payload VARCHAR(200) NOT NULL",
	},
	{
		"an index that is missing", "ALTER TABLE %[1]s DROP INDEX counter",
		[]check{checkStructure}, "ALTER TABLE %[1]s ADD INDEX counter (counter)",
	},
	{
		"a ghost table that was left", "CREATE TABLE " + database + "._orders_gho LIKE %[1]s",
		[]check{checkLeftovers}, "DROP TABLE " + database + "._orders_gho",
	},
	{
		"a trigger that was left", "CREATE TRIGGER " + database + ".pt_osc_del AFTER DELETE ON %[1]s FOR EACH ROW SET @seen = 1",
		[]check{checkLeftovers}, "DROP TRIGGER " + database + ".pt_osc_del",
	},
}

// The oracle is put to the test as well: whatever a bad migration could leave is planted, and must be found.
var _ = Describe("oracle", func() {
	It("detects every planted fault, and reports none on intact tables", func(ctx SpecContext) {
		driver := cellDriver()
		f := setUp(ctx, driver, driver.Describe().PrimaryModes[0], setup{rows: rows})
		suitekit.NoFault(f.primary.Exec(ctx, "ALTER TABLE "+table.String()+" "+change))
		suitekit.NoFault(f.load(ctx).Stop())
		suitekit.NoFault(f.WaitCaughtUp(ctx))
		Expect(f.objections(ctx)).To(BeEmpty())
		key, err := f.unchangedRow(ctx)
		suitekit.NoFault(err)
		for _, one := range plantedFaults {
			suitekit.NoFault(f.unlogged(ctx, key, one.plant))
			var detected []check
			for c := range f.objections(ctx) {
				detected = append(detected, c)
			}
			Expect(detected).To(ConsistOf(one.detectedBy), one.what)
			suitekit.NoFault(f.unlogged(ctx, key, one.alsoHeal, "REPLACE INTO %[1]s SELECT * FROM "+model.String()+" WHERE id = %[2]d"))
		}
		Expect(f.objections(ctx)).To(BeEmpty(), "after all faults were removed")
	})
})

// unchangedRow is the key of a row that no writer has changed; a copy of it is put into the replica's model
// table, to restore the row from.
func (f *fixture) unchangedRow(ctx context.Context) (int64, error) {
	var key int64
	if err := f.replica.DB.QueryRowContext(ctx, "SELECT MIN(id) FROM "+table.String()+" WHERE seq = 0").Scan(&key); err != nil {
		return 0, fmt.Errorf("find a row that was not changed: %w", err)
	}
	return key, f.unlogged(ctx, key, "INSERT INTO "+model.String()+" SELECT * FROM %[1]s WHERE id = %[2]d")
}

// unlogged runs statements on the replica alone.
func (f *fixture) unlogged(ctx context.Context, key int64, statements ...string) error {
	var list []string
	for _, statement := range statements {
		if statement != "" {
			list = append(list, strings.NewReplacer("%[1]s", table.String(), "%[2]d", fmt.Sprint(key)).Replace(statement))
		}
	}
	return f.replica.Unlogged(ctx, list...)
}
