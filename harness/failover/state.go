package failover

import (
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/server"
)

// State is everything that a decision is made from.
type State struct {
	Now     time.Time     `json:"now"`
	Servers []Observation `json:"servers"`
	// LastRecovery is when the last recovery ended; zero when there was none.
	LastRecovery time.Time `json:"last_recovery,omitzero"`
	// Failed are candidates that could not be promoted in the recovery under way, by name, with the reason.
	Failed map[string]string `json:"failed,omitempty"`
	// Replaced are primaries that were replaced, by name, with the name of the new primary.
	Replaced map[string]string `json:"replaced,omitempty"`
}

// Observation is what the last poll of a server has shown. When the server does not answer, what it said
// of itself before is kept.
type Observation struct {
	Name string `json:"name"`
	Addr string `json:"addr"` // "host:port", as replicas name their source
	Rule Rule   `json:"rule"`

	Reachable bool      `json:"reachable"`
	At        time.Time `json:"at"`                 // when the last poll that succeeded began
	Failures  int       `json:"failures,omitempty"` // polls that have failed since
	Since     time.Time `json:"since,omitzero"`     // when the first of them began
	Error     string    `json:"error,omitempty"`    // of the last of them
	// Gone says that the last of them was refused a connection: the process has ended. One that hangs refuses none.
	Gone bool `json:"gone,omitempty"`
	// Started is when its process was started, to about a second.
	Started time.Time `json:"started,omitzero"`
	// Restarted is when it stopped answering, of a replica that was started again, and has received nothing since.
	Restarted time.Time `json:"restarted,omitzero"`
	// DropsRelayLogs says that it starts without what it had received and not applied, to receive it again.
	DropsRelayLogs bool `json:"drops_relay_logs,omitempty"`

	Flavor     flavor.Flavor `json:"flavor,omitzero"`
	Format     Format        `json:"format,omitempty"` // of its binary log
	LogUpdates bool          `json:"log_updates"`      // writes what it applies to its own binary log
	ReadOnly   bool          `json:"read_only"`
	// Unwritable says that no setting can make it take writes: InnoDB was started read-only.
	Unwritable bool `json:"unwritable,omitempty"`
	// LowerCaseTableNames is that variable: replicas of another value look for other tables.
	LowerCaseTableNames string `json:"lower_case_table_names,omitempty"`
	// BinlogFilters are databases that its binary log leaves out or is limited to, as "Binlog_Do_DB=shop".
	BinlogFilters []string `json:"binlog_filters,omitempty"`
	SemiSync      bool     `json:"semi_sync"` // its commits wait for replicas
	// Acknowledging are the replicas connected that acknowledge, WaitsFor how many a commit waits for.
	Acknowledging int `json:"acknowledging,omitempty"`
	WaitsFor      int `json:"waits_for,omitempty"`
	// Serves are the server ids of the replicas that are connected, while its commits wait for some.
	Serves []uint64 `json:"serves,omitempty"`
	// Acknowledges says that it acknowledges what it receives; CanWait that its commits could wait for replicas.
	Acknowledges bool   `json:"acknowledges,omitempty"`
	CanWait      bool   `json:"can_wait,omitempty"`
	ServerID     uint64 `json:"server_id"`
	UUID         string `json:"uuid,omitempty"` // MySQL's server_uuid

	// Executed are the GTIDs that it has; on MariaDB a position.
	Executed server.GTIDSet `json:"executed"`
	// Wrote is what the binary log holds by the server that wrote it: on MySQL the same as Executed, on
	// MariaDB gtid_binlog_state. It shows transactions that did not come from the primary.
	Wrote server.GTIDSet `json:"wrote"`
	// Lost are transactions that it was seen to have received, and has no more: a crash may take relay logs along.
	Lost server.GTIDSet `json:"lost"`
	// Survey is what was asked at longer intervals, and no decision rests on.
	Survey Survey `json:"survey,omitzero"`
	// Applied is the position that it was restored at or has replicated up to, its own writes left out (MariaDB).
	Applied server.GTIDSet `json:"applied"`
	// Purged are the GTIDs that it has executed and has no longer in its binary logs (MySQL).
	Purged server.GTIDSet `json:"purged"`
	Links  []Link         `json:"links,omitempty"` // sources that it replicates from
}

// Survey is what only reports of a server's health rest on.
type Survey struct {
	// Events are events that run on it, while its scheduler is on. IdleEvents do not run, since the server has replicated them.
	Events     []string `json:"events,omitempty"`
	IdleEvents []string `json:"idle_events,omitempty"`
	// NetTimeout is how long its receivers wait for a source that says nothing.
	NetTimeout time.Duration `json:"net_timeout,omitempty"`
	// Waiting are statements that have waited for long to be committed or for a global lock, and Wait in what state.
	Waiting int    `json:"waiting,omitempty"`
	Wait    string `json:"wait,omitempty"`
}

