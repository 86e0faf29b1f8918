package failover_test

import (
	"testing"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/server"
)

func TestReadier(t *testing.T) {
	set := func(text string) server.GTIDSet {
		s, err := server.ParseGTIDSet(flavor.GTIDMySQL, "be94a1fd-6a90-499e-b04d-dd56fcda0870:"+text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	replica := func(name, executed, received string) failover.Observation {
		return failover.Observation{Name: name, Reachable: true, Executed: set(executed), Links: []failover.Link{{Received: set(received)}}}
	}
	for _, c := range []struct {
		what            string
		promoted, other failover.Observation
		want            string
	}{
		{"the one that waits is promoted", replica("replica1", "1-5", "1-9"), replica("replica2", "1-9", "1-9"), "replica2"},
		{"it alone has the last transaction", replica("replica1", "1-5", "1-9"), replica("replica2", "1-8", "1-8"), ""},
		{"it has applied all by now", replica("replica1", "1-9", "1-9"), replica("replica2", "1-9", "1-9"), ""},
		{"both wait", replica("replica1", "1-5", "1-9"), replica("replica2", "1-6", "1-9"), ""},
	} {
		audit := failover.Audit{Plan: failover.Plan{Promote: "replica1"}, State: failover.State{Servers: []failover.Observation{c.promoted, c.other}}}
		if got := readier(audit); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
