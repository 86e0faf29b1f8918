package migration

import "fmt"

// Mode is a way of changing a table: which server is read, and which one is changed.
type Mode uint8

// The modes. The zero value is invalid.
const (
	ModeUnknown Mode = iota
	// ModeReplica: gh-ost reads the replica's binary log and changes the primary. Its default.
	ModeReplica
	// ModePrimary: gh-ost reads the primary's own binary log (--allow-on-master).
	ModePrimary
	// ModeTestOnReplica: gh-ost builds the changed table on the replica, stops replication, swaps the tables
	// and swaps them back (--test-on-replica). The primary keeps its table.
	ModeTestOnReplica
	// ModeMigrateOnReplica: gh-ost changes the table on the replica only (--migrate-on-replica).
	ModeMigrateOnReplica
	// ModeTriggers: pt-online-schema-change copies on the primary and follows writes by triggers.
	ModeTriggers
)

var modeNames = map[Mode]string{
	ModeReplica:          "replica",
	ModePrimary:          "allow-on-master",
	ModeTestOnReplica:    "test-on-replica",
	ModeMigrateOnReplica: "migrate-on-replica",
	ModeTriggers:         "triggers",
}

// String is the mode's name; gh-ost's modes are named for its flags.
func (m Mode) String() string {
	if name, ok := modeNames[m]; ok {
		return name
	}
	return fmt.Sprintf("unknown mode %d", uint8(m))
}

// NeedsReplica says whether the tool connects to a replica in this mode.
func (m Mode) NeedsReplica() bool {
	return m == ModeReplica || m == ModeTestOnReplica || m == ModeMigrateOnReplica
}

// Node says on which server of a job something is.
type Node uint8

// The nodes of a job. The zero value is invalid.
const (
	NodeUnknown Node = iota
	NodePrimary
	NodeReplica
)

// String is "primary" or "replica".
func (n Node) String() string {
	switch n {
	case NodePrimary:
		return "primary"
	case NodeReplica:
		return "replica"
	default:
		return fmt.Sprintf("unknown node %d", uint8(n))
	}
}

// Target is where a mode leaves the changed table.
type Target struct {
	Node  Node
	Table string
	// Original is the server and table to compare with, as it was before the change but with all the writes:
	// only the modes that change a replica leave one.
	Original *Target
	// Stopped says that replication is left stopped on the replica, so that the two tables stay comparable.
	Stopped bool
}

// Target is where the changed table is after a migration of the given table.
//
//   - replica, allow-on-master, triggers: the primary has it under the table's name, and replication takes
//     it to the replicas.
//   - test-on-replica: the replica has it as _TABLE_gho beside the unchanged table; replication is stopped.
//   - migrate-on-replica: the replica has it under the table's name, and goes on replicating from a primary
//     with the old structure.
func (m Mode) Target(table string) Target {
	switch m {
	case ModeTestOnReplica:
		return Target{
			Node: NodeReplica, Table: "_" + table + "_gho", Stopped: true,
			Original: &Target{Node: NodeReplica, Table: table},
		}
	case ModeMigrateOnReplica:
		return Target{Node: NodeReplica, Table: table, Original: &Target{Node: NodePrimary, Table: table}}
	case ModeReplica, ModePrimary, ModeTriggers:
		return Target{Node: NodePrimary, Table: table}
	default:
		return Target{}
	}
}
