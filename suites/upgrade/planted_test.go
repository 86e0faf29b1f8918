package upgrade_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/upgrade"
)

// planted are differences that the comparison must find, each with the object that it must name.
var planted = []struct {
	what, object string
	statements   []string
}{
	{"a changed value", "table shop.orders", []string{"UPDATE shop.orders SET weight = 0.2 WHERE id = 1"}},
	{"a lost row of a table without a key", "table shop.keyless", []string{"DELETE FROM shop.keyless WHERE a = 1 LIMIT 1"}},
	{"a lost grant", "account clerk@localhost", []string{"REVOKE INSERT ON shop.* FROM 'clerk'@'localhost'"}},
	{"a lost grant on a column", "account clerk@localhost", []string{"REVOKE UPDATE (note) ON shop.orders FROM 'clerk'@'localhost'"}},
	{"a lost trigger", "trigger shop.told", []string{"DROP TRIGGER shop.told"}},
	{"another collation of a column", "table shop.orders", []string{"ALTER TABLE shop.orders MODIFY customer VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"}},
	{"another definer of an event", "event shop.nightly", []string{"ALTER DEFINER = 'clerk'@'localhost' EVENT shop.nightly COMMENT ''"}},
	{"a lost index", "table shop.orders", []string{"ALTER TABLE shop.orders DROP KEY by_customer"}},
	{"a lost foreign key", "table shop.parts", []string{"ALTER TABLE shop.parts DROP FOREIGN KEY of_order"}},
	{"another body of a function", "function shop.total", []string{"DROP FUNCTION shop.total", "CREATE FUNCTION shop.total(n INT) RETURNS DECIMAL(12,2) READS SQL DATA RETURN n"}},
	{"another SQL mode of a procedure", "procedure shop.names", []string{"SET SESSION sql_mode = 'ANSI_QUOTES'", "DROP PROCEDURE shop.names",
		"CREATE PROCEDURE shop.names(IN n INT) BEGIN SELECT customer FROM orders WHERE id <= n ORDER BY id; END"}},
	{"a view that gives other rows", "view shop.dear", []string{"ALTER VIEW shop.dear AS SELECT id, customer FROM shop.orders WHERE price > -1000000000"}},
	{"a lost account", "account clerk@localhost", []string{"DROP USER 'clerk'@'localhost'"}},
	{"a lost partition", "table shop.history", []string{"ALTER TABLE shop.history REORGANIZE PARTITION p0, p1 INTO (PARTITION p1 VALUES LESS THAN MAXVALUE)"}},
}

var _ = Describe("the comparison", func() {
	It("finds nothing between two servers that hold the same, and each planted difference", Label(cell.LabelFull), func(ctx SpecContext) {
		var all servers
		golden := suitekit.Golden(sandbox.ProfileDurable)
		old := all.loaded(ctx, golden)
		other := all.loaded(ctx, golden)
		equal(ctx, old, other)
		Expect(other.Stop(ctx)).To(Succeed())
		for _, p := range planted {
			spoilt := all.clone(golden, other.DataDir())
			suitekit.NoFault(spoilt.Start(ctx))
			suitekit.NoFault(upgrade.Exec(ctx, spoilt, p.statements...))
			found, err := upgrade.Compare(ctx, old, spoilt, upgrade.WayInPlace)
			suitekit.NoFault(err)
			var named []string
			for _, f := range upgrade.Counted(found) {
				named = append(named, f.Object.String())
			}
			Expect(named).To(ContainElement(p.object), fmt.Sprintf("%s must be found; found %v", p.what, found))
			suitekit.NoFault(spoilt.Kill())
		}
	})
})
