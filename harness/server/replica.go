package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mysqlmatrix/harness/flavor"
)

// ReplicaStatus is what a replica says of one of its channels.
type ReplicaStatus struct {
	Channel           string
	SourceHost        string
	SourcePort        int
	IORunning         string // Yes, No, Connecting (Preparing on MariaDB)
	SQLRunning        string // Yes, No
	IOErrno, SQLErrno int
	IOError, SQLError string
	Read, Executed    Coordinates // in the source's logs: fetched up to, applied up to
	Relay             Coordinates // in the own relay logs: applied up to
	SecondsBehind     *int        // nil when the server does not know
	RetrievedGTID     string
	ExecutedGTID      string
	IOGTIDPos         string // MariaDB: GTID position fetched up to
	UsingGTID         bool   // auto-position, or Using_Gtid other than No
	Raw               map[string]string
}

// Healthy says whether both threads run.
func (r ReplicaStatus) Healthy() bool { return r.IORunning == "Yes" && r.SQLRunning == "Yes" }

// String is one line for humans.
func (r ReplicaStatus) String() string {
	text := fmt.Sprintf("source %s:%d IO=%s SQL=%s read %s executed %s",
		r.SourceHost, r.SourcePort, r.IORunning, r.SQLRunning, r.Read, r.Executed)
	if r.Channel != "" {
		text = "channel " + r.Channel + " " + text
	}
	if r.SecondsBehind != nil {
		text += fmt.Sprintf(" behind=%ds", *r.SecondsBehind)
	}
	if r.IOErrno != 0 {
		text += fmt.Sprintf(" IO error %d: %s", r.IOErrno, r.IOError)
	}
	if r.SQLErrno != 0 {
		text += fmt.Sprintf(" SQL error %d: %s", r.SQLErrno, r.SQLError)
	}
	return text
}

// ReplicaStatus reads the status of every channel; the list is empty on a server without a source.
func (s *Server) ReplicaStatus(ctx context.Context) ([]ReplicaStatus, error) {
	rows, err := s.Rows(ctx, s.Dialect.ShowReplicaStatus)
	if err != nil {
		return nil, err
	}
	list := make([]ReplicaStatus, 0, len(rows))
	for _, row := range rows {
		status, err := parseStatus(row, s.Dialect.StatusColumns)
		if err != nil {
			return nil, fmt.Errorf("server %s: %s: %w", s.Endpoint.Addr(), s.Dialect.ShowReplicaStatus, err)
		}
		list = append(list, status)
	}
	return list, nil
}

// BrokenWorkers is what the workers of a MySQL replica's applier have stopped for, one line each, in the order of their
// errors. The status of the channel has one error for all of them, which may be of one that another has stopped.
func (s *Server) BrokenWorkers(ctx context.Context) ([]string, error) {
	if s.Dialect.BrokenWorkers == "" {
		return nil, nil
	}
	rows, err := s.Rows(ctx, s.Dialect.BrokenWorkers)
	var lines []string
	for _, row := range rows {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s, %s: error %s: %s", row["CHANNEL_NAME"], row["WORKER_ID"],
			row["LAST_ERROR_TIMESTAMP"], row["LAST_ERROR_NUMBER"], row["LAST_ERROR_MESSAGE"])))
	}
	return lines, err
}

func parseStatus(row map[string]string, c flavor.StatusColumns) (r ReplicaStatus, err error) {
	if r.Read, err = coordinates(row, c.ReadFile, c.ReadPos); err != nil {
		return r, err
	}
	if r.Executed, err = coordinates(row, c.ExecFile, c.ExecPos); err != nil {
		return r, err
	}
	if r.Relay, err = coordinates(row, c.RelayFile, c.RelayPos); err != nil {
		return r, err
	}
	for column, target := range map[string]*int{
		c.SourcePort: &r.SourcePort, "Last_IO_Errno": &r.IOErrno, "Last_SQL_Errno": &r.SQLErrno,
	} {
		if *target, err = strconv.Atoi(row[column]); err != nil {
			return r, fmt.Errorf("column %s: %w", column, err)
		}
	}
	if text, ok := row[c.SecondsBehind]; ok {
		n, err := strconv.Atoi(text)
		if err != nil {
			return r, fmt.Errorf("column %s: %w", c.SecondsBehind, err)
		}
		r.SecondsBehind = &n
	}
	r.Channel, r.SourceHost = row[c.Channel], row[c.SourceHost]
	r.IORunning, r.SQLRunning = row[c.IORunning], row[c.SQLRunning]
	r.IOError, r.SQLError = row["Last_IO_Error"], row["Last_SQL_Error"]
	r.RetrievedGTID = strings.ReplaceAll(row["Retrieved_Gtid_Set"], "\n", "")
	r.ExecutedGTID = strings.ReplaceAll(row["Executed_Gtid_Set"], "\n", "")
	r.IOGTIDPos = row["Gtid_IO_Pos"]
	using := row[c.UsingGTID]
	r.UsingGTID = using != "" && using != "0" && using != "No"
	r.Raw = row
	return r, nil
}

