package upgrade_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/upgrade"
)

// schema has one object of each kind that an upgrade has to keep, in the words of every version.
const schema = `CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE shop;
CREATE TABLE orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer VARCHAR(40) NOT NULL, price DECIMAL(10,2) NOT NULL, weight FLOAT,
  ratio DOUBLE, placed DATETIME NOT NULL, note TEXT, raw VARBINARY(20), KEY by_customer (customer)) ENGINE=InnoDB;
INSERT INTO orders VALUES (1,'Ahornstraße',1.25,0.1,0.3333333333333333,'2020-01-02 03:04:05','über',0x00FF),(2,'b',-99999999.99,1e-20,1e300,'2000-02-29 00:00:00',NULL,NULL);
CREATE TABLE parts (id INT PRIMARY KEY, order_id INT NOT NULL, KEY (order_id), CONSTRAINT of_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE) ENGINE=InnoDB;
INSERT INTO parts VALUES (1,1),(2,1),(3,2);
CREATE TABLE history (id INT NOT NULL, y INT NOT NULL, PRIMARY KEY (id, y)) ENGINE=InnoDB PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO history VALUES (1,2019),(2,2021);
CREATE TABLE keyless (a INT, b CHAR(3)) ENGINE=InnoDB;
INSERT INTO keyless VALUES (1,'x'),(1,'x'),(NULL,NULL);
CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20)) ENGINE=InnoDB;
CREATE VIEW dear AS SELECT id, customer FROM orders WHERE price > 1;
DELIMITER ;;
CREATE FUNCTION total(n INT) RETURNS DECIMAL(12,2) READS SQL DATA BEGIN RETURN (SELECT SUM(price) FROM orders WHERE id <= n); END ;;
CREATE PROCEDURE names(IN n INT) BEGIN SELECT customer FROM orders WHERE id <= n ORDER BY id; END ;;
CREATE TRIGGER told AFTER INSERT ON parts FOR EACH ROW BEGIN INSERT INTO audit (what) VALUES ('part'); END ;;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO BEGIN DELETE FROM audit; END ;;
DELIMITER ;
CREATE USER 'clerk'@'localhost';
GRANT SELECT, INSERT ON shop.* TO 'clerk'@'localhost';
GRANT UPDATE (note) ON shop.orders TO 'clerk'@'localhost';
`

// bulk is so many more rows that an upgrade has something to carry over.
const bulk = 2_000

func source() *dump.Source {
	GinkgoHelper()
	var b strings.Builder
	b.WriteString(schema)
	b.WriteString("CREATE TABLE bulk (id INT PRIMARY KEY, v VARCHAR(60)) ENGINE=InnoDB;\nINSERT INTO bulk VALUES (0,'')")
	for i := 1; i < bulk; i++ {
		fmt.Fprintf(&b, ",(%d,'value %d')", i, i*7919)
	}
	b.WriteString(";\n")
	path := filepath.Join(suitekit.WorkDir("dump"), "dump.sql")
	suitekit.NoFault(os.WriteFile(path, []byte(b.String()), 0o644))
	s, err := dump.Open(path)
	suitekit.NoFault(err)
	return s
}

// servers makes clones in the spec's folder, and removes them when it ends.
type servers struct{ made int }

func (s *servers) clone(g *sandbox.Golden, data string) *sandbox.Sandbox {
	GinkgoHelper()
	s.made++
	scope := suitekit.Cell().Dir
	one, err := g.Clone(filepath.Join(scope, fmt.Sprintf("s%d", s.made)), sandbox.Spec{ServerID: 100 + s.made, Scope: scope, Options: []string{"event_scheduler=OFF", "loose-log_bin_trust_function_creators=1"}})
	suitekit.NoFault(err)
	DeferCleanup(one.Remove)
	if data != "" {
		suitekit.NoFault(g.Adopt(one, data))
	}
	return one
}

// loaded is a running server with the schema on it.
func (s *servers) loaded(ctx context.Context, g *sandbox.Golden) *sandbox.Sandbox {
	GinkgoHelper()
	one := s.clone(g, "")
	suitekit.NoFault(one.Start(ctx))
	suitekit.NoFault(upgrade.Load(ctx, one, source()))
	return one
}

// upgradeSystemTables brings a server's system tables up to date. A build that has no program for it makes the spec unsupported.
func upgradeSystemTables(ctx context.Context, s *sandbox.Sandbox) {
	GinkgoHelper()
	detail, err := upgrade.SystemTables(ctx, s, suitekit.Cell().Dir)
	suitekit.NoFault(err)
	if detail != "" {
		suitekit.Unsupported(detail)
	}
}

// equal expects that two servers hold the same.
func equal(ctx context.Context, old, new *sandbox.Sandbox) {
	GinkgoHelper()
	found, err := upgrade.Compare(ctx, old, new, upgrade.WayInPlace)
	suitekit.NoFault(err)
	var list []string
	for _, f := range upgrade.Counted(found) {
		list = append(list, fmt.Sprintf("%s: %s: %s (%s, %s)", f.Grade, f.Object, f.What, f.Old, f.New))
	}
	Expect(list).To(BeEmpty(), "the new version holds the same as the older one")
}

// predecessor is what a server is upgraded from.
type predecessor struct {
	what   string
	labels Labels // by which the runner obtains it
	golden func(sandbox.Profile) *sandbox.Golden
}

// predecessors are the kinds of upgrade: to the next series, and within a series.
var predecessors = []predecessor{
	{"an older version", Label(cell.LabelOlder), suitekit.OlderSource},
	{"an earlier release of its series", Label(cell.LabelEarlier, cell.LabelFull), suitekit.EarlierRelease},
}

// server is the one that the cell's is upgraded from. A step that the vendor does not support makes the spec unsupported.
func (p predecessor) server() *sandbox.Golden {
	GinkgoHelper()
	from, to := p.golden(sandbox.ProfileDurable), suitekit.Golden(sandbox.ProfileDurable)
	if step := upgrade.Direct(from.Flavor, to.Flavor); !step.InPlace {
		suitekit.Unsupported(step.String() + " is not supported in place by the vendor: " + step.Source)
	}
	return from
}
