// Package failover tests the death of a primary under load: who is promoted, how long it takes, what is lost.
package failover_test

import (
	"testing"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/suitekit"
)

func TestFailover(t *testing.T) { suitekit.Run(t, sandbox.ProfileDurable) }
