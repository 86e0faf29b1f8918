package flavor

// CanReplicateFrom says whether a replica of flavor f may follow a source of the given flavor: one family
// (MySQL with Percona Server, or MariaDB), and a source whose series is not newer. Servers read the binary
// logs of older series, not of newer ones (MySQL manual, "Replication Compatibility Between MySQL
// Versions"; MariaDB, "Cross-Version Replication Compatibility").
func (f Flavor) CanReplicateFrom(source Flavor) bool {
	if f.IsMariaDB() != source.IsMariaDB() {
		return false
	}
	if f.MinMySQL(8, 0, 0) && !source.MinMySQL(5, 7, 0) {
		return false // from one series to the next only, and 8.0 is next to 5.7
	}
	return f.Version.AtLeast(source.Version.Major, source.Version.Minor, 0)
}

// ReceivesWholeTransactions says whether a replica counts a transaction as received only once all of it is there. MySQL
// 5.6 counts it from its first event on (seen on 5.6.24), so that the end of half a transaction would be waited for in vain.
func (f Flavor) ReceivesWholeTransactions() bool { return f.IsMariaDB() || f.MinMySQL(5, 7, 0) }

// StartDeletesRelayLogs says whether a replica that uses GTID deletes its relay logs when one of its threads is started while
// both are stopped (MariaDB, sql/sql_repl.cc, start_slave).
func (f Flavor) StartDeletesRelayLogs() bool { return f.IsMariaDB() }

// GTIDNeedsLogUpdates says whether a replica that logs nothing of what it applies cannot use GTIDs: MySQL before 5.7.5,
// which keeps the executed ones in the binary log only.
func (f Flavor) GTIDNeedsLogUpdates() bool { return !f.IsMariaDB() && !f.MinMySQL(5, 7, 5) }
