package failover

// Action is what is to be done.
type Action uint8

// The actions. The zero value is invalid.
const (
	ActionUnknown Action = iota
	Watch                // nothing is wrong, or not enough is known yet
	Alert                // something is wrong that a failover would not repair
	Refuse               // a failover is needed and must not or cannot be done
	Unblock              // a primary is to stop waiting for acknowledgements
	Relocate             // the replicas of a dead intermediate primary move to its source
	Promote
)

var actionNames = map[Action]string{Watch: "watch", Alert: "alert", Refuse: "refuse", Unblock: "unblock", Relocate: "relocate", Promote: "promote"}

// String is watch, alert, refuse, unblock, relocate or promote.
func (a Action) String() string {
	if name, ok := actionNames[a]; ok {
		return name
	}
	return "unknown action"
}

// MarshalText writes the action as String does.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Problem is what is wrong with the cluster.
type Problem uint8

// The problems. The zero value is invalid; NoProblem is none.
const (
	ProblemUnknown Problem = iota
	NoProblem
	UnreachablePrimary       // the manager cannot reach it; a replica still replicates from it, or may do
	DeadPrimary              // neither the manager nor a replica reaches it
	DeadPrimaryAndReplicas   // no server is left to promote
	DeadIntermediate         // a server in the middle of a chain, or a partner in a ring
	ReplicasNotReplicating   // the primary answers, and no server replicates from it
	BrokenReplica            // an applier has stopped with an error
	ErrantServer             // it has what its primary never had, or takes writes beside the primary
	BlockedPrimary           // its commits wait for acknowledgements that no replica gives
	OtherProblem             // one that the reason names
	StoppedReplica           // a thread of a replica was stopped by hand
	ReadOnlyPrimary          // no server takes writes, though the primary is alive
	LostBinlogEnd            // a replica has transactions of its live primary that the primary lacks
	MisplacedEvents          // events of the scheduler that run nowhere, or on a replica as well
	SlowToNotice             // a replica waits for long until it misses a primary that hangs
	StalledWrites            // a primary answers, and commits nothing
	CannotFollowAfterFailure // a replica could not be wired to the new primary
)

var problemNames = map[Problem]string{
	NoProblem: "none", UnreachablePrimary: "unreachable primary", DeadPrimary: "dead primary",
	DeadPrimaryAndReplicas: "dead primary and replicas", DeadIntermediate: "dead intermediate primary",
	ReplicasNotReplicating: "replicas not replicating", BrokenReplica: "broken replica",
	ErrantServer: "errant server", BlockedPrimary: "blocked primary", OtherProblem: "other", StoppedReplica: "stopped replica", ReadOnlyPrimary: "read-only primary", LostBinlogEnd: "lost end of the binary log", MisplacedEvents: "misplaced events", SlowToNotice: "slow to notice", StalledWrites: "stalled writes", CannotFollowAfterFailure: "replica lost in recovery",
}

// String is the problem in words.
func (p Problem) String() string {
	if name, ok := problemNames[p]; ok {
		return name
	}
	return "unknown problem"
}

// MarshalText writes the problem as String does.
func (p Problem) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Plan is a decision, and what it rests on.
type Plan struct {
	Action  Action  `json:"action"`
	Problem Problem `json:"problem"`
	Reason  string  `json:"reason"`
	Dead    string  `json:"dead,omitempty"`    // name of the server that has failed
	Promote string  `json:"promote,omitempty"` // name of the new primary
	// Alternatives are candidates with the same data as the one to promote, in order of preference.
	Alternatives []string `json:"alternatives,omitempty"`
	// Source is the server that the replicas of a dead intermediate primary, or a server that rejoins, are to follow.
	Source   string      `json:"source,omitempty"`
	Repoint  []string    `json:"repoint,omitempty"`  // names of the replicas that are to follow the new primary or Source
	Excluded []Exclusion `json:"excluded,omitempty"` // replicas that cannot
}

// Exclusion is a server that does not replicate in the recovered cluster, and why.
type Exclusion struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}
