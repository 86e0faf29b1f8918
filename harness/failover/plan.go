package failover

// Action is what is to be done.
type Action uint8

// The actions. The zero value is invalid.
const (
	ActionUnknown Action = iota
	Watch                // nothing is wrong, or not enough is known yet
	Alert                // something is wrong that a failover would not mend
	Refuse               // a failover is needed and must not or cannot be done
	Unblock              // a primary is to wait for acknowledgements no more
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
	DeadPrimary              // nobody reaches it
	DeadPrimaryAndReplicas   // nobody is left to promote
	DeadIntermediate         // a server in the middle of a chain, or a partner in a ring
	ReplicasNotReplicating   // the primary answers, and nobody replicates from it
	BrokenReplica            // an applier has stopped with an error
	ErrantServer             // it has what its primary never had, or takes writes beside the primary
	BlockedPrimary           // its commits wait for acknowledgements that nobody gives
	CannotFollowAfterFailure // a replica could not be wired to the new primary
)

var problemNames = map[Problem]string{
	NoProblem: "none", UnreachablePrimary: "unreachable primary", DeadPrimary: "dead primary",
	DeadPrimaryAndReplicas: "dead primary and replicas", DeadIntermediate: "dead intermediate primary",
	ReplicasNotReplicating: "replicas not replicating", BrokenReplica: "broken replica",
	ErrantServer: "errant server", BlockedPrimary: "blocked primary", CannotFollowAfterFailure: "replica lost in recovery",
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
	Action  Action   `json:"action"`
	Problem Problem  `json:"problem"`
	Reason  string   `json:"reason"`
	Dead    string   `json:"dead,omitempty"`    // name of the server that has failed
	Promote string   `json:"promote,omitempty"` // name of the new primary
	Above   string   `json:"above,omitempty"`   // name of the server that those of a dead intermediate primary move to
	Rewire  []string `json:"rewire,omitempty"`  // names of those that are to follow the one or the other
	Apart   []Apart  `json:"apart,omitempty"`   // those that cannot
}

// Apart is a server that takes no part in the recovered cluster, and why.
type Apart struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}
