package flavor

// Dialect is how a server wants to be spoken to about replication: statements and names as data, so that
// no other package compares versions. Sources: MySQL's reference manual, "Deprecated/removed" sections of
// 8.0.22 (REPLICA statements), 8.0.23 (CHANGE REPLICATION SOURCE TO), 8.0.26 (source/replica variable
// and plug-in names), 8.2 (SHOW BINARY LOG STATUS), 8.4 (old forms removed); MariaDB's documentation of
// CHANGE MASTER TO and SHOW REPLICA STATUS. MariaDB accepts REPLICA for SLAVE since 10.5 but keeps the
// column names, so its old statements serve every version.
type Dialect struct {
	ShowReplicaStatus   string // one row for each channel
	ShowBinaryLogStatus string // file and position that the next event goes to
	ShowReplicas        string // replicas registered with this server
	StartReplica        string
	StopReplica         string
	StopIOThread        string
	StartIOThread       string
	StopSQLThread       string
	StartSQLThread      string
	ResetReplicaAll     string // forgets source and relay logs
	ResetBinaryLogs     string // deletes all binary logs and GTIDs executed
	ChangeSource        string // "CHANGE MASTER TO" or "CHANGE REPLICATION SOURCE TO"
	SourcePrefix        string // "MASTER" or "SOURCE": prefix of ChangeSource's options
	WaitPosition        string // function(file, position, seconds[, channel]) that waits for the applier
	WaitGTID            string // function(GTID set, seconds) that waits until it is executed
	WaitGTIDTimedOut    string // what WaitGTID answers when the time is over
	Channel             ChannelStyle

	StatusColumns StatusColumns // how ShowReplicaStatus names its columns

	PublicKeyOption string // option of ChangeSource for caching_sha2_password without TLS; "" when unknown to the server
	PlainTransport  string // options of ChangeSource that ask for a connection without TLS; "" where that is the default
	LogUpdates      string // option that makes a replica write what it applies to its own binary log
	SkipStart       string // option that leaves replication stopped at server start
	ReplicaNetTime  string // variable: seconds without data before a replica reconnects
	Isolation       string // variable holding the isolation level

	ReadOnlyOn, ReadOnlyOff []string // statements that keep everybody from writing, and that end it
	BrokenWorkers           string   // query for the applier's workers that have stopped in an error; "" where no table tells
	DataDictionary          bool     // tables are described in a transactional dictionary (MySQL 8.0)
	MasterSyntax            bool     // the old replication statements and options are known (MySQL 8.4 removed them)

	SemiSync SemiSync
	GTID     GTIDStyle
}

// ChannelStyle is where a replication statement names its channel.
type ChannelStyle uint8

// The ways of naming a channel. The zero value is invalid.
const (
	ChannelUnknown ChannelStyle = iota
	ChannelNone                 // one source only (MySQL before 5.7)
	ChannelSuffix               // … FOR CHANNEL 'name' (MySQL 5.7)
	ChannelInfix                // CHANGE MASTER 'name' TO, STOP SLAVE 'name' (MariaDB 10.0)
)

// GTIDStyle is which of the two unrelated GTID designs a server has.
type GTIDStyle uint8

// The GTID designs. The zero value is invalid.
const (
	GTIDUnknown GTIDStyle = iota
	GTIDNone              // MySQL 5.5
	GTIDMySQL             // uuid:interval sets, auto-position
	GTIDMariaDB           // domain-server-sequence positions, always on
)

// StatusColumns are the names of SHOW REPLICA STATUS columns.
type StatusColumns struct {
	SourceHost, SourcePort string
	IORunning, SQLRunning  string
	ReadFile, ReadPos      string // coordinates in the source's log up to which events were fetched
	ExecFile, ExecPos      string // coordinates in the source's log up to which events were applied
	RelayFile, RelayPos    string // position of the applier in the own relay log
	SecondsBehind          string
	Channel                string
	UsingGTID              string // Auto_Position (0/1) or Using_Gtid (No/Slave_Pos/Current_Pos)
}

// SemiSync are the names of semi-synchronous replication's switches; Plugin names are "" where it is
// built in (MariaDB 10.3).
type SemiSync struct {
	SourcePlugin, SourceLibrary   string
	ReplicaPlugin, ReplicaLibrary string
	SourceEnabled, ReplicaEnabled string // variables
	Timeout                       string // variable: milliseconds to wait before falling back to asynchronous
	WaitCount                     string // variable: acknowledgements to wait for; "" where it is always one
	StatusActive                  string // status variable on the source: ON while commits wait
	StatusClients                 string // status variable on the source: semi-synchronous replicas connected
	StatusWaiting                 string // status variable on the source: sessions that wait for an acknowledgement
}

