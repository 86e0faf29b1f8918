package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mysqlmatrix/harness/flavor"
)

// Coordinates are a position in one server's binary (or relay) logs: the event that starts at Pos (bytes from
// the start of the file) or the end of the log. They mean nothing on another server.
type Coordinates struct {
	File string `json:"file"`
	Pos  uint64 `json:"pos"`
}

// String is "binlog.000003:4711".
func (c Coordinates) String() string {
	if c.IsZero() {
		return "(no coordinates)"
	}
	return fmt.Sprintf("%s:%d", c.File, c.Pos)
}

// IsZero says that there are none.
func (c Coordinates) IsZero() bool { return c == Coordinates{} }

// Compare orders two positions of the same server: by the log's sequence number, then by position.
func (c Coordinates) Compare(o Coordinates) int {
	return cmp.Or(cmp.Compare(sequence(c.File), sequence(o.File)), cmp.Compare(c.Pos, o.Pos))
}

// sequence is the number that ends a log's name. It has six digits or, beyond 999999, more, so that names
// do not compare as text.
func sequence(file string) uint64 {
	n, err := strconv.ParseUint(file[strings.LastIndexByte(file, '.')+1:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// BinaryLog is one of a server's binary logs; Size is in bytes.
type BinaryLog struct {
	Name string
	Size uint64
}

// BinaryLogStatus is where the next event will be written, and the GTIDs executed ("" without GTID).
func (s *Server) BinaryLogStatus(ctx context.Context) (at Coordinates, gtid string, err error) {
	rows, err := s.Rows(ctx, s.Dialect.ShowBinaryLogStatus)
	if err != nil {
		return at, "", err
	}
	if len(rows) == 0 {
		return at, "", fmt.Errorf("server %s: binary logging is off", s.Endpoint.Addr())
	}
	if at, err = coordinates(rows[0], "File", "Position"); err != nil {
		return at, "", fmt.Errorf("server %s: %s: %w", s.Endpoint.Addr(), s.Dialect.ShowBinaryLogStatus, err)
	}
	gtid, err = s.GTIDExecuted(ctx)
	return at, gtid, err
}

// BinaryLogs lists the binary logs, oldest first.
func (s *Server) BinaryLogs(ctx context.Context) ([]BinaryLog, error) {
	rows, err := s.Rows(ctx, "SHOW BINARY LOGS")
	if err != nil {
		return nil, err
	}
	logs := make([]BinaryLog, 0, len(rows))
	for _, row := range rows {
		size, err := strconv.ParseUint(row["File_size"], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("server %s: size of binary log %s: %w", s.Endpoint.Addr(), row["Log_name"], err)
		}
		logs = append(logs, BinaryLog{Name: row["Log_name"], Size: size})
	}
	return logs, nil
}

// GTIDExecuted is the set of GTIDs that the server has executed: gtid_executed on MySQL (without its line
// breaks), gtid_current_pos on MariaDB; "" where there are none or no GTIDs at all.
func (s *Server) GTIDExecuted(ctx context.Context) (string, error) {
	switch s.Dialect.GTID {
	case flavor.GTIDMySQL:
		set, err := s.Variable(ctx, "gtid_executed")
		return strings.ReplaceAll(set, "\n", ""), err
	case flavor.GTIDMariaDB:
		return s.Variable(ctx, "gtid_current_pos")
	default:
		return "", nil
	}
}

// waitSlice is how long one waiting statement runs, in seconds, before the context is asked again.
const waitSlice = 1

// WaitForCoordinates waits until the replica has applied its source's log up to the coordinates, or ctx
// ends. The server itself waits, a second at a time, and answers at once when they are reached. A stopped or broken
// applier is an error at once, with the replica's status; a receiver that has given up before them is one within two seconds.
func (s *Server) WaitForCoordinates(ctx context.Context, at Coordinates, channel string) error {
	call := fmt.Sprintf("SELECT %s(%s, %d, %d", s.Dialect.WaitPosition, Quote(at.File), at.Pos, waitSlice)
	if channel != "" {
		call += ", " + Quote(channel)
	}
	return s.waitFor(ctx, call+")", at.String(), "-1", func() error { return s.receiverEnded(ctx, at, channel) })
}

// receiverEnded is an error when a replica will not get to coordinates in its source's log: its receiver has stopped in
// an error before them. One that was stopped by hand has no error, and may be started again.
func (s *Server) receiverEnded(ctx context.Context, at Coordinates, channel string) error {
	statuses, err := s.ReplicaStatus(ctx)
	if err != nil {
		return nil // the wait itself ends with the better error
	}
	for _, r := range statuses {
		if r.Channel == channel && r.IORunning == "No" && r.IOErrno != 0 && r.Read.Compare(at) < 0 {
			return errors.New("the receiver has given up before it")
		}
	}
	return nil
}

// WaitForGTID waits until the server has executed the given GTID set or position, or ctx ends.
func (s *Server) WaitForGTID(ctx context.Context, gtid string) error {
	if s.Dialect.WaitGTID == "" {
		return fmt.Errorf("server %s (%s) has no GTIDs to wait for", s.Endpoint.Addr(), s.Flavor)
	}
	return s.waitFor(ctx, fmt.Sprintf("SELECT %s(%s, %d)", s.Dialect.WaitGTID, Quote(gtid), waitSlice), gtid, s.Dialect.WaitGTIDTimedOut, func() error { return nil })
}

// waitFor repeats a waiting function until it says that its target is reached, or unreachable is an error. These functions
// answer NULL when the applier does not run, timedOut when the time is over, and otherwise 0 or the number of events
// waited for.
func (s *Server) waitFor(ctx context.Context, query, what, timedOut string, unreachable func() error) error {
	for {
		var answer *string
		if err := s.DB.QueryRowContext(ctx, query).Scan(&answer); err != nil {
			return fmt.Errorf("wait for %s: %w", what, errors.Join(s.wrap(query, err), s.describeReplication(ctx)))
		}
		switch {
		case answer == nil:
			return fmt.Errorf("wait for %s: the applier does not run: %w", what, s.describeReplication(ctx))
		case *answer != timedOut:
			return nil
		}
		if err := cmp.Or(ctx.Err(), unreachable()); err != nil {
			return fmt.Errorf("wait for %s: %w", what, errors.Join(err, s.describeReplication(ctx)))
		}
	}
}

// describeReplication is the replica's status as an error, to go with another one.
func (s *Server) describeReplication(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectLimit)
	defer cancel()
	statuses, err := s.ReplicaStatus(ctx)
	if err != nil {
		return err
	}
	lines := make([]string, 0, len(statuses))
	for _, status := range statuses {
		lines = append(lines, status.String())
	}
	return fmt.Errorf("replica %s: %s", s.Endpoint.Addr(), strings.Join(lines, "; "))
}

func coordinates(row map[string]string, file, pos string) (Coordinates, error) {
	if row[file] == "" {
		return Coordinates{}, nil
	}
	n, err := strconv.ParseUint(row[pos], 10, 64)
	if err != nil {
		return Coordinates{}, fmt.Errorf("column %s: %w", pos, err)
	}
	return Coordinates{File: row[file], Pos: n}, nil
}
