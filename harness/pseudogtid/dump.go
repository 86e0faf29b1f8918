package pseudogtid

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"mysqlmatrix/harness/server"
)

// readAhead is how many events a server may send ahead of what is looked at: enough to keep it busy, few
// enough that large rows do not add up.
const readAhead = 64

// Open takes note of which binary logs a server has and where they end.
func Open(ctx context.Context, s *server.Server) (*Log, error) {
	end, _, err := s.BinaryLogStatus(ctx)
	if err != nil {
		return nil, err
	}
	return openUpTo(ctx, s, end)
}

// openUpTo is Open with an end of the caller's.
func openUpTo(ctx context.Context, s *server.Server, end server.Coordinates) (*Log, error) {
	logs, err := s.BinaryLogs(ctx)
	if err != nil {
		return nil, err
	}
	l := &Log{Name: s.Endpoint.Addr(), MariaDB: s.Flavor.IsMariaDB(), end: end, opened: new(atomic.Int64),
		store: dump{server: s, end: end}}
	for _, one := range logs {
		if (server.Coordinates{File: one.Name, Pos: start}).Compare(end) <= 0 {
			l.files = append(l.files, one.Name)
		}
	}
	return l, nil
}

// dump is a server that sends its binary logs as to a replica.
type dump struct {
	server *server.Server
	end    server.Coordinates
}

func (d dump) open(_ context.Context, from server.Coordinates) (reader, error) {
	syncer := replication.NewBinlogSyncer(d.config())
	streamer, err := syncer.StartSync(mysql.Position{Name: from.File, Pos: uint32(from.Pos)})
	if err != nil {
		syncer.Close()
		return nil, fmt.Errorf("read binary log %s of %s: %w", from, d.server.Endpoint.Addr(), err)
	}
	return &dumpReader{dump: d, syncer: syncer, streamer: streamer, file: from.File, pos: from.Pos}, nil
}

func (d dump) config() replication.BinlogSyncerConfig {
	flavor := mysql.MySQLFlavor
	if d.server.Flavor.IsMariaDB() {
		flavor = mysql.MariaDBFlavor
	}
	ep := d.server.Endpoint
	var flags uint16
	if d.server.Flavor.IsMariaDB() {
		// Positions are counted by what is sent, where MariaDB gives none.
		flags = replication.BINLOG_SEND_ANNOTATE_ROWS_EVENT
	}
	return replication.BinlogSyncerConfig{
		// A replica's id has to be unlike any other's at the same source, or the source ends the older one's dump.
		ServerID: 1<<31 + rand.Uint32N(1<<30), Flavor: flavor, Localhost: "matrix",
		Host: ep.Host, Port: uint16(ep.Port), User: ep.User, Password: ep.Password,
		MaxReconnectAttempts: 1, DisableRetrySync: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		// Events are decoded where they are needed, and only those.
		RawModeEnabled: true, EventCacheCount: readAhead, DiscardGTIDSet: true, VerifyChecksum: true,
		DumpCommandFlag: flags,
	}
}

// dumpReader is one connection.
type dumpReader struct {
	dump
	syncer   *replication.BinlogSyncer
	streamer *replication.BinlogStreamer
	file     string
	pos      uint64
	done     bool
}

func (r *dumpReader) close() { r.syncer.Close() }

func (r *dumpReader) next(ctx context.Context) (event, error) {
	for !r.done {
		e, err := r.streamer.GetEvent(ctx)
		if err != nil {
			return event{}, fmt.Errorf("read binary log %s of %s: %w", r.file, r.server.Endpoint.Addr(), err)
		}
		if rotate, ok := e.Event.(*replication.RotateEvent); ok {
			if next := string(rotate.NextLogName); next != r.file {
				r.file, r.pos = next, start
			}
			// A log that was rotated to ends at its first byte when nothing is written to it yet.
			r.done = r.reached()
			continue
		}
		from := r.pos
		switch size := uint64(e.Header.EventSize); {
		case e.Header.Flags&artificial != 0:
		case e.Header.LogPos > 0:
			r.pos = uint64(e.Header.LogPos)
			from = max(start, r.pos-min(size, r.pos))
		case e.Header.EventType != replication.FORMAT_DESCRIPTION_EVENT:
			r.pos += size // MariaDB 11 gives events inside a transaction the position 0
		}
		r.done = r.reached()
		return event{raw: e.RawData, header: e.Header, start: server.Coordinates{File: r.file, Pos: from},
			end: server.Coordinates{File: r.file, Pos: r.pos}}, nil
	}
	return event{}, io.EOF
}

// reached says whether this is the end of the log as it was opened.
func (r *dumpReader) reached() bool {
	return server.Coordinates{File: r.file, Pos: max(r.pos, start)}.Compare(r.end) >= 0
}
