package migration

import (
	"strconv"
	"time"

	"mysqlmatrix/harness/proc"
)

// Result is what a tool did, by what it said.
type Result struct {
	Target   Target // where the changed table is, if the tool succeeded
	Log      string // path of everything that the tool printed
	Output   string // the same as text
	ExitCode int    // -1 when it did not start or was ended by a signal
	Duration time.Duration
	Usage    proc.Usage // of the tool's process and what it ran
	// RowsCopied counts rows copied from the old table, -1 when the tool did not say. Rows that were
	// inserted while it copied may or may not be among them.
	RowsCopied int64
	// DMLApplied counts the writes that the tool took from the binary log, -1 for a tool that does not say.
	DMLApplied int64
	// CutOver is how long the table was locked for the exchange, as the tool measured it; 0 when it does not
	// say.
	CutOver time.Duration
}

// parseCount reads digits; -1 for a number too large to be true.
func parseCount(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
