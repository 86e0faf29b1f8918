package migration

import (
	"fmt"
	"slices"
	"strings"
)

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
	// ModeBinaryLog: spirit copies on the primary and follows writes by the primary's binary log.
	ModeBinaryLog
	// ModeCopy, ModeInplace and ModeInstant: the server's own ALTER TABLE with that ALGORITHM.
	ModeCopy
	ModeInplace
	ModeInstant
	// ModeTriggers: pt-online-schema-change copies on the primary and follows writes by triggers.
	ModeTriggers
)

var modeNames = map[Mode]string{
	ModeReplica:          "replica",
	ModePrimary:          "allow-on-master",
	ModeTestOnReplica:    "test-on-replica",
	ModeMigrateOnReplica: "migrate-on-replica",
	ModeBinaryLog:        "binary-log",
	ModeCopy:             "copy",
	ModeInplace:          "inplace",
	ModeInstant:          "instant",
	ModeTriggers:         "triggers",
}

// String is the mode's name; gh-ost's modes are named for its flags.
func (m Mode) String() string {
	if name, ok := modeNames[m]; ok {
		return name
	}
	return fmt.Sprintf("unknown mode %d", uint8(m))
}

// ParseMode reads a mode of a tool by its name. "" is the one that leaves the primary as it is, or else the
// tool's most usual one.
func ParseMode(t Tool, name string) (Mode, error) {
	modes := t.Describe().Modes
	if name == "" {
		if slices.Contains(modes, ModeTestOnReplica) {
			return ModeTestOnReplica, nil
		}
		return modes[0], nil
	}
	var names []string
	for _, mode := range modes {
		if mode.String() == name {
			return mode, nil
		}
		names = append(names, mode.String())
	}
	return ModeUnknown, fmt.Errorf("%s has no mode %q; it has %s", t.Name(), name, strings.Join(names, ", "))
}

// lockInstrument are the option lines of a server that tells who waits for which metadata lock, with the rest
// of performance_schema kept small. gh-ost asks before it lets go of the table at the cut-over. Where it has
// to go without (--skip-metadata-lock-check), waiting writers can get at the old table before the RENAME does,
// and their acknowledged writes are lost: seen on MariaDB 11.8 in three of nine migrations.
var lockInstrument = []string{
	"performance_schema=ON",
	"loose-performance-schema-instrument=wait/lock/metadata/sql/mdl=ON",
	"loose-performance_schema_error_size=0",
	"loose-performance_schema_digests_size=0",
	"loose-performance_schema_events_waits_history_long_size=0",
	"loose-performance_schema_events_stages_history_long_size=0",
	"loose-performance_schema_events_statements_history_long_size=0",
	"loose-performance_schema_events_transactions_history_long_size=0",
	"loose-performance_schema_accounts_size=10",
	"loose-performance_schema_hosts_size=10",
	"loose-performance_schema_users_size=10",
}

// ServerOptions are the option lines that servers need for the mode.
func (m Mode) ServerOptions() []string {
	var lines []string
	switch m {
	case ModeTriggers, ModeCopy, ModeInplace, ModeInstant:
	default:
		lines = append(lines, lockInstrument...)
	}
	if m == ModeMigrateOnReplica {
		// The replica's table gets a wider column than its source's: the applier must be allowed to convert.
		// MySQL 8.0.26 renamed the variable; each server takes the name that it knows.
		lines = append(lines, "loose-slave_type_conversions=ALL_NON_LOSSY", "loose-replica_type_conversions=ALL_NON_LOSSY")
	}
	return lines
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
//   - replica, allow-on-master, binary-log, triggers, and the server's own: the primary has it under the table's name, and replication takes
//     it to the replicas.
//   - test-on-replica: the replica has it as _TABLE_gho beside the unchanged table; replication is stopped.
//   - migrate-on-replica: the replica has it under the table's name, and goes on replicating from a primary
//     with the old structure.
func (m Mode) Target(table string) Target {
	switch m {
	case ModeTestOnReplica:
		return Target{
			Node: NodeReplica, Table: SafeName(table, "gho"), Stopped: true,
			Original: &Target{Node: NodeReplica, Table: table},
		}
	case ModeMigrateOnReplica:
		return Target{Node: NodeReplica, Table: table, Original: &Target{Node: NodePrimary, Table: table}}
	case ModeReplica, ModePrimary, ModeBinaryLog, ModeTriggers, ModeCopy, ModeInplace, ModeInstant:
		return Target{Node: NodePrimary, Table: table}
	default:
		return Target{}
	}
}

// nameLimit is the longest name of a table, in characters.
const nameLimit = 64

// SafeName is the name that gh-ost gives to a table beside another one: a long name is cut (getSafeTableName in
// its go/base/context.go, which counts bytes).
func SafeName(table, suffix string) string {
	extra := max(0, len(table)+len(suffix)+2-nameLimit)
	return "_" + table[:max(0, len(table)-extra)] + "_" + suffix
}
