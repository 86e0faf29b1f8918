package usertables

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mysqlmatrix/harness/server"
)

// values makes values for a table's columns, by their types and constraints. They come from a seed.
type values struct {
	random *rand.Rand
	// hints are literals that stand in a column's CHECK constraints.
	hints map[string][]string
	// documents are columns of text whose CHECK wants JSON: MariaDB's type of that name.
	documents map[string]bool
	// serial is counted up for columns whose values must differ.
	serial int64
}

// hintEvery is how often, of ten, a value is one that a CHECK names.
const hintEvery = 7

var (
	checkLine   = regexp.MustCompile(`(?i)CHECK \((.*)\)`)
	quotedValue = regexp.MustCompile(`'((?:[^'\\]|''|\\.)*)'`)
	number      = regexp.MustCompile(`-?\b\d+(?:\.\d+)?\b`)
)

// newValues reads the constraints in a table's definition.
func newValues(seed int64, statement string, list []column) *values {
	v := &values{random: rand.New(rand.NewPCG(uint64(seed), 0x7ab1e5)), hints: map[string][]string{}, documents: map[string]bool{}, serial: 1}
	for line := range strings.Lines(statement) {
		check := checkLine.FindStringSubmatch(line)
		if check == nil {
			continue
		}
		for _, c := range list {
			if strings.Contains(check[1], server.Ident(c.name)) {
				v.documents[c.name] = v.documents[c.name] || strings.Contains(strings.ToLower(check[1]), "json_valid("+strings.ToLower(server.Ident(c.name)))
				v.hints[c.name] = append(v.hints[c.name], hintsIn(check[1], c)...)
			}
		}
	}
	return v
}

// hintsIn are the literals of a CHECK that a column could hold, and for numbers those beside them.
func hintsIn(check string, c column) (list []string) {
	if c.isNumber() {
		for _, digits := range number.FindAllString(quotedValue.ReplaceAllString(check, ""), -1) {
			list = append(list, digits)
			if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
				list = append(list, strconv.FormatInt(n+1, 10), strconv.FormatInt(n-1, 10))
			}
		}
		return list
	}
	for _, text := range quotedValue.FindAllStringSubmatch(check, -1) {
		list = append(list, quoteText(strings.ReplaceAll(text[1], "''", "'")))
	}
	return list
}

var numberTypes = []string{"tinyint", "smallint", "mediumint", "int", "integer", "bigint", "decimal", "numeric", "float", "double", "year", "bit"}

func (c column) isNumber() bool { return slices.Contains(numberTypes, c.base()) }

// quoteText is a literal that means the same in every sql_mode and character set.
func quoteText(text string) string { return fmt.Sprintf("_utf8mb4 x'%x'", text) }

// value is a literal for a column. Values of a unique column differ from one another as far as its type has room.
func (v *values) value(c column, unique bool) string {
	if hints := v.hints[c.name]; len(hints) > 0 && !unique && v.random.IntN(10) < hintEvery {
		return hints[v.random.IntN(len(hints))]
	}
	if c.nullable && !unique && v.random.IntN(8) == 0 {
		return "NULL"
	}
	n := v.random.Int64N(1_000_000)
	if unique {
		v.serial++
		n = v.serial
	}
	if literal, ok := v.ofNumber(c, n, unique); ok {
		return literal
	}
	if literal, ok := ofTime(c, n); ok {
		return literal
	}
	return v.ofOther(c, n, unique)
}

// narrower is a column as it is to be written when a change gives it another type: a value is to fit both.
func (c column) narrower(after column) column {
	both := c
	both.nullable = c.nullable && after.nullable
	size, sizeAfter := bytesOf[c.base()], bytesOf[after.base()]
	first, _ := c.size()
	firstAfter, _ := after.size()
	switch {
	case size > 0 && sizeAfter > 0:
		if sizeAfter < size {
			both.typ = after.typ
		}
		if strings.Contains(c.typ+after.typ, "unsigned") != strings.Contains(both.typ, "unsigned") || strings.Contains(c.typ, "unsigned") != strings.Contains(after.typ, "unsigned") {
			both.positive = true
		}
	case c.base() == "enum" || c.base() == "set":
		if after.base() == c.base() && members(after.typ) < members(c.typ) {
			both.typ = after.typ
		}
	case c.isNumber() && after.isNumber(), c.charset != "" && after.charset != "", c.base() == after.base():
		if firstAfter > 0 && (firstAfter < first || first == 0) {
			both.typ = after.typ
		}
		if c.charset != after.charset {
			both.charset = "ascii"
		}
	case c.charset != "" && after.isNumber():
		both.digits = true
	}
	return both
}