// Dialect is the one that the flavor speaks.
func (f Flavor) Dialect() Dialect {
	d := oldDialect
	if f.IsMariaDB() {
		d.speakMariaDB(f)
		return d
	}
	if f.MinMySQL(5, 7, 0) {
		d.Channel, d.SemiSync.WaitCount = ChannelSuffix, "rpl_semi_sync_master_wait_for_slave_count"
		d.BrokenWorkers = brokenWorkers
	}
	if f.MinMySQL(5, 6, 0) {
		d.GTID, d.WaitGTID, d.WaitGTIDTimedOut = GTIDMySQL, "WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS", "-1"
	}
	if f.MinMySQL(5, 7, 5) {
		d.WaitGTID, d.WaitGTIDTimedOut = "WAIT_FOR_EXECUTED_GTID_SET", "1"
	}
	if f.MinMySQL(5, 7, 8) {
		// super_read_only implies read_only.
		d.ReadOnlyOn = []string{"SET GLOBAL super_read_only = 1"}
		d.ReadOnlyOff = []string{"SET GLOBAL super_read_only = 0", "SET GLOBAL read_only = 0"}
	}
	if f.MinMySQL(5, 7, 20) {
		d.Isolation = "transaction_isolation"
	}
	d.DataDictionary = f.MinMySQL(8, 0, 0)
	if f.MinMySQL(8, 0, 4) {
		d.PublicKeyOption = "GET_MASTER_PUBLIC_KEY"
	}
	if f.MinMySQL(8, 0, 26) {
		d.speakReplica()
		d.SemiSync = newSemiSync
	} else if f.MinMySQL(8, 0, 23) {
		d.speakReplica()
		d.LogUpdates, d.SkipStart, d.ReplicaNetTime = "log_slave_updates", "skip_slave_start", "slave_net_timeout"
		d.WaitPosition = "MASTER_POS_WAIT"
	}
	if f.MinMySQL(8, 2, 0) {
		d.ShowBinaryLogStatus = "SHOW BINARY LOG STATUS"
		d.ResetBinaryLogs = "RESET BINARY LOGS AND GTIDS"
	}
	if f.MinMySQL(8, 4, 0) {
		d.MasterSyntax = false
	}
	return d
}

// speakMariaDB makes it the dialect of a MariaDB.
func (d *Dialect) speakMariaDB(f Flavor) {
	d.Channel, d.GTID = ChannelInfix, GTIDMariaDB
	d.WaitGTID, d.WaitGTIDTimedOut = "MASTER_GTID_WAIT", "-1"
	d.StatusColumns.Channel, d.StatusColumns.UsingGTID = "Connection_name", "Using_Gtid"
	// Without ALL it shows only the connection named by @@default_master_connection.
	d.ShowReplicaStatus = "SHOW ALL SLAVES STATUS"
	d.SemiSync = oldSemiSync
	if f.MinMariaDB(10, 3, 0) {
		d.SemiSync.SourcePlugin, d.SemiSync.SourceLibrary = "", ""
		d.SemiSync.ReplicaPlugin, d.SemiSync.ReplicaLibrary = "", ""
	}
	if f.MinMariaDB(11, 3, 0) {
		// Since 11.3 a replica verifies the source's certificate unless told otherwise, and a sandbox has none.
		d.PlainTransport = "MASTER_SSL=0, MASTER_SSL_VERIFY_SERVER_CERT=0"
	}
	if f.MinMariaDB(11, 1, 1) {
		d.Isolation = "transaction_isolation"
	}
}

// speakReplica turns to the words that came with MySQL 8.0.22 (statements), 8.0.23 (CHANGE REPLICATION
// SOURCE TO) and 8.0.26 (options and functions).
func (d *Dialect) speakReplica() {
	d.ShowReplicaStatus = "SHOW REPLICA STATUS"
	d.ShowReplicas = "SHOW REPLICAS"
	d.StartReplica, d.StopReplica = "START REPLICA", "STOP REPLICA"
	d.StartIOThread, d.StopIOThread = "START REPLICA IO_THREAD", "STOP REPLICA IO_THREAD"
	d.StartSQLThread, d.StopSQLThread = "START REPLICA SQL_THREAD", "STOP REPLICA SQL_THREAD"
	d.ResetReplicaAll = "RESET REPLICA ALL"
	d.ChangeSource, d.SourcePrefix = "CHANGE REPLICATION SOURCE TO", "SOURCE"
	d.PublicKeyOption = "GET_SOURCE_PUBLIC_KEY"
	d.WaitPosition = "SOURCE_POS_WAIT"
	d.LogUpdates, d.SkipStart, d.ReplicaNetTime = "log_replica_updates", "skip_replica_start", "replica_net_timeout"
	d.StatusColumns = StatusColumns{
		SourceHost: "Source_Host", SourcePort: "Source_Port",
		IORunning: "Replica_IO_Running", SQLRunning: "Replica_SQL_Running",
		ReadFile: "Source_Log_File", ReadPos: "Read_Source_Log_Pos",
		ExecFile: "Relay_Source_Log_File", ExecPos: "Exec_Source_Log_Pos",
		RelayFile: "Relay_Log_File", RelayPos: "Relay_Log_Pos",
		SecondsBehind: "Seconds_Behind_Source", Channel: "Channel_Name", UsingGTID: "Auto_Position",
	}
}