// Link is one replication channel of a server.
type Link struct {
	Channel string `json:"channel,omitempty"`
	Source  string `json:"source"` // "host:port" of the server, by whatever name the replica knows it
	// SourceID and SourceUUID are what the source has told of itself: its server_id and, on MySQL, its server_uuid.
	SourceID   uint64             `json:"source_id,omitempty"`
	SourceUUID string             `json:"source_uuid,omitempty"`
	GTID       bool               `json:"gtid"`  // replicates by GTID
	Fetch      Thread             `json:"fetch"` // the I/O thread
	Apply      Thread             `json:"apply"` // the SQL thread
	Read       server.Coordinates `json:"read"`  // in the source's logs, fetched up to
	Applied    server.Coordinates `json:"applied"`
	// Received are the GTIDs fetched completely, whether applied or not.
	Received server.GTIDSet `json:"received"`
	// Drained says that the applier has read all that was fetched. It may still be busy with the end of it.
	Drained bool `json:"drained"`
	// Error is what has stopped the applier; "" when nothing has.
	Error string `json:"error,omitempty"`
	// FetchError is the last error of fetching; "" when there is none. A replica without a source has one.
	FetchError string `json:"fetch_error,omitempty"`
	FetchErrno int    `json:"fetch_errno,omitempty"`
	// Lost says that the receiver had lost its source before the manager stopped it. A receiver that was stopped by hand
	// has not: it says nothing of the source.
	Lost bool `json:"lost,omitempty"`
	// TLS says that it connects with TLS.
	TLS bool `json:"tls,omitempty"`
	// Connected says that the source has sent something since the receiver was pointed to it.
	Connected bool `json:"connected,omitempty"`
	// Delay is how much later than its source it applies, by configuration.
	Delay time.Duration `json:"delay,omitempty"`
	// Filters are what it does not apply or is limited to, as "Replicate_Ignore_Table=shop.aside".
	Filters []string `json:"filters,omitempty"`
	// Relay is where the applier is in the relay logs.
	Relay server.Coordinates `json:"relay,omitzero"`
}

// Thread is the state of a replication thread.
type Thread uint8

// The states. The zero value is invalid.
const (
	ThreadUnknown Thread = iota
	Running
	Connecting // it runs and has no connection to its source
	Stopped
)

var threadNames = map[Thread]string{Running: "running", Connecting: "connecting", Stopped: "stopped"}

// String is running, connecting or stopped.
func (t Thread) String() string {
	if name, ok := threadNames[t]; ok {
		return name
	}
	return "unknown"
}

// MarshalText writes the state as String does.
func (t Thread) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Format is binlog_format, ordered: a replica that logs what it applies cannot follow a source whose
// format is higher than its own.
type Format uint8

// The formats. The zero value is that of a server without a binary log.
const (
	FormatNone Format = iota
	FormatStatement
	FormatMixed
	FormatRow
)

// Fresh says that what is known of a server was asked after the given time.
func (o Observation) Fresh(since time.Time) bool { return o.Reachable && o.At.After(since) }

// Received is all that a server has, applied or not.
func (o Observation) Received() server.GTIDSet {
	set := o.Executed
	for _, l := range o.Links {
		set = set.Union(l.Received)
	}
	return set
}

// Client errors of a receiver that has lost its source (errmsg.h of MySQL): no connection, or one that broke.
const (
	errClientFirst = 2000
	errClientLast  = 2999
)

// LostSource says whether the receiver has lost its source: it tries to connect, has given up on the network, or did so
// before the manager stopped it.
func (l Link) LostSource() bool {
	return l.Fetch == Connecting || l.Lost || l.Fetch == Stopped && l.FetchErrno >= errClientFirst && l.FetchErrno <= errClientLast
}

// answers are errors that a receiver has from the source itself, which is alive then: too many connections, access denied,
// host blocked or not privileged, account locked or out of resources.
var answers = map[int]bool{1040: true, 1045: true, 1129: true, 1130: true, 1203: true, 1226: true, 3118: true, 4151: true}

// Refused says whether the source has refused the receiver, and so is alive.
func (l Link) Refused() bool { return l.Fetch != Running && answers[l.FetchErrno] }

// LinkTo is the server's channel from a source.
func (o Observation) LinkTo(addr string) (Link, bool) {
	for _, l := range o.Links {
		if l.Source == addr {
			return l, true
		}
	}
	return Link{}, false
}
