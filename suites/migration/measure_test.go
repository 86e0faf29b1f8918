package migration_test

import (
	"time"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/suitekit"
)

// measure keeps what every migration is measured by. stall is the longest statement of any writer: it waits
// for the lock of the exchange, if it waits for anything.
func measure(result *migration.Result, stall time.Duration) {
	seconds := result.Duration.Seconds()
	suitekit.Measure("migration", "s", seconds)
	suitekit.Measure("cut-over stall", "ms", float64(stall.Milliseconds()))
	if result.CutOver > 0 {
		suitekit.Detail("cut-over lock", "ms", float64(result.CutOver.Milliseconds()))
	}
	if result.RowsCopied >= 0 {
		suitekit.Detail("rows copied", "rows/s", float64(result.RowsCopied)/seconds)
	}
	if result.DMLApplied >= 0 {
		suitekit.Detail("events applied", "events/s", float64(result.DMLApplied)/seconds)
	}
}
