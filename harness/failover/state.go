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

	Flavor     flavor.Flavor `json:"flavor,omitzero"`
	Format     Format        `json:"format,omitempty"` // of its binary log
	LogUpdates bool          `json:"log_updates"`      // writes what it applies to its own binary log
	ReadOnly   bool          `json:"read_only"`
	SemiSync   bool          `json:"semi_sync"` // its commits wait for replicas
	// Acknowledging are the replicas connected that acknowledge, WaitsFor how many a commit waits for.
	Acknowledging int    `json:"acknowledging,omitempty"`
	WaitsFor      int    `json:"waits_for,omitempty"`
	ServerID      uint64 `json:"server_id"`
	UUID          string `json:"uuid,omitempty"` // MySQL's server_uuid

	// Executed are the GTIDs that it has; on MariaDB a position.
	Executed server.GTIDSet `json:"executed"`
	// Wrote is what the binary log holds by the server that wrote it: on MySQL the same as Executed, on
	// MariaDB gtid_binlog_state. It shows transactions that did not come from the primary.
	Wrote server.GTIDSet `json:"wrote"`
	Links []Link         `json:"links,omitempty"` // sources that it replicates from
}

// Link is one replication channel of a server.
type Link struct {
	Channel string             `json:"channel,omitempty"`
	Source  string             `json:"source"` // "host:port"
	GTID    bool               `json:"gtid"`   // replicates by GTID
	Fetch   Thread             `json:"fetch"`  // the I/O thread
	Apply   Thread             `json:"apply"`  // the SQL thread
	Read    server.Coordinates `json:"read"`   // in the source's logs, fetched up to
	Applied server.Coordinates `json:"applied"`
	// Received are the GTIDs fetched completely, whether applied or not.
	Received server.GTIDSet `json:"received"`
	// Drained says that the applier has read all that was fetched. It may still be busy with the end of it.
	Drained bool `json:"drained"`
	// Error is what has stopped the applier; "" when nothing has.
	Error string `json:"error,omitempty"`
	// FetchError is the last error of fetching; "" when there is none. A replica without a source has one.
	FetchError string `json:"fetch_error,omitempty"`
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

// LinkTo is the server's channel from a source.
func (o Observation) LinkTo(addr string) (Link, bool) {
	for _, l := range o.Links {
		if l.Source == addr {
			return l, true
		}
	}
	return Link{}, false
}