// bytesOf is how many bytes an integer type has.
var bytesOf = map[string]uint{"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "integer": 4, "bigint": 8}

func (v *values) ofNumber(c column, n int64, unique bool) (string, bool) {
	unsigned := strings.Contains(c.typ, "unsigned")
	first, second := c.size()
	if size, ok := bytesOf[c.base()]; ok {
		top := int64(1)<<(8*size-1) - 1
		if unique {
			return strconv.FormatInt(n%max(top, 1), 10), true
		}
		edges := []int64{0, 1, top, n % top, n % 1000 % top}
		if !unsigned && !c.positive {
			edges = append(edges, -1, -top-1, -(n % top))
		}
		return strconv.FormatInt(edges[v.random.IntN(len(edges))], 10), true
	}
	switch c.base() {
	case "decimal", "numeric":
		whole := min(max(first-second, 1), 9)
		text := strconv.FormatInt(n%pow10(whole), 10)
		if second > 0 {
			text += "." + fmt.Sprintf("%0*d", min(second, 9), v.random.Int64N(pow10(min(second, 9))))
		}
		return text, true
	case "float", "double":
		return fmt.Sprintf("%d.%02d", n%100_000, v.random.IntN(100)), true
	case "year":
		return strconv.FormatInt(1950+n%150, 10), true
	case "bit":
		return strconv.FormatInt(n%(1<<min(max(first, 1), 30)), 10), true
	}
	return "", false
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// ofTime keeps to what every temporal type holds.
func ofTime(c column, n int64) (string, bool) {
	if !slices.Contains([]string{"date", "datetime", "timestamp", "time"}, c.base()) {
		return "", false
	}
	fraction := ""
	if digits, _ := c.size(); digits > 0 {
		fraction = fmt.Sprintf(".%0*d", digits, n%pow10(digits))
	}
	day := fmt.Sprintf("%04d-%02d-%02d", 1975+n/336%60, 1+n/28%12, 1+n%28)
	clock := fmt.Sprintf("%02d:%02d:%02d", n/20160%24, n/840%60, n%60)
	switch c.base() {
	case "date":
		return "'" + day + "'", true
	case "datetime", "timestamp":
		return "'" + day + " " + clock + fraction + "'", true
	default:
		return "'" + clock + fraction + "'", true
	}
}

// letters go into text; those beyond ASCII only where the character set has them.
const letters = "abcdefghij klmnopqrst"

var wideLetters = []string{"ż", "é", "日", "😀", "Ω"}

func (v *values) text(c column, n int64, unique bool) string {
	room, _ := c.size()
	if room == 0 {
		room = 40
	}
	room = min(room, 40)
	if unique {
		tail := strconv.FormatInt(n, 36)
		return strings.Repeat("k", max(0, min(room, 8)-len(tail))) + tail[max(0, len(tail)-room):]
	}
	var b strings.Builder
	for range v.random.IntN(room + 1) {
		b.WriteByte(letters[v.random.IntN(len(letters))])
	}
	text := b.String()
	if len(text) < room && (c.charset == "utf8mb4" || c.charset == "utf8" || c.charset == "utf8mb3") {
		wide := wideLetters[v.random.IntN(len(wideLetters))]
		if c.charset == "utf8mb4" || len(wide) < 4 {
			text += wide
		}
	}
	return text
}

// members counts the members of an ENUM or SET.
func members(typ string) int { return len(quotedValue.FindAllString(typ, -1)) }

// shapes are values of spatial types.
var shapes = map[string]string{"linestring": "LINESTRING(0 0,%d 1)", "polygon": "POLYGON((0 0,0 5,%d 5,0 0))", "multipoint": "MULTIPOINT(1 1,%d 2)",
	"multilinestring": "MULTILINESTRING((0 0,%d 1))", "multipolygon": "MULTIPOLYGON(((0 0,0 5,%d 5,0 0)))", "geometrycollection": "GEOMETRYCOLLECTION(POINT(%d 1))",
	"geomcollection": "GEOMETRYCOLLECTION(POINT(%d 1))", "point": "POINT(%d 1)", "geometry": "POINT(%d 1)"}

func (v *values) ofOther(c column, n int64, unique bool) string {
	room, _ := c.size()
	if room == 0 {
		room = 40
	}
	switch base := c.base(); base {
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext":
		if v.documents[c.name] {
			return fmt.Sprintf(`'{"n": %d}'`, n)
		}
		if c.digits {
			return quoteText(strconv.FormatInt(n%100, 10))
		}
		return quoteText(v.text(c, n, unique))
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return fmt.Sprintf("x'%0*x'", 2*min(room, 8), uint64(n)&(1<<(8*min(room, 7))-1))
	case "enum":
		return strconv.FormatInt(1+n%int64(max(members(c.typ), 1)), 10)
	case "set":
		return strconv.FormatInt(n%(1<<min(members(c.typ), 30)), 10)
	case "json":
		return fmt.Sprintf(`'{"n": %d, "list": [1, 2.5, null], "text": "a%d"}'`, n, v.random.IntN(100))
	case "uuid":
		return fmt.Sprintf("'%08x-0000-4000-8000-%012x'", n, v.random.Int64N(1<<40))
	case "inet6":
		return fmt.Sprintf("'2001:db8::%x'", n%65536)
	case "inet4":
		return fmt.Sprintf("'10.%d.%d.%d'", n>>16&255, n>>8&255, n&255)
	case "vector":
		return "NULL"
	default:
		if shape, ok := shapes[base]; ok {
			return fmt.Sprintf("ST_GeomFromText('"+shape+"')", 1+n%1000)
		}
		return "DEFAULT"
	}
}

// literal writes a value as it was read into a statement.
func (c column) literal(value []byte) string {
	switch {
	case value == nil:
		return "NULL"
	case c.base() == "bit":
		return fmt.Sprintf("0x%x", value)
	case c.isNumber():
		return string(value)
	case c.charset == "" && slices.Contains([]string{"date", "datetime", "timestamp", "time", "uuid", "inet6", "inet4"}, c.base()):
		return "'" + string(value) + "'"
	case c.charset == "":
		return fmt.Sprintf("x'%x'", value)
	default:
		return quoteText(string(value))
	}
}
