package devtopology

import (
	"slices"
	"testing"
	"time"

	"mysqlmatrix/harness/failover/process"
)

func TestChanges(t *testing.T) {
	at := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	none, much := 0, 9
	quiet := func() *Snapshot {
		s := &Snapshot{At: at, Name: "mysql-9.7", Topology: "star:1", Server: "mysql 9.7.4", Nodes: []NodeSeen{
			{Name: "primary", Coordinates: "b.000001:4", GTID: "u:1"},
			{Name: "replica1", ReadOnly: true, Coordinates: "b.000001:4", Channels: []ChannelSeen{{Source: "primary", IO: "Yes", SQL: "Yes", Lag: &none}}},
		}}
		s.giveRoles()
		return s
	}
	decided := process.Decision{Done: true}
	decided.Plan.Action, decided.Plan.Promote, decided.Plan.Dead, decided.Plan.Problem = "promote", "replica1", "primary", "dead primary"
	underWay := decided
	underWay.Done = false
	for _, c := range []struct {
		name        string
		before, now func(*Snapshot)
		want        []string
	}{
		{"nothing", nil, func(s *Snapshot) { s.At = s.At.Add(time.Hour) }, nil},
		{"writes alone", nil, func(s *Snapshot) { s.Nodes[0].GTID, s.Nodes[0].Coordinates = "u:1-9", "b.000001:999" }, nil},
		{"lag", nil, func(s *Snapshot) { s.Nodes[1].Channels[0].Lag = &much }, []string{"replica1 lags 9 s behind primary"}},
		{"thread", nil, func(s *Snapshot) {
			s.Nodes[1].Channels[0].SQL, s.Nodes[1].Channels[0].Error = "No", "error 1062: twice"
		},
			[]string{"replica1 follows primary: I/O Yes, SQL No, error 1062: twice"}},
		{"read-only", nil, func(s *Snapshot) { s.Nodes[0].ReadOnly = true }, []string{"primary is read-only"}},
		{"death", nil, func(s *Snapshot) { s.Nodes[0] = NodeSeen{Name: "primary", Role: "down"} }, []string{"primary is down"}},
		{"promotion", nil, func(s *Snapshot) {
			s.Nodes[1] = NodeSeen{Name: "replica1", Coordinates: "b.000002:4", Role: "primary"}
			s.Decisions = []process.Decision{underWay}
		}, []string{"replica1 is primary, at b.000002:4", "replica1 takes writes", "replica1 follows nobody", "manager: promote replica1 in place of primary: dead primary; under way"}},
		{"its end", func(s *Snapshot) { s.Decisions = []process.Decision{underWay} }, func(s *Snapshot) { s.Decisions = []process.Decision{decided} },
			[]string{"manager: promote replica1 in place of primary: dead primary; done"}},
		{"fault", nil, func(s *Snapshot) { s.Faults = []Injected{{Fault: "kill", Nodes: []string{"primary"}, At: at}} }, []string{"injected: kill primary"}},
		{"healing", func(s *Snapshot) {
			s.Faults = []Injected{{Fault: "lag", Nodes: []string{"replica1"}, By: "9s", At: at}}
		}, nil, []string{"healed: lag replica1 9s"}},
		{"the same again", func(s *Snapshot) { s.Faults = []Injected{{Fault: "kill", Nodes: []string{"primary"}, At: at}} },
			func(s *Snapshot) {
				s.Faults = []Injected{{Fault: "kill", Nodes: []string{"primary"}, At: at.Add(time.Second)}}
			}, []string{"injected: kill primary", "healed: kill primary"}},
		{"a silent manager", func(s *Snapshot) { s.Decisions = []process.Decision{decided} }, func(s *Snapshot) { s.ManagerError = "gone" }, []string{"manager: gone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, now := quiet(), quiet()
			if c.before != nil {
				c.before(before)
			}
			if c.now != nil {
				c.now(now)
			}
			var want []string
			for _, line := range c.want {
				want = append(want, now.At.Format(time.TimeOnly)+" "+line)
			}
			if got := Changes(before, now); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// One fault is the same as another of its kind at the same place, whichever way round and by whatever amount.
func TestSameFault(t *testing.T) {
	cut := Injected{Fault: "cut", Nodes: []string{"a", "b"}}
	for _, c := range []struct {
		other Injected
		want  bool
	}{
		{Injected{Fault: "cut", Nodes: []string{"b", "a"}, By: "1s"}, true},
		{Injected{Fault: "cut", Nodes: []string{"a", "c"}}, false},
		{Injected{Fault: "drop", Nodes: []string{"a", "b"}}, false},
		{Injected{Fault: "cut", Nodes: []string{"a"}}, false},
	} {
		if cut.same(c.other) != c.want {
			t.Errorf("%s and %s: want %t", cut, c.other, c.want)
		}
	}
}
