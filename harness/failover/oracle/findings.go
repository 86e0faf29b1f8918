// Package oracle judges a cluster after a failover by what was seen of it: while its servers run, and again later without them.
package oracle

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Check is one part of the oracle.
type Check string

// The checks.
const (
	CheckAudit       Check = "audit"       // complete, its times in order
	CheckReadOnly    Check = "read_only"   // off on the new primary and on no other server
	CheckReplication Check = "replication" // everybody follows the new primary, without an error, and catches up
	CheckRows        Check = "rows"        // everybody holds the same
	CheckLedger      Check = "ledger"      // what was acknowledged is there, but for what is stated as lost
	CheckLoss        Check = "loss"        // what is lost is exactly what no survivor had received
	CheckReceived    Check = "received"    // the new primary has all that it had ever received, and had it all the time; so have its replicas
	CheckWritable    Check = "writable"    // two servers took writes at a time for no longer than an old primary may until it is fenced
)

// Findings are what is wrong, by the check that found it.
type Findings map[Check]error

// Note adds what a check has found; nil is nothing.
func (f Findings) Note(c Check, err error) {
	if err != nil {
		f[c] = errors.Join(f[c], err)
	}
}

// Err is all of them, in the order of their names; nil when there are none.
func (f Findings) Err() error {
	var errs []error
	for _, c := range slices.Sorted(maps.Keys(f)) {
		errs = append(errs, fmt.Errorf("%s: %w", c, f[c]))
	}
	return errors.Join(errs...)
}
