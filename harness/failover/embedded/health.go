package embedded

import (
	"fmt"
	"strings"
	"time"

	"mysqlmatrix/harness/failover"
)

// healthConfirmations is how many considerations in a row must find a fault before it is reported: what the servers say was asked
// at different moments.
const healthConfirmations = 3

// Health are the faults of a cluster that no failover repairs, while its servers answer: each with what to do.
func Health(s failover.State) (faults []failover.Plan) {
	add := func(problem failover.Problem, server, format string, args ...any) {
		faults = append(faults, failover.Plan{Action: failover.Alert, Problem: problem, Dead: server, Reason: server + " " + fmt.Sprintf(format, args...)})
	}
	for _, o := range s.Servers {
		if !o.Reachable || s.Replaced[o.Name] != "" {
			continue
		}
		for _, l := range o.Links {
			source, ok := observationAt(s, l.Source)
			if !ok || !source.Reachable || s.Replaced[source.Name] != "" {
				continue
			}
			linkFaults(o, l, source, add)
		}
		if len(o.Links) == 1 && !inRing(s, o) {
			dataFaults(s, o, add)
		}
	}
	for _, o := range s.Servers {
		if s.Replaced[o.Name] != "" {
			continue
		}
		if o.Reachable {
			settingFaults(s, o, add)
		}
		// One that answers no poll may still say this: the binary log's position is behind a lock that the statements hold.
		if primary := len(o.Links) == 0 && hasReplicas(s, o); primary && o.Survey.Waiting > 0 && !o.SemiSync {
			add(failover.StalledWrites, o.Name, "has %d statements that have waited for more than %s (%s): look for a full disk in its error log, for a lock of all tables, and at its storage", o.Survey.Waiting, longWait, o.Survey.Wait)
		}
	}
	if primary, ok := readOnlyPrimary(s); ok {
		add(failover.ReadOnlyPrimary, primary, "is read-only, as every other server is, and has no source: it has replicas, or was the last to be promoted; set read_only = 0 if it is the primary")
	}
	if names := writablePrimaries(s); len(names) > 1 {
		add(failover.ErrantServer, names[len(names)-1], "takes writes, and so do %s: make all but one read-only, and compare their data", strings.Join(names[:len(names)-1], ", "))
	}
	return faults
}

// linkFaults are those of a replica that does not receive or apply, while its source answers.
func linkFaults(o failover.Observation, l failover.Link, source failover.Observation, add func(failover.Problem, string, string, ...any)) {
	switch {
	case l.Fetch == failover.Stopped && l.FetchErrno != 0:
		add(failover.BrokenReplica, o.Name, "receives nothing from %s: %s; if the source has purged what it needs, rebuild it from another server", source.Name, l.FetchError)
	case l.Fetch == failover.Stopped:
		add(failover.StoppedReplica, o.Name, "receives nothing from %s: its receiver was stopped; start it, or it will lack data in a failover", source.Name)
	}
	if l.Apply == failover.Stopped && l.Error == "" {
		add(failover.StoppedReplica, o.Name, "applies nothing: its applier was stopped; start it, or a failover waits for it")
	}
}

// dataFaults are those of a replica that has what its primary lacks.
func dataFaults(s failover.State, o failover.Observation, add func(failover.Problem, string, string, ...any)) {
	root, ok := rootOf(s, o)
	if !ok || !root.Reachable || len(root.Links) > 0 || root.ServerID == 0 {
		return
	}
	if own := errant(o, root); !own.IsEmpty() {
		add(failover.ErrantServer, o.Name, "has transactions that its primary %s never had: %s; it cannot be promoted, and cannot be followed once they are purged", root.Name, own)
	}
	l := o.Links[0]
	more := l.Received.Minus(root.Executed).Minus(o.Wrote.Without(root.UUID))
	if o.Flavor.IsMariaDB() {
		more = writtenBy(root, o.Wrote).Minus(root.Wrote).Minus(o.Wrote.RestoredAt(root.Applied, root.Wrote, o.ServerID))
	}
	// One that still receives may have what its primary is about to commit.
	if l.GTID && l.Fetch == failover.Stopped && l.Source == root.Addr && !more.IsEmpty() && root.At.After(o.At) {
		add(failover.LostBinlogEnd, root.Name, "lacks transactions of its own that %s has: %s; it has lost the end of its binary log, and will use their GTIDs again", o.Name, more)
	}
}