var oldDialect = Dialect{
	ShowReplicaStatus:   "SHOW SLAVE STATUS",
	ShowBinaryLogStatus: "SHOW MASTER STATUS",
	ShowReplicas:        "SHOW SLAVE HOSTS",
	StartReplica:        "START SLAVE",
	StopReplica:         "STOP SLAVE",
	StartIOThread:       "START SLAVE IO_THREAD",
	StopIOThread:        "STOP SLAVE IO_THREAD",
	StartSQLThread:      "START SLAVE SQL_THREAD",
	StopSQLThread:       "STOP SLAVE SQL_THREAD",
	ResetReplicaAll:     "RESET SLAVE ALL",
	ResetBinaryLogs:     "RESET MASTER",
	ChangeSource:        "CHANGE MASTER TO",
	SourcePrefix:        "MASTER",
	WaitPosition:        "MASTER_POS_WAIT",
	Channel:             ChannelNone,
	StatusColumns: StatusColumns{
		SourceHost: "Master_Host", SourcePort: "Master_Port",
		IORunning: "Slave_IO_Running", SQLRunning: "Slave_SQL_Running",
		ReadFile: "Master_Log_File", ReadPos: "Read_Master_Log_Pos",
		ExecFile: "Relay_Master_Log_File", ExecPos: "Exec_Master_Log_Pos",
		RelayFile: "Relay_Log_File", RelayPos: "Relay_Log_Pos",
		SecondsBehind: "Seconds_Behind_Master", Channel: "Channel_Name", UsingGTID: "Auto_Position",
	},
	LogUpdates:     "log_slave_updates",
	SkipStart:      "skip_slave_start",
	ReplicaNetTime: "slave_net_timeout",
	Isolation:      "tx_isolation",
	SemiSync:       oldSemiSync,
	GTID:           GTIDNone,
	ReadOnlyOn:     []string{"SET GLOBAL read_only = 1"},
	ReadOnlyOff:    []string{"SET GLOBAL read_only = 0"},
	MasterSyntax:   true,
}

// brokenWorkers is for MySQL 5.7 and later. The channel's status has one error for all workers.
const brokenWorkers = `SELECT CHANNEL_NAME, WORKER_ID, LAST_ERROR_NUMBER, LAST_ERROR_MESSAGE, LAST_ERROR_TIMESTAMP
	FROM performance_schema.replication_applier_status_by_worker WHERE LAST_ERROR_NUMBER <> 0 ORDER BY LAST_ERROR_TIMESTAMP, WORKER_ID`

var oldSemiSync = SemiSync{
	SourcePlugin: "rpl_semi_sync_master", SourceLibrary: "semisync_master.so",
	ReplicaPlugin: "rpl_semi_sync_slave", ReplicaLibrary: "semisync_slave.so",
	SourceEnabled: "rpl_semi_sync_master_enabled", ReplicaEnabled: "rpl_semi_sync_slave_enabled",
	Timeout:      "rpl_semi_sync_master_timeout",
	StatusActive: "Rpl_semi_sync_master_status", StatusClients: "Rpl_semi_sync_master_clients", StatusWaiting: "Rpl_semi_sync_master_wait_sessions",
}

var newSemiSync = SemiSync{
	SourcePlugin: "rpl_semi_sync_source", SourceLibrary: "semisync_source.so",
	ReplicaPlugin: "rpl_semi_sync_replica", ReplicaLibrary: "semisync_replica.so",
	SourceEnabled: "rpl_semi_sync_source_enabled", ReplicaEnabled: "rpl_semi_sync_replica_enabled",
	Timeout: "rpl_semi_sync_source_timeout", WaitCount: "rpl_semi_sync_source_wait_for_replica_count",
	StatusActive: "Rpl_semi_sync_source_status", StatusClients: "Rpl_semi_sync_source_clients", StatusWaiting: "Rpl_semi_sync_source_wait_sessions",
}
