package dump

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"mysqlmatrix/harness/flavor"
)

var (
	mysql8  = flavor.Flavor{Vendor: flavor.MySQL, Version: flavor.Version{Major: 8}}
	mysql57 = flavor.Flavor{Vendor: flavor.MySQL, Version: flavor.Version{Major: 5, Minor: 7, Patch: 22}}
	maria11 = flavor.Flavor{Vendor: flavor.MariaDB, Version: flavor.Version{Major: 11, Minor: 8, Patch: 1}}
)

// statements splits a text, read in pieces of one byte when it is short.
func statements(t *testing.T, text string, m Modes) (texts []string, lines []int) {
	t.Helper()
	var in io.Reader = strings.NewReader(text)
	if len(text) < 1<<16 {
		in = iotest.OneByteReader(in)
	}
	s := NewSplitter(in, mysql8)
	s.Modes = m
	for {
		st, err := s.Next()
		if errors.Is(err, io.EOF) {
			return texts, lines
		}
		if err != nil {
			t.Fatal(err)
		}
		texts, lines = append(texts, string(st.Text)), append(lines, st.Line)
	}
}

func TestSplit(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		modes Modes
		want  []string
		lines []int
	}{
		"plain":                {"a;\n b ;c", Modes{}, []string{"a", "b", "c"}, []int{1, 2, 2}},
		"strings":              {"a ';' \";\" `;` 'it''s;' '\\';';b", Modes{}, []string{"a ';' \";\" `;` 'it''s;' '\\';'", "b"}, []int{1, 1}},
		"no backslash escapes": {`a '\';b`, Modes{NoBackslashEscapes: true}, []string{`a '\'`, "b"}, []int{1, 1}},
		"ANSI quotes":          {`a "\";b`, Modes{AnsiQuotes: true}, []string{`a "\"`, "b"}, []int{1, 1}},
		"comments":             {"-- ;\n# ;\n/* ; */ a /* ; */ -- ;\n b;--c", Modes{}, []string{"a /* ; */ -- ;\n b", "--c"}, []int{3, 4}},
		"minus signs":          {"a 1--1;b", Modes{}, []string{"a 1--1", "b"}, []int{1, 1}},
		"conditional comment":  {"/*!40101 SET x */;\n/*M!100616 SET y */;", Modes{}, []string{"/*!40101 SET x */", "/*M!100616 SET y */"}, []int{1, 2}},
		"DELIMITER":            {"DELIMITER ;;\na; b ;;\ndelimiter ;\nc;", Modes{}, []string{"a; b", "c"}, []int{2, 4}},
		"DELIMITER, CRLF":      {"DELIMITER $$\r\na;\r\nb $$\r\nDELIMITER ;\r\nc;\r\n", Modes{}, []string{"a;\r\nb", "c"}, []int{2, 5}},
		"byte order mark":      {"\xef\xbb\xbfa;", Modes{}, []string{"a"}, []int{1}},
		"empty statements":     {";;a;;", Modes{}, []string{"a"}, []int{1}},
		"not ended":            {"a 'b", Modes{}, []string{"a 'b"}, []int{1}},
		"body without DELIMITER": {"CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET x = 1; IF y THEN SET z = 2; END IF; SET w = CASE 1 WHEN 1 THEN 2 END; END;\nb;",
			Modes{}, []string{"CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET x = 1; IF y THEN SET z = 2; END IF; SET w = CASE 1 WHEN 1 THEN 2 END; END", "b"}, []int{1, 2}},
		"GBK":                    {"a '\xd5\\';b `\xd5``;c", Modes{Charset: "gbk"}, []string{"a '\xd5\\'", "b `\xd5``", "c"}, []int{1, 1, 1}},
		"Big5":                   {"a '\xa5\\', '\\'';b", Modes{Charset: "big5"}, []string{"a '\xa5\\', '\\''", "b"}, []int{1, 1}},
		"Shift JIS":              {"a '\x95\\', '\xb1';b", Modes{Charset: "sjis"}, []string{"a '\x95\\', '\xb1'", "b"}, []int{1, 1}},
		"the same bytes, Latin1": {"a '\xd5\\';b';c", Modes{Charset: "latin1"}, []string{"a '\xd5\\';b'", "c"}, []int{1, 1}},
		"transaction":            {"BEGIN; a; END; b", Modes{}, []string{"BEGIN", "a", "END", "b"}, []int{1, 1, 1, 1}},
	} {
		texts, lines := statements(t, test.text, test.modes)
		if !slices.Equal(texts, test.want) || !slices.Equal(lines, test.lines) {
			t.Errorf("%s: got %q at %v, want %q at %v", name, texts, lines, test.want, test.lines)
		}
	}
}

