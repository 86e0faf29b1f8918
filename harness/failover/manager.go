// Package failover is what a suite sees of a program that replaces a dead primary: the manager, its plans, what it has
// done and what it can do.
package failover

import (
	"context"
	"time"

	"mysqlmatrix/harness/server"
)

// Manager watches one cluster and recovers it.
type Manager interface {
	// Start begins to watch, and returns when every server has been polled once.
	Start(ctx context.Context) error
	// Stop ends watching, after a recovery that is under way, and releases all connections.
	Stop(ctx context.Context) error
	// Audits are the recoveries, refusals and alerts until now, oldest first. The last one may be under way.
	Audits() []Audit
}

// Switcher is a manager that can also replace a healthy primary.
type Switcher interface {
	// Takeover makes a named replica the primary, and the old primary its replica. No acknowledged write is lost.
	Takeover(ctx context.Context, to string) error
}

// Acknowledger is a manager that starts no further recovery until an operator has acknowledged the last one, or its
// anti-flapping period is over.
type Acknowledger interface {
	Acknowledge(ctx context.Context) error
}

// Observer is a manager that says what it knows.
type Observer interface {
	// State is what it knew when it last considered the cluster.
	State() State
	// Health are the faults in it that no failover repairs, each with what to do.
	Health() []Plan
}

// Member is a server of the cluster.
type Member struct {
	Name     string
	Endpoint server.Endpoint // where the manager connects, with all privileges
	// Replication is where a replica connects, and with which account: the address by which replicas name their source.
	Replication server.Endpoint
	Rule        Rule
}

// PositionFinder finds the position in a new primary's binary log that continues what a replica has applied, without
// GTID. A replica without such a position is excluded.
type PositionFinder func(ctx context.Context, replica, primary *server.Server) (server.Coordinates, error)

// Capabilities are what a manager does and what a suite can do with it.
type Capabilities struct {
	// DetectsWithin is longer than a manager takes to find a primary dead: a suite watches it as long when it is to do nothing.
	DetectsWithin time.Duration
	// PollsFast says that it polls several times a second: its specs are short.
	PollsFast bool
	// AuditsRefusals says that a recovery that must not be done is in its audits.
	AuditsRefusals bool
	// NamesErrantReplica says that an alert about errant transactions names the replica, and not only its primary.
	NamesErrantReplica bool
	// ReportsLiveFaults says that it names what is wrong while every server answers, and what to do.
	ReportsLiveFaults bool
	// MovesChannels says that it has a replica of several primaries follow the new one and leaves its other sources alone.
	MovesChannels bool
	// Fences says that it makes a replaced primary read-only when that comes back.
	Fences bool
	// OwnAddresses says that it may reach a server by another address than replicas do.
	OwnAddresses bool
	// PlantsBugs says that a suite can build it with a fault in it.
	PlantsBugs bool
	// StoresPrimaries says that it writes a cluster's primary to a key-value store.
	StoresPrimaries bool
	// HasClient says that it comes with a command-line client.
	HasClient bool
	// InjectsPseudoGTID says that it can write Pseudo-GTID entries by itself.
	InjectsPseudoGTID bool
	// FormsRaft says that several of it can agree by raft.
	FormsRaft bool
}
