package pseudogtid

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"mysqlmatrix/harness/server"
)

// Log reads one server's binary logs as a replica does.
type Log struct {
	Server *server.Server
	files  []server.BinaryLog
	end    server.Coordinates // of the newest log when it was opened
}

// Open takes note of which logs there are and where they end. What is written later is not read.
func Open(ctx context.Context, s *server.Server) (*Log, error) {
	end, _, err := s.BinaryLogStatus(ctx)
	if err != nil {
		return nil, err
	}
	files, err := s.BinaryLogs(ctx)
	if err != nil {
		return nil, err
	}
	return &Log{Server: s, files: files, end: end}, nil
}

// artificial marks events that the source makes up for one connection and that stand in no log
// (LOG_EVENT_ARTIFICIAL_F in MySQL's and MariaDB's log_event.h).
const artificial = 0x20

// start is where the first event of a log begins, after its magic number.
const start = 4

// errStop ends a scan from inside.
var errStop = errors.New("stop")

// scan reads events from a place to the end of the log, or of one file, until see returns an error.
// Row contents are decoded only when they are asked for.
func (l *Log) scan(ctx context.Context, from server.Coordinates, oneFile, contents bool, see func(e *replication.BinlogEvent, file string) error) error {
	if from.Compare(l.end) >= 0 {
		return nil
	}
	syncer := replication.NewBinlogSyncer(l.config(contents))
	defer syncer.Close()
	streamer, err := syncer.StartSync(mysql.Position{Name: from.File, Pos: uint32(from.Pos)})
	if err != nil {
		return fmt.Errorf("read binary log %s of %s: %w", from, l.Server.Endpoint.Addr(), err)
	}
	file := from.File
	for {
		e, err := streamer.GetEvent(ctx)
		if err != nil {
			return fmt.Errorf("read binary log %s of %s: %w", file, l.Server.Endpoint.Addr(), err)
		}
		if rotate, ok := e.Event.(*replication.RotateEvent); ok {
			if next := string(rotate.NextLogName); next != file {
				if oneFile {
					return nil
				}
				file = next
			}
			if l.reached(file, 0) {
				return nil
			}
			continue
		}
		if e.Header.Flags&artificial != 0 {
			continue
		}
		if err := see(e, file); err != nil {
			if errors.Is(err, errStop) {
				return nil
			}
			return err
		}
		// MariaDB gives events inside a transaction the position 0 (seen on 11.8).
		if e.Header.LogPos > 0 && l.reached(file, uint64(e.Header.LogPos)) {
			return nil
		}
	}
}

// reached says whether a place is the end of the log as it was opened.
func (l *Log) reached(file string, pos uint64) bool {
	return server.Coordinates{File: file, Pos: max(pos, start)}.Compare(l.end) >= 0
}

func (l *Log) config(contents bool) replication.BinlogSyncerConfig {
	flavor := mysql.MySQLFlavor
	if l.Server.Flavor.IsMariaDB() {
		flavor = mysql.MariaDBFlavor
	}
	c := replication.BinlogSyncerConfig{
		// A replica's id has to be unlike any other's at the same source, or the source ends the older one's dump.
		ServerID: 1<<31 + rand.Uint32N(1<<30), Flavor: flavor,
		Host: l.Server.Endpoint.Host, Port: uint16(l.Server.Endpoint.Port), User: l.Server.Endpoint.User, Password: l.Server.Endpoint.Password,
		MaxReconnectAttempts: 1, DisableRetrySync: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if !contents {
		c.RowsEventDecodeFunc = func(*replication.RowsEvent, []byte) error { return nil }
	}
	return c
}

// entryOf says whether an event is a Pseudo-GTID entry.
func entryOf(e *replication.BinlogEvent, file string) (Entry, bool) {
	q, ok := e.Event.(*replication.QueryEvent)
	if !ok {
		return Entry{}, false
	}
	match := entryPattern.FindSubmatch(q.Query)
	if match == nil {
		return Entry{}, false
	}
	return Entry{Hint: string(match[1]), End: server.Coordinates{File: file, Pos: uint64(e.Header.LogPos)}}, true
}

// last finds the newest entry, from the newest log backwards.
func (l *Log) last(ctx context.Context) (*Entry, error) {
	for i := len(l.files) - 1; i >= 0; i-- {
		var found *Entry
		err := l.scan(ctx, server.Coordinates{File: l.files[i].Name, Pos: start}, true, false, func(e *replication.BinlogEvent, file string) error {
			if entry, ok := entryOf(e, file); ok {
				found = &entry
			}
			return nil
		})
		if err != nil || found != nil {
			return found, err
		}
	}
	return nil, nil
}

// first finds the first entry at or after the i-th log.
func (l *Log) first(ctx context.Context, i int) (found *Entry, err error) {
	err = l.scan(ctx, server.Coordinates{File: l.files[i].Name, Pos: start}, false, false, func(e *replication.BinlogEvent, file string) error {
		if entry, ok := entryOf(e, file); ok {
			found = &entry
			return errStop
		}
		return nil
	})
	return found, err
}

// find finds an entry by its hint. The hints ascend, so that the log that holds it is found by halving:
// the last one whose first entry is not greater.
func (l *Log) find(ctx context.Context, hint string) (*Entry, error) {
	low, high := 0, len(l.files)-1
	for low < high {
		middle := (low + high + 1) / 2
		first, err := l.first(ctx, middle)
		if err != nil {
			return nil, err
		}
		if first == nil || first.Hint > hint {
			high = middle - 1
		} else {
			low = middle
		}
	}
	// Entries of two injectors at once need not ascend to the letter: the log before may hold it, too.
	for _, i := range []int{low, low - 1} {
		if i < 0 {
			break
		}
		var found *Entry
		err := l.scan(ctx, server.Coordinates{File: l.files[i].Name, Pos: start}, i == low-1, false, func(e *replication.BinlogEvent, file string) error {
			if entry, ok := entryOf(e, file); ok && entry.Hint == hint {
				found = &entry
				return errStop
			}
			return nil
		})
		if err != nil || found != nil {
			return found, err
		}
	}
	return nil, nil
}