// Source is where a replica is to replicate from.
type Source struct {
	Endpoint Endpoint    // without a user the replica keeps the account that it has
	Channel  string      // "" is the default channel
	GTID     bool        // by GTID; otherwise from At
	At       Coordinates // in the source's binary logs
	// TLS asks for a connection with TLS; the replica keeps the certificates that it has.
	TLS bool
	// ConnectRetry is how long the replica waits before it connects again, rounded up to seconds; 0 means 1 s.
	ConnectRetry time.Duration
	// Heartbeat is how often an idle source says that it is alive; 0 leaves the server's default.
	Heartbeat time.Duration
}

// connectRetries is how often a receiver connects again until it gives up: a day at one a second. It is the default of
// SOURCE_RETRY_COUNT up to MySQL 8.0; 9.7's is 10, by which a replica here would give up a source that is down for 10 s.
const connectRetries = 86400

// PointTo configures a stopped replica to replicate from a source. It does not start it.
func (s *Server) PointTo(ctx context.Context, src Source) error {
	statement, err := s.changeSource(src)
	if err != nil {
		return fmt.Errorf("point %s to %s: %w", s.Endpoint.Addr(), src.Endpoint.Addr(), err)
	}
	return s.Exec(ctx, statement)
}

func (s *Server) changeSource(src Source) (string, error) {
	d := s.Dialect
	var options []string
	add := func(name, value string) { options = append(options, d.SourcePrefix+"_"+name+"="+value) }
	add("HOST", Quote(src.Endpoint.Host))
	add("PORT", strconv.Itoa(src.Endpoint.Port))
	if src.Endpoint.User != "" {
		add("USER", Quote(src.Endpoint.User))
		add("PASSWORD", Quote(src.Endpoint.Password))
	}
	retry := max(src.ConnectRetry, time.Second)
	add("CONNECT_RETRY", strconv.Itoa(int((retry+time.Second-1)/time.Second)))
	if d.GTID == flavor.GTIDMySQL { // since 5.6; MySQL 5.5 and MariaDB have a start option, of which the default is as patient
		add("RETRY_COUNT", strconv.Itoa(connectRetries))
	}
	if src.Heartbeat > 0 {
		add("HEARTBEAT_PERIOD", strconv.FormatFloat(src.Heartbeat.Seconds(), 'f', 3, 64))
	}
	switch {
	case src.GTID && d.GTID == flavor.GTIDMySQL:
		add("AUTO_POSITION", "1")
	case src.GTID && d.GTID == flavor.GTIDMariaDB:
		add("USE_GTID", "slave_pos")
	case src.GTID:
		return "", fmt.Errorf("%s has no GTIDs", s.Flavor)
	case src.At.IsZero():
		return "", fmt.Errorf("neither GTID nor coordinates given")
	default:
		if d.GTID == flavor.GTIDMySQL {
			add("AUTO_POSITION", "0")
		}
		if d.GTID == flavor.GTIDMariaDB {
			add("USE_GTID", "no") // the default is slave_pos since 10.10
		}
		add("LOG_FILE", Quote(src.At.File))
		add("LOG_POS", strconv.FormatUint(src.At.Pos, 10))
	}
	if d.PublicKeyOption != "" {
		options = append(options, d.PublicKeyOption+"=1")
	}
	switch {
	case src.TLS || src.Endpoint.TLS:
		add("SSL", "1")
		if src.Endpoint.TLS && s.Flavor.IsMariaDB() { // MySQL does not check a certificate unless it is told to
			add("SSL_VERIFY_SERVER_CERT", "0")
		}
	case d.PlainTransport != "":
		options = append(options, d.PlainTransport)
	}
	return s.onChannel(d.ChangeSource, src.Channel, strings.Join(options, ", "))
}