// TestLongStatement holds that a statement of many buffers comes whole.
func TestLongStatement(t *testing.T) {
	long := "INSERT INTO t VALUES ('" + strings.Repeat(`x\';`, 5<<20) + "')"
	texts, lines := statements(t, "a;\n"+long+";\nb;", Modes{})
	if len(texts) != 3 || texts[1] != long || texts[2] != "b" || !slices.Equal(lines, []int{1, 2, 3}) {
		t.Errorf("got %d statements at %v", len(texts), lines)
	}
}

func TestJudge(t *testing.T) {
	const runs = "" // as it stands
	for text, want := range map[string]string{
		"INSERT INTO t VALUES ('CHANGE MASTER TO')":                       runs,
		"CREATE TABLE t (a INT, tablespace INT)":                          runs,
		"/*!40101 SET NAMES utf8 */":                                      runs,
		"SET @OLD=@@SQL_LOG_BIN":                                          runs,
		"USE `shop`":                                                      runs,
		"CREATE DATABASE sysop":                                           runs,
		"CHANGE MASTER TO MASTER_HOST='x'":                                WhyReplication,
		"/* x */ change -- y\n master 'c' to master_port=1":               WhyReplication,
		"/*!40000 CHANGE REPLICATION SOURCE TO SOURCE_HOST='x' */":        WhyReplication,
		"START SLAVE":                                                     WhyReplication,
		"START ALL SLAVES":                                                WhyReplication,
		"STOP REPLICA FOR CHANNEL 'x'":                                    WhyReplication,
		"RESET MASTER":                                                    WhyReplication,
		"SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'a:1'":                   WhyReplication,
		"SET GLOBAL gtid_slave_pos='0-1-2'":                               WhyReplication,
		"SET SQL_LOG_BIN=0":                                               WhyLogging,
		"SET @@SESSION.SQL_LOG_BIN = @x":                                  WhyLogging,
		"SET PERSIST max_connections=1":                                   WhyGlobal,
		"SET @@PERSIST.max_connections=1":                                 WhyGlobal,
		"SET GLOBAL a=1, b=2":                                             WhyGlobal,
		"FLUSH TABLES WITH READ LOCK":                                     WhyGlobal,
		"GRANT ALL ON *.* TO 'a'@'%'":                                     WhyAccounts,
		"CREATE USER IF NOT EXISTS a":                                     WhyAccounts,
		"SET PASSWORD FOR a = 'b'":                                        WhyAccounts,
		"INSERT INTO `mysql`.`user` VALUES (1)":                           WhySystem,
		"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `mysql`":                WhySystem,
		"DROP TABLE IF EXISTS mysql.t":                                    WhySystem,
		"INSTALL PLUGIN p SONAME 'x.so'":                                  WhyPlugins,
		"CREATE OR REPLACE FUNCTION f RETURNS STRING SONAME 'x.so'":       WhyPlugins,
		"SELECT 1 INTO OUTFILE '/x'":                                      WhyFiles,
		"CREATE TABLESPACE t ADD DATAFILE 'x'":                            WhyFiles,
		"CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x')":   WhyHosts,
		"CREATE TABLE t (a INT) ENGINE=FEDERATED CONNECTION='mysql://x'":  WhyHosts,
		"CREATE TABLE t (a INT) ENGINE = `CONNECT` TABLE_TYPE=MYSQL":      WhyHosts,
		"CLONE INSTANCE FROM u@h:1 IDENTIFIED BY 'x'":                     WhyHosts,
		"CREATE PROCEDURE p() BEGIN START SLAVE; END":                     WhyReplication,
		"CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET GLOBAL x=1": WhyGlobal,
		"CALL p()":                               WhyIndirect,
		"BEGIN NOT ATOMIC EXECUTE IMMEDIATE 'x'": WhyIndirect,
		"CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO DELETE FROM a":                                                                           WhyEvents,
		"CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1, GLOBAL b = 2":                                                            WhyGlobal,
		"CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET @a=1; SET @b=2; SET @c=3; SET @d=4; UPDATE mysql.user SET host = '%'; END": WhySystem,
		"SET default_storage_engine = SPIDER":                                                                                                  WhyHosts,
		"SET @@storage_engine := 'federated'":                                                                                                  WhyHosts,
		"SET innodb_tmpdir = '/x'":                                                                                                             WhyFiles,
		"SET default_storage_engine = InnoDB":                                                                                                  runs,
		"SET @@default_storage_engine = DEFAULT":                                                                                               runs,
		"CREATE TABLE t (global INT, persist INT DEFAULT 1)":                                                                                   runs,
		"UPDATE t SET global = 1":                                                                                                              runs,
		"BEGIN":                                                                                                                                runs,
		"BEGIN WORK":                                                                                                                           runs,
		"PREPARE s FROM 'START SLAVE'":                                                                                                         WhyIndirect,
	} {
		for _, f := range []flavor.Flavor{mysql8, maria11} {
			j := Judge{Flavor: f}
			d := j.Decide(Statement{Text: []byte(text)}, Modes{})
			got := runs
			if len(d.Left) > 0 {
				got = d.Left[0].Why
			}
			if got != want || want == runs && (d.Text != text || d.Unknown) || want != runs && d.Text != "" {
				t.Errorf("%s: %s: got %+v, want %q", f, text, d, want)
			}
		}
	}
}

