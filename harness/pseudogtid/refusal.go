package pseudogtid

import (
	"fmt"

	"mysqlmatrix/harness/server"
)

// Refusal is why the coordinates at which a replica would continue on another server are not known.
type Refusal uint8

// The refusals. The zero value is invalid.
const (
	RefusalUnknown Refusal = iota
	NoEntry                // the replica's logs hold no entry
	NotFound               // the target never had the replica's last entry, as far as its logs tell
	Purged                 // the logs that would tell were purged
	Diverged               // the histories differ
	ReplicaAhead           // the replica has what the target lacks: replicate the other way round
	Filtered               // a replication filter makes the histories differ
	NoLog                  // a server has no log that could be used
	Moving                 // the replica went on applying while it was matched
)

var refusals = map[Refusal][2]string{
	NoEntry:      {"no-entry", "the replica's logs hold no Pseudo-GTID entry"},
	NotFound:     {"not-found", "the target's logs do not hold the replica's last entry, and never did"},
	Purged:       {"purged", "the logs that would tell were purged"},
	Diverged:     {"diverged", "the histories differ"},
	ReplicaAhead: {"replica-ahead", "the replica is ahead of the target: let the target replicate from the replica"},
	Filtered:     {"filtered", "replication filters make the histories differ"},
	NoLog:        {"no-log", "there is no log that could be used"},
	Moving:       {"moving", "the replica went on applying while it was matched"},
}

// String is the refusal's name in one word, as scripts and counts have it.
func (r Refusal) String() string {
	if words, ok := refusals[r]; ok {
		return words[0]
	}
	return "unknown"
}

// Words is the refusal in a sentence.
func (r Refusal) Words() string {
	if words, ok := refusals[r]; ok {
		return words[1]
	}
	return "unknown"
}

// RefusalError is a match that would be wrong or a guess.
type RefusalError struct {
	Why             Refusal
	Detail          string // more about it, "" where Why is enough
	Replica, Target string // names of the two histories
	Entry           string // hint of the replica's last entry, "" when there is none
	// OnReplica and OnTarget are the events at which the histories differ; nil where a history ends.
	OnReplica, OnTarget *Item
	// Reverse is, for ReplicaAhead, where in the replica's logs the target would replicate from.
	Reverse server.Coordinates

	// The last coordinates up to which both are equal, for explain.
	agreedReplica, agreedTarget server.Coordinates
}

// Error says why, and shows both events at which the histories differ.
func (e *RefusalError) Error() string {
	text := fmt.Sprintf("%s below %s: %s", e.Replica, e.Target, e.Why.Words())
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Entry != "" {
		text += "; last entry " + e.Entry
	}
	if e.OnReplica != nil {
		text += fmt.Sprintf("; the replica has at %s: %s", e.OnReplica.Start, e.OnReplica)
	}
	if e.OnTarget != nil {
		text += fmt.Sprintf("; the target has at %s: %s", e.OnTarget.Start, e.OnTarget)
	}
	if !e.Reverse.IsZero() {
		text += fmt.Sprintf("; the target can replicate from the replica, from %s", e.Reverse)
	}
	return text
}
