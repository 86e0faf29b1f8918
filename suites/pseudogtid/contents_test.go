package pseudogtid_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

// content is something that applications write. The statements run in one session of their own.
type content struct {
	name       string
	statements []string
}

// contents are the kinds of things that binary logs hold. %FILE% is a file of lines that the server can read.
var contents = []content{
	{"a large transaction", append([]string{"CREATE TABLE shop.large (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, payload VARCHAR(40))",
		"BEGIN", "INSERT INTO shop.large (payload) VALUES ('a'), ('b'), ('c')"},
		append(repeat("INSERT INTO shop.large (payload) SELECT CONCAT(LEFT(payload, 20), id) FROM shop.large ORDER BY id", 15),
			"UPDATE shop.large SET payload = 'z' WHERE id % 7 = 0", "COMMIT")...)},
	{"DDL in between", []string{"CREATE TABLE shop.ddl (a INT PRIMARY KEY, b MEDIUMTEXT, c DECIMAL(20,6), d DATETIME(6), e ENUM('x','y'), f SET('p','q'), g BIT(11), h DOUBLE, i TIME(3), j YEAR, k BLOB, l CHAR(200) CHARACTER SET utf8mb4)",
		"INSERT INTO shop.ddl VALUES (1, REPEAT('t', 300), -12345.678901, '2026-01-02 03:04:05.678901', 'y', 'p,q', b'10101010101', 1.5, '-12:34:56.789', 2026, x'00ff', 'żółć'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
		"ALTER TABLE shop.ddl ADD COLUMN m BIGINT UNSIGNED NOT NULL DEFAULT 18446744073709551615", "UPDATE shop.ddl SET b = REPEAT('u', 70000) WHERE a = 1",
		"RENAME TABLE shop.ddl TO shop.ddl2", "TRUNCATE TABLE shop.ddl2", "DROP TABLE shop.ddl2"}},
	{"XA transactions", []string{"CREATE TABLE shop.xa (a INT PRIMARY KEY)", "XA START 'one'", "INSERT INTO shop.xa VALUES (1)", "XA END 'one'", "XA PREPARE 'one'", "XA COMMIT 'one'",
		"XA START 'two'", "INSERT INTO shop.xa VALUES (2)", "XA END 'two'", "XA COMMIT 'two' ONE PHASE",
		"XA START 'three'", "INSERT INTO shop.xa VALUES (3)", "XA END 'three'", "XA PREPARE 'three'", "XA ROLLBACK 'three'"}},
	{"savepoints", []string{"CREATE TABLE shop.save (a INT PRIMARY KEY)", "BEGIN", "INSERT INTO shop.save VALUES (1)", "SAVEPOINT s1",
		"INSERT INTO shop.save VALUES (2)", "ROLLBACK TO SAVEPOINT s1", "INSERT INTO shop.save VALUES (3)", "RELEASE SAVEPOINT s1", "COMMIT"}},
	{"temporary tables", []string{"CREATE TABLE shop.kept (a INT PRIMARY KEY)", "CREATE TEMPORARY TABLE shop.t (a INT)", "INSERT INTO shop.t VALUES (1), (2)",
		"INSERT INTO shop.kept SELECT a FROM shop.t", "DROP TEMPORARY TABLE shop.t", "CREATE TEMPORARY TABLE shop.left_open (a INT)"}},
	{"LOAD DATA", []string{"CREATE TABLE shop.loaded (a INT PRIMARY KEY, b VARCHAR(100))", "LOAD DATA INFILE '%FILE%' INTO TABLE shop.loaded FIELDS TERMINATED BY ','"}},
	{"stored procedures and functions", []string{"CREATE TABLE shop.called (a INT NOT NULL AUTO_INCREMENT PRIMARY KEY, b INT)", "USE shop",
		"CREATE PROCEDURE shop.fill(n INT) BEGIN DECLARE i INT DEFAULT 0; WHILE i < n DO INSERT INTO shop.called (b) VALUES (i * 2); SET i = i + 1; END WHILE; END",
		"CALL shop.fill(5)", "SET @x := 42, @y := 'text'", "INSERT INTO shop.called (b) VALUES (@x)", "INSERT INTO shop.called (b) VALUES (LENGTH(@y))"}},
	{"triggers", []string{"CREATE TABLE shop.fires (a INT PRIMARY KEY)", "CREATE TABLE shop.fired (n INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT)",
		"CREATE TRIGGER shop.fire AFTER INSERT ON shop.fires FOR EACH ROW INSERT INTO shop.fired (a) VALUES (NEW.a)", "INSERT INTO shop.fires VALUES (1), (2), (3)"}},
	{"an event, which replicas do not run", []string{"CREATE EVENT shop.later ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.orders WHERE id < 0"}},
	{"session context", []string{"CREATE TABLE shop.ctx (a INT NOT NULL AUTO_INCREMENT PRIMARY KEY, b VARCHAR(60), c TIMESTAMP NULL)", "SET SESSION sql_mode = 'ANSI_QUOTES'",
		"INSERT INTO shop.ctx (b) VALUES ('one')", "SET SESSION time_zone = '+05:00', auto_increment_increment = 7, foreign_key_checks = 0",
		"INSERT INTO shop.ctx (b, c) VALUES ('two', NOW())", "SET SESSION TIMESTAMP = 86400", "INSERT INTO shop.ctx (b, c) VALUES ('three', NOW())"}},
	{"statements that look like entries", []string{"CREATE TABLE shop.look (a INT NOT NULL AUTO_INCREMENT PRIMARY KEY, b VARCHAR(200))",
		"INSERT INTO shop.look (b) VALUES ('drop view if exists `_pseudo_gtid_`.`_asc:ffffffff:00000065:ffffffffffffffff`')",
		"/* drop view if exists `_pseudo_gtid_`.`_asc:ffffffff:00000065:ffffffffffffffff` */ INSERT INTO shop.look (b) VALUES ('x')",
		"INSERT INTO shop.look (b) VALUES ('y') /* drop view if exists `_pseudo_gtid_`.`_asc:ffffffff:00000065:fffffffffffffffe` */",
		"DROP VIEW IF EXISTS `_pseudo_gtid_`.`_asc:ffffffff:00000065:ffffffffffffffff`, shop.no_view"}},
	{"MyISAM", []string{"CREATE TABLE shop.old (a INT PRIMARY KEY) ENGINE=MyISAM", "INSERT INTO shop.old VALUES (1), (2)", "DELETE FROM shop.old WHERE a = 1"}},
}