// TestJudgeComments holds that a statement is judged by what its server runs of it.
func TestJudgeComments(t *testing.T) {
	for _, test := range []struct {
		text   string
		flavor flavor.Flavor
		left   bool
	}{
		{"/*!99999 SELECT */ CHANGE MASTER TO MASTER_HOST='x'", mysql8, true},
		{"/*M!100000 SELECT */ START SLAVE", mysql8, true},
		{"/*M!100000 START SLAVE */", mysql8, false},
		{"/*M!100000 START SLAVE */", maria11, true},
		{"/*!80000 START REPLICA */", maria11, false},
		{"/*!80000 START REPLICA */", mysql8, true},
		{"/*!80001 START REPLICA */", mysql8, false},
		{"SELECT /*!100000 INTO OUTFILE '/x' */", mysql57, true}, // five digits, and then SELECT 0 INTO OUTFILE
		{"/*!999999\\- enable the sandbox mode */ START SLAVE", mysql8, true},
	} {
		j := Judge{Flavor: test.flavor}
		d := j.Decide(Statement{Text: []byte(test.text)}, Modes{})
		if got := len(d.Left) > 0; got != test.left || d.Text != "" {
			t.Errorf("%s: %s: got %+v", test.flavor, test.text, d)
		}
	}
}

func TestSystemDatabase(t *testing.T) {
	j := Judge{Flavor: mysql8}
	for _, step := range []struct{ text, runs string }{
		{"USE `mysql`", ""}, {"CREATE TABLE user (a INT)", ""}, {"INSERT INTO `user` VALUES (1)", ""}, {"SET NAMES utf8", "SET NAMES utf8"},
		{"CREATE DATABASE shop", "CREATE DATABASE shop"}, {"USE shop", "USE shop"}, {"CREATE TABLE user (a INT)", "CREATE TABLE user (a INT)"},
	} {
		if d := j.Decide(Statement{Text: []byte(step.text)}, Modes{}); d.Text != step.runs {
			t.Errorf("%s: runs %q, want %q", step.text, d.Text, step.runs)
		}
	}
}

