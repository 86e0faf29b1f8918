package bundle

import "regexp"

// hidden stands where a password stood.
const hidden = "***"

// The ways in which configurations, statements, command lines and connection strings give a password.
var secrets = []struct {
	pattern *regexp.Regexp
	with    string
}{
	// SQL: IDENTIFIED BY 'x', IDENTIFIED WITH plugin BY|AS 'x', MASTER_PASSWORD = 'x', PASSWORD('x').
	{regexp.MustCompile(`(?i)(identified\s+(?:(?:with|via)\s+\S+\s+)?(?:by|as|using)\s+(?:password\s+)?)('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|0x[0-9a-f]+)`), "${1}'" + hidden + "'"},
	{regexp.MustCompile(`(?i)(password\s*\(\s*)('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*")`), "${1}'" + hidden + "'"},
	// Options and JSON: password=x, --password=x, "password": "x", MYSQL_PWD=x, master-password = x.
	{regexp.MustCompile(`(?i)((?:[\w-]*(?:password|passwd|pwd))["']?\s*[=:]\s*)('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|[^\s,;&"'}]+)`), "${1}" + hidden},
	// An option and its value, parted by a blank: --db-password x.
	{regexp.MustCompile(`(--[\w-]*(?:password|passwd)\s+)([^\s-][^\s]*)`), "${1}" + hidden},
	// A client's -px, which follows a blank and is no other short option of it.
	{regexp.MustCompile(`(^|\s)(-p)([^\s=-][^\s]*)`), "${1}${2}" + hidden},
	// A connection string: user:x@tcp(…), mysql://user:x@host.
	{regexp.MustCompile(`(\b[\w.-]+:)([^\s:@/'"]+)(@(?:tcp|unix)\()`), "${1}" + hidden + "${3}"},
	{regexp.MustCompile(`(://[^\s:@/]+:)([^\s@/]+)(@)`), "${1}" + hidden + "${3}"},
	// pt-online-schema-change's: h=127.0.0.1,P=3306,p=x
	{regexp.MustCompile(`((?:^|[,\s])[A-Za-z]=[^\s]*?,p=)([^\s,]+)`), "${1}" + hidden},
	{regexp.MustCompile(`(\sp=)([^\s,]+)(,[A-Za-z]=)`), "${1}" + hidden + "${3}"},
}

// Redact takes the passwords out of a text.
func Redact(text string) string {
	for _, s := range secrets {
		text = s.pattern.ReplaceAllString(text, s.with)
	}
	return text
}
