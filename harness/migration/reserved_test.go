package migration

import (
	"slices"
	"testing"
)

// TestReserves holds which options a user must not give, in each of the ways in which a tool takes them.
func TestReserves(t *testing.T) {
	for _, test := range []struct {
		tool     string
		options  []string
		reserved bool
	}{
		{NameGhost, []string{"--chunk-size=100", "--discard-foreign-keys"}, false},
		{NameGhost, []string{"-host=10.0.0.1"}, true},
		{NameGhost, []string{"--throttle-control-replicas", "10.0.0.1:3306"}, true},
		{NameGhost, []string{"--force-table-names=x"}, true},
		{NameGhost, []string{"--test-on-replica-skip-replica-stop"}, true},
		{NamePTOSC, []string{"--alter-foreign-keys-method=auto", "--recursion-method=none", "--chunk-time", "1"}, false},
		{NamePTOSC, []string{"--set-vars=lock_wait_timeout=5"}, false},
		{NamePTOSC, []string{"--set-vars", "sql_log_bin=0"}, true},
		{NamePTOSC, []string{"--set-vars=lock_wait_timeout=5,SQL_LOG_BIN=0"}, true},
		{NamePTOSC, []string{"--recursion-method=dsn=h=10.0.0.1,D=a,t=b"}, true},
		{NamePTOSC, []string{"--recursion-method", "dsn=h=10.0.0.1"}, true},
		{NamePTOSC, []string{"--check-slave-lag=h=10.0.0.1"}, true},
		{NamePTOSC, []string{"--noswap"}, true},
		{NamePTOSC, []string{"-h10.0.0.1"}, true},
	} {
		i := slices.IndexFunc(Descriptors(), func(d *Descriptor) bool { return d.Name == test.tool })
		if got := Descriptors()[i].Reserves(test.options); (got != "") != test.reserved {
			t.Errorf("%s %q: got %q", test.tool, test.options, got)
		}
	}
}
