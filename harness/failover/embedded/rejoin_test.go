package embedded

import (
	"strings"
	"testing"

	"mysqlmatrix/harness/failover"
)

// TestCannotRejoin: a replaced primary that cannot replicate from the new one is told apart by what is to be done.
func TestCannotRejoin(t *testing.T) {
	old := deadPrimary()
	newer, lower := replicaAt(1, 100), replicaAt(1, 100)
	newer.Flavor = v84
	statements := old
	statements.Format = failover.FormatStatement
	for _, c := range []struct {
		what         string
		old, primary failover.Observation
		says         string
	}{
		{"of one version", old, replicaAt(1, 100), ""},
		{"older", old, newer, "does not read the logs of mysql 8.4.2: upgrade it, and have it replicate from replica1"},
		{"with a lower binary log format", statements, lower, "its binary log format is lower: set binlog_format as on replica1"},
	} {
		if got := cannotRejoin(c.old, c.primary); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", c.what, got, c.says)
		}
	}
}