// PointToRelayLog makes a replica whose threads are stopped continue in its own relay logs, which are kept (MariaDB). It
// does not use GTID from then on.
func (s *Server) PointToRelayLog(ctx context.Context, channel string, at Coordinates) error {
	statement, err := s.onChannel(s.Dialect.ChangeSource, channel, "MASTER_USE_GTID=no, RELAY_LOG_FILE="+Quote(at.File)+", RELAY_LOG_POS="+strconv.FormatUint(at.Pos, 10))
	if err != nil {
		return err
	}
	return s.Exec(ctx, statement)
}

// onChannel puts a channel's name where the dialect wants it. verb is "CHANGE MASTER TO" and the like.
func (s *Server) onChannel(verb, channel, options string) (string, error) {
	if channel == "" {
		return strings.TrimSpace(verb + " " + options), nil
	}
	switch s.Dialect.Channel {
	case flavor.ChannelSuffix:
		return strings.TrimSpace(verb+" "+options) + " FOR CHANNEL " + Quote(channel), nil
	case flavor.ChannelInfix:
		words := strings.SplitN(verb, " ", 3)
		named := words[0] + " " + words[1] + " " + Quote(channel)
		if len(words) == 3 {
			named += " " + words[2]
		}
		return strings.TrimSpace(named + " " + options), nil
	default:
		return "", fmt.Errorf("%s has no replication channels, asked for %q", s.Flavor, channel)
	}
}

func (s *Server) channelExec(ctx context.Context, verb, channel string) error {
	statement, err := s.onChannel(verb, channel, "")
	if err != nil {
		return err
	}
	return s.Exec(ctx, statement)
}

// StartReplica starts both threads of a channel ("" is the default one).
func (s *Server) StartReplica(ctx context.Context, channel string) error {
	return s.channelExec(ctx, s.Dialect.StartReplica, channel)
}

// StopReplica stops both threads of a channel.
func (s *Server) StopReplica(ctx context.Context, channel string) error {
	return s.channelExec(ctx, s.Dialect.StopReplica, channel)
}

// StopIOThread stops fetching; what was fetched is still applied.
func (s *Server) StopIOThread(ctx context.Context, channel string) error {
	return s.channelExec(ctx, s.Dialect.StopIOThread, channel)
}

// StartIOThread starts fetching again.
func (s *Server) StartIOThread(ctx context.Context, channel string) error {
	return s.channelExec(ctx, s.Dialect.StartIOThread, channel)
}

// StopSQLThread stops applying; events are still fetched.
func (s *Server) StopSQLThread(ctx context.Context, channel string) error {
	return s.channelExec(ctx, s.Dialect.StopSQLThread, channel)
}

// StartSQLThread starts applying again.
func (s *Server) StartSQLThread(ctx context.Context, channel string) error {
	return s.channelExec(ctx, s.Dialect.StartSQLThread, channel)
}

// ResetReplica makes the server forget a source and its relay logs.
func (s *Server) ResetReplica(ctx context.Context, channel string) error {
	return s.channelExec(ctx, s.Dialect.ResetReplicaAll, channel)
}

// SetReadOnly switches read_only, and super_read_only where the server has it.
func (s *Server) SetReadOnly(ctx context.Context, on bool) error {
	if on {
		return s.Exec(ctx, s.Dialect.ReadOnlyOn...)
	}
	return s.Exec(ctx, s.Dialect.ReadOnlyOff...)
}

// ReadOnly says whether ordinary users are kept from writing.
func (s *Server) ReadOnly(ctx context.Context) (bool, error) {
	value, err := s.Variable(ctx, "read_only")
	// MariaDB 12 names degrees of read_only besides OFF and ON.
	return value != "0" && !strings.EqualFold(value, "OFF"), err
}
