package upgrade

import (
	"regexp"
	"strings"

	"mysqlmatrix/harness/flavor"
)

var (
	displayWidth = regexp.MustCompile(`\b(tinyint|smallint|mediumint|int|bigint)\(\d+\)`)
	yearWidth    = regexp.MustCompile(`^year\(4\)`)
	introducer   = regexp.MustCompile(`_(utf8mb4|utf8mb3|utf8|latin1|binary|ascii|ucs2)\b\s*(\\?')`)
	charsetName  = regexp.MustCompile(`\b(charset|character set|collate) utf8(_|\b)`)
	nowCall      = regexp.MustCompile(`(?i)\b(current_timestamp|now|localtimestamp|localtime)(\(\))?`)
)

// plainType is a column's type as MySQL 8.0.19 and later print it: without the width at which integers were shown, which
// only ZEROFILL makes use of, and which tells a boolean.
func plainType(t string) string {
	t = strings.ToLower(t)
	if !strings.Contains(t, "zerofill") && !strings.HasPrefix(t, "tinyint(1)") {
		t = displayWidth.ReplaceAllString(t, "$1")
	}
	t = yearWidth.ReplaceAllString(t, "year")
	t = strings.ReplaceAll(strings.ReplaceAll(t, "geomcollection", "geometrycollection"), "/* mariadb-5.3 */", "")
	return strings.TrimSpace(charsetName.ReplaceAllString(t, "$1 utf8mb3$2"))
}

// plainDefault is a column's default. MariaDB quotes text and writes NULL out (10.2.7); MySQL does neither.
func plainDefault(value []byte, f flavor.Flavor) string {
	if value == nil || f.IsMariaDB() && string(value) == "NULL" {
		return "default NULL"
	}
	text := string(value)
	if f.IsMariaDB() && len(text) > 1 && strings.HasPrefix(text, "'") && strings.HasSuffix(text, "'") {
		text = strings.ReplaceAll(text[1:len(text)-1], "''", "'")
	}
	if nowCall.MatchString(text) {
		text = plainExpression(text)
	}
	return "default " + text
}

// plainExtra is what a column has besides, in MySQL 8.0's words, without DEFAULT_GENERATED, which older versions do not say.
func plainExtra(extra string) string {
	extra = strings.ToLower(extra)
	extra = strings.TrimSpace(strings.ReplaceAll(extra, "default_generated", ""))
	extra = strings.ReplaceAll(extra, "persistent", "stored generated")
	return nowCall.ReplaceAllString(extra, "current_timestamp")
}

// plainExpression is an expression without what versions write differently: introducers of literals' character sets,
// escaped quotes, spaces, brackets and case.
func plainExpression(e string) string {
	e = introducer.ReplaceAllString(e, "$2")
	e = nowCall.ReplaceAllString(strings.ToLower(e), "current_timestamp")
	e = strings.ReplaceAll(strings.ReplaceAll(e, "&&", "and"), "||", "or")
	return strings.NewReplacer(`\'`, "'", "`", "", " ", "", "(", "", ")", "").Replace(e)
}