// tooLong is a network time-out by which a primary that hangs is missed long after its writes have stopped.
const tooLong = 30 * time.Second

// settingFaults are those of what a server is told to do, while nothing has failed.
func settingFaults(s failover.State, o failover.Observation, add func(failover.Problem, string, string, ...any)) {
	replica, primary := len(o.Links) > 0 && !inRing(s, o), len(o.Links) == 0 && hasReplicas(s, o)
	switch {
	case primary && len(o.Survey.IdleEvents) > 0:
		add(failover.MisplacedEvents, o.Name, "is the primary and does not run the events %s, since it has replicated them: ALTER EVENT … ENABLE, or they run nowhere", strings.Join(o.Survey.IdleEvents, ", "))
	case replica && len(o.Survey.Events) > 0:
		add(failover.MisplacedEvents, o.Name, "is a replica and runs the events %s: ALTER EVENT … DISABLE ON SLAVE (REPLICA), or they run on the primary as well", strings.Join(o.Survey.Events, ", "))
	}
	if replica && o.Survey.NetTimeout > tooLong {
		add(failover.SlowToNotice, o.Name, "misses a primary that hangs after %s only, and until then nothing can be decided: set slave_net_timeout (replica_net_timeout) to a few seconds, and restart its receiver", o.Survey.NetTimeout)
	}
	if replica && !o.ReadOnly && len(o.Links) == 1 {
		add(failover.ErrantServer, o.Name, "is a replica and takes writes: set read_only = 1, also in its option file")
	}
}

// rootOf is the server at the top of a replica's chain of sources.
func rootOf(s failover.State, o failover.Observation) (failover.Observation, bool) {
	for range s.Servers {
		if len(o.Links) == 0 {
			return o, true
		}
		source, ok := observationAt(s, o.Links[0].Source)
		if !ok || len(o.Links) > 1 {
			return o, false
		}
		o = source
	}
	return o, false
}

// readOnlyPrimary is the name of a read-only server that others replicate from, or that was the last to be promoted, when no
// server takes writes.
func readOnlyPrimary(s failover.State) (name string, ok bool) {
	for _, o := range s.Servers {
		if !o.Reachable || !o.ReadOnly && s.Replaced[o.Name] == "" {
			return "", false // it may take writes
		}
		if len(o.Links) == 0 && s.Replaced[o.Name] == "" && (hasReplicas(s, o) || promoted(s, o.Name)) {
			name, ok = o.Name, true
		}
	}
	return name, ok
}

// promoted says whether a server was promoted, and not replaced since.
func promoted(s failover.State, name string) bool {
	for replaced := range s.Replaced {
		if successorOf(s, replaced) == name {
			return true
		}
	}
	return false
}

// writablePrimaries are the servers without a source that take writes, those with replicas first. Primaries of one replica
// that replicates from both are meant to be so.
func writablePrimaries(s failover.State) (names []string) {
	var without []string
	for _, o := range s.Servers {
		if len(o.Links) > 1 {
			return nil
		}
		switch {
		case !o.Reachable || o.ReadOnly || len(o.Links) > 0:
		case hasReplicas(s, o):
			names = append(names, o.Name)
		default:
			without = append(without, o.Name)
		}
	}
	return append(names, without...)
}

func hasReplicas(s failover.State, o failover.Observation) bool {
	for _, other := range s.Servers {
		if _, ok := other.LinkTo(o.Addr); ok {
			return true
		}
	}
	return false
}

// reportHealth enters each fault once it was found several times in a row, and again when it comes back.
func (m *Manager) reportHealth(state failover.State) {
	found := map[string]int{}
	for _, plan := range Health(state) {
		key := plan.Problem.String() + " " + plan.Dead
		if _, ok := found[key]; ok {
			continue
		}
		found[key] = m.faults[key] + 1
		if found[key] == healthConfirmations {
			m.journal.begin(failover.Audit{Plan: plan, State: state, Done: true})
		}
	}
	m.faults = found
}
