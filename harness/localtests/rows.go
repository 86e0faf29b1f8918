package localtests

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"regexp"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"mysqlmatrix/harness/server"
)

// upstreamSchema is the database of gh-ost's own tests.
const upstreamSchema = "test"

// ghostTables are the tables that gh-ost makes beside the one that it changes.
var ghostTables = regexp.MustCompile(`^_.*_(?:gho|ghc|ghk|del)$`)

// Changed is how many rows of the test's own tables were changed on the primary while gh-ost ran.
func (r *Result) Changed(ctx context.Context, primary *server.Server) (int64, error) {
	to := r.To
	if to.IsZero() { // gh-ost was killed together with what notes the coordinates
		var err error
		if to, _, err = primary.BinaryLogStatus(ctx); err != nil {
			return 0, err
		}
	}
	return changedRows(ctx, primary, r.From, to)
}

// changedRows counts the rows of the test's own tables that row events changed on a server between two
// places of its binary log; an updated row counts once. It reads the log as a replica does.
func changedRows(ctx context.Context, s *server.Server, from, to server.Coordinates) (rows int64, err error) {
	if from.IsZero() || from.Compare(to) >= 0 {
		return 0, nil
	}
	syncer := replication.NewBinlogSyncer(replicaOf(s))
	defer syncer.Close()
	streamer, err := syncer.StartSync(mysql.Position{Name: from.File, Pos: uint32(from.Pos)})
	if err != nil {
		return 0, fmt.Errorf("read binary log %s of %s: %w", from, s.Endpoint.Addr(), err)
	}
	at := from
	for {
		e, err := streamer.GetEvent(ctx)
		if err != nil {
			return rows, fmt.Errorf("read binary log %s of %s: %w", at, s.Endpoint.Addr(), err)
		}
		switch event := e.Event.(type) {
		case *replication.RotateEvent:
			// At the start of a stream the source makes up one, with the coordinates that were asked for.
			at = server.Coordinates{File: string(event.NextLogName), Pos: event.Position}
		case *replication.RowsEvent:
			rows += changedBy(e.Header.EventType, event)
		}
		// MariaDB gives events inside a transaction the position 0 (seen on 11.8).
		if pos := uint64(e.Header.LogPos); pos > 0 && e.Header.EventType != replication.ROTATE_EVENT {
			at.Pos = max(at.Pos, pos)
		}
		if at.Compare(to) >= 0 {
			return rows, nil
		}
	}
}

func changedBy(kind replication.EventType, event *replication.RowsEvent) int64 {
	if string(event.Table.Schema) != upstreamSchema || ghostTables.Match(event.Table.Table) {
		return 0
	}
	switch kind {
	case replication.UPDATE_ROWS_EVENTv0, replication.UPDATE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv2,
		replication.PARTIAL_UPDATE_ROWS_EVENT, replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1:
		return int64(len(event.Rows) / 2) // before and after
	default:
		return int64(len(event.Rows))
	}
}

func replicaOf(s *server.Server) replication.BinlogSyncerConfig {
	flavor := mysql.MySQLFlavor
	if s.Flavor.IsMariaDB() {
		flavor = mysql.MariaDBFlavor
	}
	return replication.BinlogSyncerConfig{
		// A replica's id has to be unlike any other's at the same source, or the source ends the older one's dump.
		ServerID: 1<<31 + rand.Uint32N(1<<30), Flavor: flavor,
		Host: s.Endpoint.Host, Port: uint16(s.Endpoint.Port), User: s.Endpoint.User, Password: s.Endpoint.Password,
		MaxReconnectAttempts: 1, DisableRetrySync: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}
