package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

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
	if o.Started, err = started(ctx, s); err != nil {
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
		// MariaDB starts with empty relay logs when it uses GTID.
		o.DropsRelayLogs = o.DropsRelayLogs || link.GTID && s.Flavor.StartDeletesRelayLogs()
	}
	return nil
}

// started is when a server's process was started, by its own count of whole seconds.
func started(ctx context.Context, s *server.Server) (time.Time, error) {
	now := time.Now()
	text, err := s.StatusVariable(ctx, "Uptime")
	if err != nil {
		return now, err
	}
	seconds, err := strconv.Atoi(text)
	if err != nil {
		return now, fmt.Errorf("server %s: Uptime: %w", s.Endpoint.Addr(), err)
	}
	return now.Add(-time.Duration(seconds) * time.Second), nil
}

func observeVariables(ctx context.Context, s *server.Server, o *failover.Observation) error {
	names := []string{"server_id", "read_only", "log_bin", "binlog_format", s.Dialect.LogUpdates}
	switch s.Dialect.GTID {
	case flavor.GTIDMySQL:
		names = append(names, "server_uuid", "gtid_executed", "gtid_purged")
	case flavor.GTIDMariaDB:
		names = append(names, "gtid_current_pos", "gtid_binlog_state", "gtid_slave_pos")
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
	if err := observeBinlogFilters(ctx, s, o); err != nil {
		return err
	}
	return observeOptional(ctx, s, o)
}

// observeOptional reads what not every server has: the semi-synchronous plug-ins may not be loaded, and settings came
// with versions.
func observeOptional(ctx context.Context, s *server.Server, o *failover.Observation) error {
	d := s.Dialect.SemiSync
	names := []string{"innodb_read_only", "lower_case_table_names", "relay_log_recovery", d.SourceEnabled, d.ReplicaEnabled, d.WaitCount}
	for i, name := range names {
		names[i] = server.Quote(name)
	}
	rows, err := s.Rows(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ("+strings.Join(names, ", ")+")")
	if err != nil {
		return err
	}
	values := map[string]string{}
	for _, row := range rows {
		values[row["Variable_name"]] = row["Value"]
	}
	o.Unwritable, o.LowerCaseTableNames = on(values["innodb_read_only"]), values["lower_case_table_names"]
	o.DropsRelayLogs = on(values["relay_log_recovery"])
	_, o.CanWait = values[d.SourceEnabled]
	o.SemiSync, o.Acknowledges, o.Acknowledging, o.WaitsFor, o.Serves = on(values[d.SourceEnabled]), on(values[d.ReplicaEnabled]), 0, 0, nil
	if !o.SemiSync {
		return nil
	}
	if o.Serves, err = serves(ctx, s); err != nil {
		return err
	}
	clients, err := s.StatusVariable(ctx, d.StatusClients)
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
	if o.WaitsFor, err = strconv.Atoi(values[d.WaitCount]); err != nil {
		return fmt.Errorf("server %s: %s: %w", s.Endpoint.Addr(), d.WaitCount, err)
	}
	return nil
}

// serves are the server ids of the replicas that are connected to a server.
func serves(ctx context.Context, s *server.Server) (ids []uint64, err error) {
	rows, err := s.Rows(ctx, s.Dialect.ShowReplicas)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		for column, value := range row {
			if !strings.EqualFold(column, "Server_id") {
				continue
			}
			id, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("server %s: %s: %w", s.Endpoint.Addr(), s.Dialect.ShowReplicas, err)
			}
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// observeBinlogFilters reads what a server's binary log leaves out.
func observeBinlogFilters(ctx context.Context, s *server.Server, o *failover.Observation) error {
	rows, err := s.Rows(ctx, s.Dialect.ShowBinaryLogStatus)
	if err != nil || len(rows) == 0 { // without a binary log there is no row
		return err
	}
	o.BinlogFilters = set(rows[0], "Binlog_")
	return nil
}

// set are the columns of a prefix that have a value, as "column=value", sorted.
func set(row map[string]string, prefix string) (list []string) {
	for column, value := range row {
		if strings.HasPrefix(column, prefix) && value != "" && column != "Replicate_Ignore_Server_Ids" {
			list = append(list, column+"="+value)
		}
	}
	slices.Sort(list)
	return list
}

func observeGTID(s *server.Server, values map[string]string, o *failover.Observation) (err error) {
	switch s.Dialect.GTID {
	case flavor.GTIDMySQL:
		o.UUID = strings.ToLower(values["server_uuid"])
		o.Executed, err = server.ParseGTIDSet(flavor.GTIDMySQL, values["gtid_executed"])
		o.Wrote = o.Executed
		if err == nil {
			o.Purged, err = server.ParseGTIDSet(flavor.GTIDMySQL, values["gtid_purged"])
		}
	case flavor.GTIDMariaDB:
		if o.Executed, err = server.ParseGTIDSet(flavor.GTIDMariaDB, values["gtid_current_pos"]); err == nil {
			o.Wrote, err = server.ParseBinlogState(values["gtid_binlog_state"])
		}
		if err == nil {
			o.Applied, err = server.ParseGTIDSet(flavor.GTIDMariaDB, values["gtid_slave_pos"])
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
	link.FetchErrno, link.Relay, link.Connected = status.IOErrno, status.Relay, !status.Read.IsZero() && status.Read.File != ""
	for column, value := range status.Raw {
		switch {
		case strings.HasSuffix(column, "_SSL_Allowed"):
			link.TLS = value == "Yes"
		case strings.HasSuffix(column, "_UUID"):
			link.SourceUUID = strings.ToLower(value)
		case column == "Master_Server_Id" || column == "Source_Server_Id":
			link.SourceID, _ = strconv.ParseUint(value, 10, 64) // 0 while the source is not known
		}
	}
	link.Filters = set(status.Raw, "Replicate_")
	if seconds, err := strconv.Atoi(status.Raw["SQL_Delay"]); err == nil {
		link.Delay = time.Duration(seconds) * time.Second
	}
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