func repeat(statement string, n int) (list []string) {
	for range n {
		list = append(list, statement)
	}
	return list
}

var _ = describe("Pseudo-GTID", func() {
	for _, format := range []string{"ROW", "STATEMENT", "MIXED"} {
		It("matches over large transactions, DDL, XA, temporary tables, LOAD DATA and routines in format "+format, tier(format == "MIXED"), func(ctx SpecContext) {
			s := deploy(ctx, "star:2", topology.Options{Format: format})
			s.inject(ctx)
			for _, c := range contents {
				By(c.name)
				s.play(ctx, c)
				s.caughtUp(ctx)
				s.matchesAtEnd(ctx, 2, 1)
			}
			s.matchesAtEnd(ctx, 1, 0)
			s.matchesAtEnd(ctx, 1, 2)
			s.moves(ctx, 2, 1)
			s.run(ctx, 0, "INSERT INTO "+table.String()+" (id, seq, payload) VALUES (900001, 0, 'x')", "DELETE FROM "+table.String()+" WHERE id = 900001")
			s.agreed(ctx)
		})
	}

	It("refuses to match a server that logs rows with one that logs statements", Label(cell.LabelFull), func(ctx SpecContext) {
		s := deploy(ctx, "star:2", topology.Options{Format: "STATEMENT", PerNode: map[int][]string{1: {"binlog_format=ROW"}}})
		s.inject(ctx)
		s.run(ctx, 0, "UPDATE "+table.String()+" SET counter = 7 WHERE id < 5")
		s.caughtUp(ctx)
		s.matchesAtEnd(ctx, 2, 0)
		refusal := s.refused(ctx, 2, 1, pseudogtid.Diverged)
		Expect(refusal.Detail).To(ContainSubstring("formats differ"))
		// The next entry heals it, since nothing lies after it.
		for range 20 {
			s.inject(ctx)
		}
		s.moves(ctx, 2, 1)
		s.agreed(ctx)
	})
})

// tier is the label of a spec that only the full tier runs.
func tier(inPRTier bool) Labels {
	if inPRTier {
		return nil
	}
	return Label(cell.LabelFull)
}

// play runs a content in a session of its own.
func (s *scene) play(ctx context.Context, c content) {
	GinkgoHelper()
	file := filepath.Join(suitekit.WorkDir("load"), "lines.csv")
	var lines []byte
	for i := range 3000 {
		lines = fmt.Appendf(lines, "%d,line number %d of a file that LOAD DATA reads\n", i, i)
	}
	suitekit.NoFault(os.WriteFile(file, lines, 0o644))
	err := s.session(ctx, s.root, func(conn *sql.Conn) error {
		for _, statement := range c.statements {
			text := strings.ReplaceAll(statement, "%FILE%", file)
			if _, err := conn.ExecContext(ctx, text); err != nil {
				return fmt.Errorf("%s: %.100s: %w", c.name, text, err)
			}
		}
		return nil
	})
	suitekit.NoFault(err)
}

// session is a new connection, with the server's present defaults, that is closed afterwards.
func (s *scene) session(ctx context.Context, i int, do func(*sql.Conn) error) (err error) {
	db, err := s.at(i).Endpoint.OpenDB("")
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	var id int64
	err = conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id)
	if err == nil {
		err = do(conn)
	}
	if err = errors.Join(err, conn.Close(), db.Close()); err != nil {
		return err
	}
	// A session's end is logged where it leaves temporary tables.
	return wait.State{What: fmt.Sprintf("session %d ends", id), Limit: 10 * time.Second, Poll: 2 * time.Millisecond}.
		Until(ctx, func(ctx context.Context) (string, bool, error) {
			var n int
			err := s.at(i).DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = ?", id).Scan(&n)
			return "it is in the process list", n == 0, err
		})
}
