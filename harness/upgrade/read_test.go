package upgrade

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReach(t *testing.T) {
	for sql, out := range map[string]bool{
		"CHANGE MASTER TO MASTER_HOST='10.0.0.1'":                            true,
		"/*!50003 CHANGE MASTER TO MASTER_HOST='10.0.0.1' */":                true,
		"CHANGE REPLICATION SOURCE TO SOURCE_HOST='x'":                       true,
		"SELECT 1 INTO OUTFILE '/tmp/x'":                                     true,
		"LOAD DATA INFILE '/etc/passwd' INTO TABLE t":                        true,
		"SELECT LOAD_FILE('/etc/passwd')":                                    true,
		"CREATE FUNCTION f RETURNS STRING SONAME 'x.so'":                     true,
		"INSTALL PLUGIN x SONAME 'x.so'":                                     true,
		"CREATE TABLE t (a INT) ENGINE=FEDERATED CONNECTION='mysql://h/d/t'": true,
		"CREATE TABLE t (a INT) DATA DIRECTORY='/tmp'":                       true,
		"CREATE PROCEDURE p() BEGIN START SLAVE; END":                        true,
		"SET GLOBAL general_log_file = '/tmp/x'":                             true,
		"SET @@GLOBAL.general_log = 1":                                       true,
		"SHUTDOWN":                                                           true,
		"DROP USER root@localhost":                                           true,
		"ALTER USER 'msandbox'@'localhost' IDENTIFIED BY 'x'":                true,
		"INSERT INTO mysql.user VALUES (1)":                                  true,
		"UPDATE mysql.user SET plugin = ''":                                  true,
		"SET GLOBAL show_compatibility_56 = 1":                               false,
		"SELECT 'CHANGE MASTER TO', `outfile` FROM t -- START SLAVE":         false,
		"CREATE USER app@'%' IDENTIFIED BY 'x'":                              false,
		"GRANT SELECT ON d.* TO 'app'@'localhost'":                           false,
		"SELECT user FROM mysql.user":                                        false,
		"CREATE PROCEDURE p() BEGIN SHOW SLAVE STATUS; END":                  false,
		"INSERT INTO t VALUES ('SELECT 1 INTO OUTFILE ''/tmp/x''')":          false,
		"CREATE TABLE shutdown (restart INT, type INT)":                      false,
	} {
		if why := reach(lex(sql), "d"); (why != "") != out {
			t.Errorf("%s: %q", sql, why)
		}
	}
}

func TestSubject(t *testing.T) {
	for sql, want := range map[string]string{
		"CREATE DEFINER=`root`@`localhost` PROCEDURE `podium`(IN n INT) BEGIN END":                            "procedure shop.podium",
		"/*!50001 CREATE ALGORITHM=UNDEFINED */ /*!50013 DEFINER=`a`@`b` */ /*!50001 VIEW `v` AS select 1 */": "view shop.v",
		"CREATE TABLE IF NOT EXISTS `other`.`t` (a INT)":                                                      "table other.t",
		"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `d` /*!40100 DEFAULT CHARACTER SET utf8 */":                 "database d",
		"INSERT INTO `t` VALUES (1)":                                        "table shop.t",
		"GRANT SELECT ON `d`.* TO 'desk_app'@'localhost' IDENTIFIED BY 'x'": "account desk_app@localhost",
		"SET PASSWORD FOR 'desk_app'@'localhost' = PASSWORD('y')":           "account desk_app@localhost",
		"CREATE USER app":       "account app@%",
		"LOCK TABLES `t` WRITE": "table shop.t",
	} {
		if o, _ := subject(lex(sql), "shop"); o.String() != want {
			t.Errorf("%s: %s, want %s", sql, o, want)
		}
	}
}

func TestReadQueries(t *testing.T) {
	for name, content := range map[string]string{
		"plain.sql": "SELECT 1;\nUSE d;\nSELECT\n 2;\n",
		"slow.log": "/usr/sbin/mysqld, Version: 5.7.22-log. started with:\nTcp port: 3306  Unix socket: /x\nTime                 Id Command    Argument\n# Time: 2020-01-01T00:00:00.000000Z\n" +
			"# User@Host: a[a] @ localhost []  Id:     2\n# Query_time: 1.0  Lock_time: 0.0 Rows_sent: 1  Rows_examined: 0\nSET timestamp=1577836800;\nSELECT 1;\n# Query_time: 1.0\nuse d;\nSELECT\n 2;\n",
		"general.log": "Time                 Id Command    Argument\n2020-01-01T00:00:00.000000Z\t    2 Connect\ta@localhost on  using Socket\n2020-01-01T00:00:00.000000Z\t    2 Query\tSELECT 1\n" +
			"2020-01-01T00:00:00.000000Z\t    2 Init DB\td\n2020-01-01T00:00:00.000000Z\t    2 Query\tSELECT\n 2\n2020-01-01T00:00:00.000000Z\t    2 Quit\t\n",
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		list, err := readQueries(path, mysqlAt(5, 7, 22))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, q := range list {
			got = append(got, strings.ToUpper(strings.Join(strings.Fields(strings.ReplaceAll(q.sql, "`", "")), " ")))
		}
		if want := []string{"SELECT 1", "USE D", "SELECT 2"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if lines := strings.Split(content, "\n"); !strings.Contains(lines[list[0].line-1], "SELECT 1") {
			t.Errorf("%s: first statement at line %d", name, list[0].line)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{"int(10) unsigned": "int unsigned", "int(8) unsigned zerofill": "int(8) unsigned zerofill", "tinyint(1)": "tinyint(1)",
		"tinyint(4)": "tinyint", "year(4)": "year", "varchar(20)": "varchar(20)"} {
		if got := plainType(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	old := attributes{}
	addGrants(old, "GRANT SELECT, INSERT (a, b), UPDATE ON `d`.* TO 'a'@'%' WITH GRANT OPTION")
	changed := attributes{}
	addGrants(changed, "GRANT SELECT, INSERT (`a`, `b`) ON `d`.* TO `a`@`%`")
	lost, gained := grantDifferences(old, changed, map[string]bool{"SELECT": true})
	if !slices.Equal(lost, []string{"GRANT OPTION on d.*", "UPDATE on d.*"}) || len(gained) > 0 {
		t.Errorf("lost %q, gained %q", lost, gained)
	}
}
