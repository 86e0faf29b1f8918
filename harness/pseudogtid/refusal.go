package pseudogtid

import (
	"fmt"

	"mysqlmatrix/harness/server"
)

// Refusal is why a replica's place on another server is not known.
type Refusal uint8

// The refusals. The zero value is invalid.
const (
	RefusalUnknown Refusal = iota
	NoEntry                // the replica's logs hold no entry
	NotFound               // the target never had the replica's last entry, as far as its logs tell
	Purged                 // the logs that would tell were purged
	Diverged               // the histories differ
	ReplicaAhead           // the replica has what the target has not: turn the pair round
	Filtered               // a replication filter keeps the histories apart
	NoLog                  // a server has no log that could be used
	Moving                 // the replica went on applying while it was matched
)

var refusals = map[Refusal][2]string{
	NoEntry:      {"no-entry", "the replica's logs hold no Pseudo-GTID entry"},
	NotFound:     {"not-found", "the target's logs do not hold the replica's last entry, and never did"},
	Purged:       {"purged", "the logs that would tell were purged"},
	Diverged:     {"diverged", "the histories differ"},
	ReplicaAhead: {"replica-ahead", "the replica is ahead of the target: turn the pair round"},
	Filtered:     {"filtered", "replication filters keep the histories apart"},
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

// Words say it in a sentence.
func (r Refusal) Words() string {
	if words, ok := refusals[r]; ok {
		return words[1]
	}
	return "unknown"
}

// RefusalError is a match that would be wrong or a guess.
type RefusalError struct {
	Why             Refusal
	Detail          string // in words, "" where Why says it all
	Replica, Target string // names of the two histories
	Entry           string // hint of the replica's last entry, "" when there is none
	// OnReplica and OnTarget are the events where histories part; nil where a history ends.
	OnReplica, OnTarget *Item
	// Turned is, for ReplicaAhead, where in the replica's logs the target would replicate from.
	Turned server.Coordinates

	// Where both were last of one mind, for explain.
	agreedReplica, agreedTarget server.Coordinates
}

// Error says why, and shows both events where histories part.
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
	if !e.Turned.IsZero() {
		text += fmt.Sprintf("; the target can replicate from the replica, from %s", e.Turned)
	}
	return text
}
