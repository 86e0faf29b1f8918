package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
)

// hidden stands where a password stood.
const hidden = "***"

// quoted is a value in quotes, which are escaped where the text was itself quoted: 'x', "x", \"x\".
const quoted = `'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|\\+["'](?:[^"'\\]|\\\\+.|\\[^"'\\])*\\+["']`

// The ways in which configurations, statements, command lines and connection strings give a password.
var secrets = []struct {
	pattern *regexp.Regexp
	with    string
}{
	// SQL: IDENTIFIED BY 'x', IDENTIFIED WITH plugin BY|AS 'x', MASTER_PASSWORD = 'x', PASSWORD('x').
	{regexp.MustCompile(`(?i)(identified\s+(?:(?:with|via)\s+\S+\s+)?(?:by|as|using)\s+(?:password\s+)?)(` + quoted + `|0x[0-9a-f]+)`), "${1}'" + hidden + "'"},
	{regexp.MustCompile(`(?i)(password\s*\(\s*)(` + quoted + `)`), "${1}'" + hidden + "'"},
	// Options and JSON: password=x, --password=x, "password": "x", MYSQL_PWD=x, master-password = x.
	{regexp.MustCompile(`(?i)([\w-]*(?:password|passwd|pwd)(?:\\*["'])?\s*[=:]\s*)(` + quoted + `|(?:\\*["'])?[^\s,;&"'}]+)`), "${1}" + hidden},
	// An option and its value, parted by a blank or in a list: --db-password x, -password x, "--password", "x".
	{regexp.MustCompile(`(?i)(\B--?[\w-]*(?:password|passwd)(?:\s+|\\*["'],\s*))(` + quoted + `|[^\s-]\S*)`), "${1}" + hidden},
	// A client's -px, which follows a blank and is no other short option of it.
	{regexp.MustCompile(`(^|\s)(-p)([^\s=-][^\s]*)`), "${1}${2}" + hidden},
	// Perl's and dbdeployer's -p x; elsewhere -p is most often something else.
	{regexp.MustCompile(`(\b(?:pt-[\w-]+|dbdeployer|mysql\w*|mariadb[\w-]*)\s(?:[^\n]*?\s)?-p\s+)(` + quoted + `|[^\s-]\S*)`), "${1}" + hidden},
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

// literal is a text in JSON.
var literal = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// redactJSON takes the passwords out of each text in a JSON document. Redact, given the whole, would take the escapes
// for the texts' own, and might leave no JSON.
func redactJSON(document []byte) (_ []byte, err error) {
	redacted := literal.ReplaceAllFunc(document, func(escaped []byte) []byte {
		var text string
		again := bytes.NewBuffer(nil)
		err = errors.Join(err, json.Unmarshal(escaped, &text), encoder(again).Encode(Redact(text)))
		return bytes.TrimSpace(again.Bytes())
	})
	return redacted, err
}

// encoder writes JSON for people.
func encoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e
}
