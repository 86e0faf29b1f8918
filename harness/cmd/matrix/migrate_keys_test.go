package main

import (
	"fmt"
	"strings"
)

// generated are dumps that are too long for a file: keys of every kind with more rows than a chunk of a tool's copy, a
// table of 1001 columns, a line of 20 MB, and a number that is at its end.
var generated = map[string]func() string{"keys-1000": keysDump, "keys-wide": wideDump, "charsets": charsetsDump}

// keyRows is how many rows the tables of keysDump have: gh-ost and pt-online-schema-change copy 1000 at first.
const keyRows = 1200

// keysDump has a table for each kind of key.
func keysDump() string {
	var b strings.Builder
	b.WriteString("SET NAMES utf8mb4;\n")
	for _, k := range []struct {
		name, columns, key string
		values             func(n int) string
	}{
		{"k_int", "k INT NOT NULL", "k", func(n int) string { return fmt.Sprint(n*7 - 3000) }},
		{"k_bigint", "k BIGINT UNSIGNED NOT NULL", "k", func(n int) string { return fmt.Sprint(uint64(1)<<63 + uint64(n)) }},
		{"k_varchar", "k VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL", "k", func(n int) string { return fmt.Sprintf("'ż%05d é'", n) }},
		{"k_bin", "k VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL", "k", func(n int) string { return fmt.Sprintf("'%c%04d'", "aAbB"[n%4], n/4) }},
		{"k_uuid", "k BINARY(16) NOT NULL", "k", func(n int) string { return fmt.Sprintf("x'%032x'", n*2654435761) }},
		{"k_varbinary", "k VARBINARY(12) NOT NULL", "k", func(n int) string { return fmt.Sprintf("x'ff%02x%04x'", n%256, n) }},
		{"k_decimal", "k DECIMAL(20,4) NOT NULL", "k", func(n int) string { return fmt.Sprintf("%d.%04d", n-600, n) }},
		{"k_date", "k DATE NOT NULL", "k", func(n int) string { return fmt.Sprintf("'%04d-%02d-%02d'", 1900+n/28, 1+n%12, 1+n%28) }},
		{"k_datetime", "k DATETIME(6) NOT NULL", "k", func(n int) string { return fmt.Sprintf("'2024-01-02 03:%02d:%02d.%06d'", n/60%60, n%60, n) }},
		{"k_composite", "a INT NOT NULL, b VARCHAR(10) NOT NULL", "a, b", func(n int) string { return fmt.Sprintf("%d, 'b%d'", n/40, n%40) }},
		{"k_descending", "a VARCHAR(10) NOT NULL, b DATE NOT NULL, c INT NOT NULL", "b, c, a", func(n int) string { return fmt.Sprintf("'a%d', '2024-01-%02d', %d", n%5, 1+n%28, n) }},
		{"k_enum", "a ENUM('z','y','x') NOT NULL, b INT NOT NULL", "a, b", func(n int) string { return fmt.Sprintf("'%c', %d", "zyx"[n%3], n) }},
		{"k_set", "a SET('p','q') NOT NULL, b INT NOT NULL", "a, b", func(n int) string { return fmt.Sprintf("%d, %d", n%4, n) }},
	} {
		fmt.Fprintf(&b, "CREATE TABLE %s (%s, v VARCHAR(20), PRIMARY KEY (%s)) ENGINE=InnoDB;\nINSERT INTO %[1]s VALUES ", k.name, k.columns, k.key)
		for n := range keyRows {
			if n > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, "(%s, 'v%d')", k.values(n), n)
		}
		b.WriteString(";\n")
	}
	return b.String()
}

// wideColumns with the key and the one that the change adds are as many as a server takes at least (1017).
const wideColumns = 1000

// longLine is the length of a value that makes a line of 20 MB.
const longLine = 20 << 20

func wideDump() string {
	var columns, values []string
	for i := range wideColumns {
		columns = append(columns, fmt.Sprintf("c%d TINYINT", i))
		values = append(values, fmt.Sprint(i%100))
	}
	return "CREATE TABLE wide (nr INT NOT NULL PRIMARY KEY, " + strings.Join(columns, ", ") + ") ENGINE=InnoDB;\n" +
		"INSERT INTO wide VALUES (1, " + strings.Join(values, ", ") + "), (2, " + strings.Join(values, ", ") + ");\n" +
		"CREATE TABLE long_line (nr INT NOT NULL PRIMARY KEY, t LONGTEXT) ENGINE=InnoDB;\n" +
		"INSERT INTO long_line VALUES (1, '" + strings.Repeat("0123456789abcdef", longLine/16) + "'), (2, 'short');\n" +
		"CREATE TABLE full_counter (nr TINYINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT) ENGINE=InnoDB AUTO_INCREMENT=255;\n" +
		"INSERT INTO full_counter VALUES (1, 1), (254, 2), (255, 3);\n"
}

// charsetsDump has statements in character sets of which a character's second byte can be a backslash: one after which the string
// ends, one before a semicolon, and one in a statement that DELIMITER ends.
func charsetsDump() string {
	var b strings.Builder
	for _, one := range []struct{ charset, character string }{{"gbk", "\xd5\\"}, {"big5", "\xa5\\"}, {"sjis", "\x95\\"}, {"cp932", "\x95\\"}, {"gb18030", "\xd5\\"}} {
		if one.charset == "gb18030" {
			b.WriteString("/*!50704 SET NAMES gb18030 */;\n/*M! SET NAMES gbk */;\n") // MariaDB does not have it
		} else {
			fmt.Fprintf(&b, "/*!40101 SET NAMES %s */;\n", one.charset)
		}
		fmt.Fprintf(&b, "CREATE TABLE t_%s (id INT PRIMARY KEY, v VARCHAR(20), KEY (v)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='%s';\n", one.charset, one.character)
		fmt.Fprintf(&b, "INSERT INTO t_%s VALUES (1,'%s'),(2,'%[2]s;'),(3,'a\\'%[2]s'),(4,'%[2]s\\\\');\n", one.charset, one.character)
		fmt.Fprintf(&b, "DELIMITER //\nINSERT INTO t_%s VALUES (5,'%s//')//\nDELIMITER ;\n", one.charset, one.character)
	}
	return b.String()
}
