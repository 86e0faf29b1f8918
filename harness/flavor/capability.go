package flavor

// Capability is something that a server can or cannot do. Capabilities are probed on the live server
// (package server) and cached with its basedir, because builds of one version differ.
type Capability string

// The capabilities that suites ask for.
const (
	CapGTID              Capability = "gtid"                           // GTID replication (MySQL 5.6, MariaDB 10.0)
	CapSemiSync          Capability = "semi-sync"                      // semi-synchronous replication can be switched on
	CapMultiSource       Capability = "multi-source"                   // several replication channels or connections
	CapJSON              Capability = "json"                           // a JSON type
	CapGeneratedColumns  Capability = "generated-columns"              // stored and virtual generated columns
	CapInvisibleColumns  Capability = "invisible-columns"              // MySQL 8.0.23, MariaDB 10.3
	CapInstantAddColumn  Capability = "instant-add-column"             // ALTER … ALGORITHM=INSTANT
	CapPerformanceSchema Capability = "performance-schema"             // compiled in (it may be off)
	CapEventScheduler    Capability = "event-scheduler"                // CREATE EVENT
	CapBinlogRowMinimal  Capability = "binlog-row-minimal"             // binlog_row_image (MySQL 5.6, MariaDB 10.1)
	CapBinlogCompression Capability = "binlog-compression"             // transaction or event compression in the binary log
	CapMD5               Capability = "md5"                            // MD5() built in (MySQL 9.6 moved it to a component)
	CapSuperReadOnly     Capability = "super-read-only"                // MySQL 5.7.8
	CapParallelApplier   Capability = "parallel-applier"               // parallel replication workers (MySQL 5.6, by database only; MariaDB 10.0)
	CapSequences         Capability = "sequences"                      // MariaDB 10.3
	CapSystemVersioning  Capability = "system-versioning"              // MariaDB 10.3
	CapCheckConstraints  Capability = "check-constraints"              // enforced CHECK
	CapTransactionIsoVar Capability = "transaction-isolation-variable" // @@transaction_isolation exists
)
