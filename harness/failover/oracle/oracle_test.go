package oracle

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/workload"
)

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func has(text string) *string { return &text }

// at is a sample so many polls after the begin.
func at(polls int, node string, writable bool, received string) Sample {
	return Sample{At: begin.Add(time.Duration(polls) * SamplePoll), Node: node, Writable: writable, Received: has(received)}
}

// healthy is a cluster in which nothing is wrong: replica1 has taken the primary's place.
func healthy() Seen {
	p := failover.Phases{Suspected: begin, Detected: begin.Add(1), ReceiversStopped: begin.Add(2), Applied: begin.Add(3), Writable: begin.Add(4), Following: begin.Add(5)}
	return Seen{
		Style: flavor.GTIDMariaDB, Primary: "replica1", Sampled: true,
		Nodes:   []Node{{Name: "replica1", Part: Leads}, {Name: "replica2", Part: Follows, ReadOnly: true, Received: has("0-1-9")}},
		Samples: []Sample{at(0, "replica1", false, "0-1-7"), at(1, "replica2", false, "0-1-8"), at(2, "replica1", true, "0-1-9")},
		Writes: Writes{Lossless: true, Journal: map[int64]int64{1: 10, 2: 20, 3: 30},
			Sent: workload.Sent{Acknowledged: map[int64]int64{1: 10, 2: 20}, Unanswered: map[int64]int64{3: 30, 4: 40}}},
		Recovery: &Recovery{Done: true, Repoint: []string{"replica2"}, Followers: []string{"replica2"}, Phases: p},
		Loss:     &Loss{Old: map[int64]int64{1: 10, 2: 20, 3: 30, 4: 40}, Unreceived: 1, From: "mysql-bin.000001:4"},
	}
}

func TestJudge(t *testing.T) {
	if found := Judge(healthy()); len(found) > 0 {
		t.Fatalf("nothing is wrong, and is found: %v", found.Err())
	}
	for want, change := range map[Check]func(*Seen){
		CheckAudit:       func(s *Seen) { s.Recovery.Followers = nil },
		CheckReadOnly:    func(s *Seen) { s.Nodes[1].ReadOnly = false },
		CheckReplication: func(s *Seen) { s.Nodes[0].Sources = []string{"source 127.0.0.1:1"} },
		CheckRows:        func(s *Seen) { s.Nodes[1].Differences = []string{"one row differs"} },
		CheckLedger: func(s *Seen) {
			s.Writes.Unlike = workload.Differences{{Key: 10, Want: "sequence 2", Got: "sequence 1"}}
		},
		CheckLoss:     func(s *Seen) { s.Loss.Unreceived = 0 },
		CheckReceived: func(s *Seen) { s.Samples = append(s.Samples, at(3, "replica1", true, "0-1-8")) },
		CheckWritable: func(s *Seen) {
			for n := range int(FenceLimit/SamplePoll) + 5 {
				s.Samples = append(s.Samples, at(10+n, "replica1", true, "0-1-9"), at(10+n, "primary", true, "0-1-9"))
			}
		},
	} {
		s := healthy()
		change(&s)
		if found := Judge(s); !slices.Equal(slices.Collect(maps.Keys(found)), []Check{want}) {
			t.Errorf("%s: found %v", want, found.Err())
		}
	}
}

// TestSamplesThatWereJudged: what was wrong before all was well is not found again, and what is wrong still is.
func TestSamplesThatWereJudged(t *testing.T) {
	s := healthy()
	s.Samples = append(s.Samples, at(3, "replica1", true, "0-1-8"), Sample{At: begin, AllWell: true})
	if found := Judge(s); len(found) > 0 {
		t.Errorf("found %v", found.Err())
	}
	s.Samples = append(s.Samples, at(4, "replica1", true, "0-1-8"))
	if found := Judge(s); found[CheckReceived] == nil {
		t.Error("what is lost still is not found")
	}
	s.Samples = append(s.Samples, Sample{At: begin, Node: "replica1", Rebuilt: true}, at(5, "replica1", true, "0-1-3"))
	if found := Judge(s); len(found) > 0 {
		t.Errorf("of a server that was rebuilt: %v", found.Err())
	}
}

// TestRejudge: evidence that an oracle has judged which was blind in one check, or saw what was not there, is judged by this one.
func TestRejudge(t *testing.T) {
	folder := t.TempDir()
	lost := healthy()
	delete(lost.Writes.Journal, 2)
	lost.Loss.Unreceived = 2 // two are missing: one that was acknowledged, and one in doubt
	blind := Judge(lost)
	if blind[CheckLedger] == nil {
		t.Fatal("a lost write is not found")
	}
	delete(blind, CheckLedger)
	if err := (Judged{lost, blind.Texts()}).Write(folder, "a"); err != nil {
		t.Fatal(err)
	}
	if err := (Judged{healthy(), map[Check]string{CheckReadOnly: "node replica1: read_only is true"}}).Write(folder, "b"); err != nil {
		t.Fatal(err)
	}
	list, err := Rejudge(folder)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d, %v", len(list), err)
	}
	if one := list[0]; len(one.Then) != 0 || !strings.Contains(one.Now[CheckLedger], "1 of them lost") {
		t.Errorf("a blind oracle: %+v", one)
	}
	if one := list[1]; len(one.Then) != 1 || len(one.Now) != 0 {
		t.Errorf("an oracle that saw what was not there: %+v", one)
	}
}
