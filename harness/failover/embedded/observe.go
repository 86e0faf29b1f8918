package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"strings"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/server"
)

// observe asks a server for everything that decisions rest on, into an observation that has its name,
// address and rule already.
func observe(ctx context.Context, s *server.Server, o *failover.Observation) error {
	o.Flavor = s.Flavor
	if err := observeVariables(ctx, s, o); err != nil {
		return err
	}
	statuses, err := s.ReplicaStatus(ctx)
	if err != nil {
		return err
	}
	o.Links = nil
	for _, status := range statuses {
		if status.SourceHost == "" {
			continue // a channel that was reset leaves an empty line on some servers
		}
		link, err := linkOf(s, o, status)
		if err != nil {
			return fmt.Errorf("server %s: %w", s.Endpoint.Addr(), err)
		}
		o.Links = append(o.Links, link)
	}
	return nil
}

func observeVariables(ctx context.Context, s *server.Server, o *failover.Observation) error {
	names := []string{"server_id", "read_only", "log_bin", "binlog_format", s.Dialect.LogUpdates}
	switch s.Dialect.GTID {
	case flavor.GTIDMySQL:
		names = append(names, "server_uuid", "gtid_executed")
	case flavor.GTIDMariaDB:
		names = append(names, "gtid_current_pos", "gtid_binlog_state")
	}
	values, err := variables(ctx, s, names)
	if err != nil {
		return err
	}
	if o.ServerID, err = strconv.ParseUint(values["server_id"], 10, 64); err != nil {
		return fmt.Errorf("server %s: server_id: %w", s.Endpoint.Addr(), err)
	}
	o.ReadOnly = on(values["read_only"])
	o.LogUpdates = on(values[s.Dialect.LogUpdates])
	o.Format = failover.FormatNone
	if on(values["log_bin"]) {
		o.Format = parseFormat(values["binlog_format"])
	}
	if err := observeGTID(s, values, o); err != nil {
		return err
	}
	return observeSemiSync(ctx, s, o)
}

// observeSemiSync reads the source's side. Not every server knows the variables: the plug-in may not be loaded.
func observeSemiSync(ctx context.Context, s *server.Server, o *failover.Observation) error {
	d := s.Dialect.SemiSync
	value := func(query, name string) (string, error) {
		rows, err := s.Rows(ctx, query+server.Quote(likeExactly(name)))
		if err != nil || len(rows) != 1 {
			return "", err
		}
		return rows[0]["Value"], nil
	}
	o.Acknowledging, o.WaitsFor = 0, 0
	state, err := value("SHOW GLOBAL VARIABLES LIKE ", d.SourceEnabled)
	o.SemiSync = on(state)
	if err != nil || !o.SemiSync {
		return err
	}
	clients, err := value("SHOW GLOBAL STATUS LIKE ", d.StatusClients)
	if err != nil {
		return err
	}
	if o.Acknowledging, err = strconv.Atoi(clients); err != nil {
		return fmt.Errorf("server %s: %s: %w", s.Endpoint.Addr(), d.StatusClients, err)
	}
	o.WaitsFor = 1
	if d.WaitCount == "" {
		return nil
	}
	count, err := value("SHOW GLOBAL VARIABLES LIKE ", d.WaitCount)
	if err != nil {
		return err
	}
	if o.WaitsFor, err = strconv.Atoi(count); err != nil {
		return fmt.Errorf("server %s: %s: %w", s.Endpoint.Addr(), d.WaitCount, err)
	}
	return nil
}

func observeGTID(s *server.Server, values map[string]string, o *failover.Observation) (err error) {
	switch s.Dialect.GTID {
	case flavor.GTIDMySQL:
		o.UUID = strings.ToLower(values["server_uuid"])
		o.Executed, err = server.ParseGTIDSet(flavor.GTIDMySQL, values["gtid_executed"])
		o.Wrote = o.Executed
	case flavor.GTIDMariaDB:
		if o.Executed, err = server.ParseGTIDSet(flavor.GTIDMariaDB, values["gtid_current_pos"]); err == nil {
			o.Wrote, err = server.ParseBinlogState(values["gtid_binlog_state"])
		}
	}
	if err != nil {
		return fmt.Errorf("server %s: %w", s.Endpoint.Addr(), err)
	}
	return nil
}

// linkOf translates a channel's status. What was received is, on MySQL, what is executed or wholly in the
// relay log; on MariaDB the position that the I/O thread has fetched up to.
func linkOf(s *server.Server, o *failover.Observation, status server.ReplicaStatus) (failover.Link, error) {
	link := failover.Link{
		Channel: status.Channel,
		Source:  net.JoinHostPort(status.SourceHost, strconv.Itoa(status.SourcePort)),
		GTID:    status.UsingGTID,
		Fetch:   parseThread(status.IORunning), Apply: parseThread(status.SQLRunning),
		Read: status.Read, Applied: status.Executed,
	}
	if status.SQLErrno != 0 {
		link.Error = fmt.Sprintf("error %d: %s", status.SQLErrno, status.SQLError)
	}
	if status.IOErrno != 0 {
		link.FetchError = fmt.Sprintf("error %d: %s", status.IOErrno, status.IOError)
	}
	if link.Read.IsZero() {
		link.Read = link.Applied
	}
	link.Drained = drained(status)
	fetched := status.RetrievedGTID
	if s.Dialect.GTID == flavor.GTIDMariaDB {
		fetched = status.IOGTIDPos
	}
	received, err := server.ParseGTIDSet(s.Dialect.GTID, fetched)
	link.Received = o.Executed.Union(received)
	return link, err
}

// drained reads the applier's state in words, which is the only place where a replica says that nothing is
// left even when its relay log ends in the middle of a transaction. The column is Slave_SQL_Running_State,
// Replica_SQL_Running_State or Slave_SQL_State.
func drained(status server.ReplicaStatus) bool {
	for column, value := range status.Raw {
		if strings.Contains(column, "SQL") && strings.Contains(value, "has read all relay log") {
			return true
		}
	}
	return false
}

// variables reads global variables in one round trip.
func variables(ctx context.Context, s *server.Server, names []string) (map[string]string, error) {
	query := "SELECT @@GLOBAL." + strings.Join(names, ", @@GLOBAL.")
	cells := make([]sql.NullString, len(names))
	targets := make([]any, len(names))
	for i := range cells {
		targets[i] = &cells[i]
	}
	if err := s.DB.QueryRowContext(ctx, query).Scan(targets...); err != nil {
		return nil, fmt.Errorf("server %s (%s): %s: %w", s.Endpoint.Addr(), s.Flavor, query, err)
	}
	values := make(map[string]string, len(names))
	for i, name := range names {
		values[name] = cells[i].String
	}
	return values, nil
}

// on reads a boolean variable. MariaDB 12 names degrees of read_only besides OFF and ON.
func on(value string) bool {
	return value != "" && value != "0" && !strings.EqualFold(value, "OFF")
}

func likeExactly(name string) string { return strings.ReplaceAll(name, "_", `\_`) }

// parseThread reads Slave_IO_Running and its like. MariaDB says Preparing while it connects.
func parseThread(text string) failover.Thread {
	switch text {
	case "Yes":
		return failover.Running
	case "No":
		return failover.Stopped
	default:
		return failover.Connecting
	}
}

func parseFormat(text string) failover.Format {
	switch text {
	case "STATEMENT":
		return failover.FormatStatement
	case "MIXED":
		return failover.FormatMixed
	default:
		return failover.FormatRow // the only one left in the newest servers
	}
}
