package workload

import (
	"fmt"

	"mysqlmatrix/harness/server"
)

// column is a column to compare, by its DATA_TYPE in information_schema.
type column struct{ name, dataType string }

// kind is how values of a type are ordered and written as literals.
type kind uint8

const (
	kindText     kind = iota // ordered by the bytes of its text in utf8mb4, whatever its collation
	kindNumber               // exact numbers
	kindFloat                // sent as text with six digits, unless asked as a DOUBLE
	kindBits                 // sent as bytes
	kindTemporal             // ordered and quoted as text
	kindBinary               // bytes
)

var kinds = map[string]kind{
	"tinyint": kindNumber, "smallint": kindNumber, "mediumint": kindNumber, "int": kindNumber, "bigint": kindNumber,
	"decimal": kindNumber, "year": kindNumber,
	"float": kindFloat, "double": kindFloat,
	"bit":  kindBits,
	"date": kindTemporal, "time": kindTemporal, "datetime": kindTemporal, "timestamp": kindTemporal,
	"binary": kindBinary, "varbinary": kindBinary,
	"tinyblob": kindBinary, "blob": kindBinary, "mediumblob": kindBinary, "longblob": kindBinary,
}

// value is the expression that a column is read by, so that the server sends all of it.
func (c column) value() string {
	if kinds[c.dataType] == kindFloat {
		// As DOUBLE in the shortest text that tells it from its neighbours. A product keeps the sign of zero.
		return server.Ident(c.name) + " * 1E0"
	}
	return server.Ident(c.name)
}

// order is the expression that rows are ordered by: one order on every server, whatever the collation or the
// order of an ENUM's members.
func (c column) order() string {
	switch kinds[c.dataType] {
	case kindText:
		return "CAST(CONVERT(" + server.Ident(c.name) + " USING utf8mb4) AS BINARY)"
	case kindBits:
		return server.Ident(c.name) + " + 0"
	default:
		return c.value()
	}
}

// literal writes a value of the order expression into a statement.
func (c column) literal(value []byte) string {
	switch kinds[c.dataType] {
	case kindText, kindBinary:
		return fmt.Sprintf("x'%x'", value)
	case kindTemporal:
		return "'" + string(value) + "'"
	default:
		return string(value)
	}
}