// TestRewritten holds what is left out of a statement, and that the rest of it stays.
func TestRewritten(t *testing.T) {
	for text, want := range map[string]string{
		"SET @a=1, SQL_LOG_BIN=0, sql_mode=''":                                        "SET @a=1, sql_mode=''",
		"SET @@GLOBAL.read_only=1, sql_mode='a,b'":                                    "SET sql_mode='a,b'",
		"SET GLOBAL a=1, SESSION b=(SELECT 1, 2), c=3":                                "SET SESSION b=(SELECT 1, 2), c=3",
		"CREATE DEFINER=`a`@`%` TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a=1":   "CREATE DEFINER=CURRENT_USER TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a=1",
		"/*!50003 CREATE*/ /*!50017 DEFINER='a'@'h'*/ /*!50003 VIEW v AS SELECT 1 */": "/*!50003 CREATE*/ /*!50017 DEFINER=CURRENT_USER*/ /*!50003 VIEW v AS SELECT 1 */",
		"CREATE TABLE t (a INT) DATA DIRECTORY='/x', COMMENT 'y'":                     "CREATE TABLE t (a INT)  COMMENT 'y'",
		"CREATE TABLE t (a INT) /*!80000 ENCRYPTION='Y' */ COMMENT='x'":               "CREATE TABLE t (a INT) /*!80000 ENCRYPTION='N' */ COMMENT='x'",
		"CREATE TABLE t (encryption VARCHAR(9) DEFAULT 'Y')":                          "CREATE TABLE t (encryption VARCHAR(9) DEFAULT 'Y')",
		"CREATE TABLE t (a INT) /*!50100 TABLESPACE `ts` */ ENGINE=InnoDB":            "CREATE TABLE t (a INT) /*!50100  */ ENGINE=InnoDB",
	} {
		j := Judge{Flavor: mysql8}
		if d := j.Decide(Statement{Text: []byte(text)}, Modes{}); d.Text != want {
			t.Errorf("%s: got %q, want %q", text, d.Text, want)
		}
	}
}

// TestNoSecrets holds that what is told of a statement has no values in it.
func TestNoSecrets(t *testing.T) {
	for _, text := range []string{"CREATE USER 'a'@'%' IDENTIFIED BY 'Secret'", "CHANGE MASTER TO MASTER_PASSWORD='Secret'", "SET PASSWORD = 'Secret'",
		"SET GLOBAL x = 'Secret'", "GRANT ALL ON *.* TO a IDENTIFIED BY 'Secret'"} {
		j := Judge{Flavor: mysql8}
		for _, left := range j.Decide(Statement{Text: []byte(text)}, Modes{}).Left {
			if strings.Contains(left.What, "Secret") || left.What == "" {
				t.Errorf("%s: told as %q", text, left.What)
			}
		}
	}
}

func TestCheckChange(t *testing.T) {
	j := Judge{Flavor: mysql8}
	for change, want := range map[string]string{
		"engine=innodb": "", "ADD COLUMN a INT COMMENT 'x; y'": "", "ADD COLUMN a INT;": "",
		"ADD COLUMN a INT; DROP TABLE t": "more than one", "ENGINE=FEDERATED CONNECTION='x'": WhyHosts, "DATA DIRECTORY='/x'": WhyFiles,
		"DISCARD TABLESPACE": WhyFiles, " ": "empty", "EXCHANGE PARTITION p WITH TABLE u": "two tables at once",
	} {
		got := j.CheckChange(change)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", change, got, want)
		}
	}
}
