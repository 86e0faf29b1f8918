package migration_test

import (
	"context"
	"time"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/suitekit"
	"mysqlmatrix/harness/workload"
)

// watchLag measures the greatest lag of the replica, until the function that it returns is called.
func (f *fixture) watchLag(ctx context.Context) (stop func()) {
	lag, err := workload.WatchLag(ctx, f.primary, f.replica)
	suitekit.NoFault(err)
	return func() {
		if worst, known := lag.Stop(); known {
			suitekit.Detail("replica lag", "s", worst.Seconds())
		}
	}
}

// measure keeps what the tool did and used. stall is the longest statement of any writer: it waits for the
// lock of the exchange, if it waits for anything. Rates are over all of the tool's run, its start and its
// cut-over included; what a tool does not tell is left out.
func measure(result *migration.Result, stall time.Duration) {
	seconds := result.Duration.Seconds()
	suitekit.Measure("migration", "s", seconds)
	suitekit.Measure("cut-over stall", "ms", float64(stall.Milliseconds()))
	if result.RowsCopied >= 0 {
		suitekit.Measure("rows copied", "rows/s", float64(result.RowsCopied)/seconds)
	}
	if result.DMLApplied >= 0 {
		suitekit.Detail("events applied", "events/s", float64(result.DMLApplied)/seconds)
	}
	if result.CutOver > 0 {
		suitekit.Detail("cut-over lock", "ms", float64(result.CutOver.Milliseconds()))
	}
	suitekit.Detail("tool cpu", "s", result.Usage.CPU.Seconds())
	suitekit.Detail("tool memory", "MB", float64(result.Usage.Memory)/1e6)
}
