package pseudogtid

import (
	"testing"

	"mysqlmatrix/harness/server"
)

// TestReplicates: a target that was started a moment ago is waited for, and one that is stopped or has met an error is not.
func TestReplicates(t *testing.T) {
	for _, c := range []struct {
		status server.ReplicaStatus
		want   bool
	}{
		{server.ReplicaStatus{IORunning: "Yes", SQLRunning: "Yes"}, true},
		{server.ReplicaStatus{IORunning: "Connecting", SQLRunning: "Yes"}, true},
		{server.ReplicaStatus{IORunning: "Preparing", SQLRunning: "Yes"}, true},
		{server.ReplicaStatus{IORunning: "Connecting", SQLRunning: "Yes", IOErrno: 2003}, false},
		{server.ReplicaStatus{IORunning: "No", SQLRunning: "Yes"}, false},
		{server.ReplicaStatus{IORunning: "Yes", SQLRunning: "No"}, false},
	} {
		if got := replicates(c.status); got != c.want {
			t.Errorf("%s: %v, want %v", c.status, got, c.want)
		}
	}
}
