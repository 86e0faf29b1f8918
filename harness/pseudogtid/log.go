package pseudogtid

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/go-mysql-org/go-mysql/replication"

	"mysqlmatrix/harness/server"
)

// start is where the first event of a log begins, after its magic number.
const start = 4

// artificial marks events that the source makes up for one connection and that stand in no log, and
// ignorable those that a reader who does not know them may pass over (LOG_EVENT_ARTIFICIAL_F and
// LOG_EVENT_IGNORABLE_F in MySQL's and MariaDB's log_event.h).
const (
	artificial = 0x20
	ignorable  = replication.LOG_EVENT_IGNORABLE_F
)

// event is one event as it stands in a log, not yet decoded but for its header.
type event struct {
	raw        []byte // header, body and checksum
	header     replication.EventHeader
	start, end server.Coordinates
}

func (e event) artificial() bool { return e.header.Flags&artificial != 0 }

// reader gives events one by one, across files, and io.EOF at the end of the log.
type reader interface {
	next(ctx context.Context) (event, error)
	close()
}

// store is where logs lie: on a server that sends them as to a replica, or in files.
type store interface {
	open(ctx context.Context, from server.Coordinates) (reader, error)
}

// Log is one server's history as it stood when it was opened. What is written later is not read.
type Log struct {
	Name    string   // of the server, and of which of its logs this is
	MariaDB bool     // which of the two formats its events have
	files   []string // oldest first
	sizes   []uint64 // of the files, in bytes
	end     server.Coordinates
	store   store
	opened  *atomic.Int64 // files that were opened, for those who count
	tail    *tape         // the end of it, when that was read
}

// Opened is how many log files were opened so far.
func (l *Log) Opened() int { return int(l.opened.Load()) }

// End is where the log ends.
func (l *Log) End() server.Coordinates { return l.end }

// purged says whether the oldest log is not the first that there was.
func (l *Log) purged() bool {
	if len(l.files) == 0 {
		return true
	}
	name := l.files[0]
	n, err := strconv.ParseUint(name[strings.LastIndexByte(name, '.')+1:], 10, 64)
	return err == nil && n > 1
}

// index is a file's number among the log's files, -1 when it is not one of them.
func (l *Log) index(file string) int {
	for i, name := range l.files {
		if name == file {
			return i
		}
	}
	return -1
}

// errStop ends a scan from inside.
var errStop = errors.New("stop")

// scan reads events from coordinates to the end of the log, or of one file, until see returns an error.
func (l *Log) scan(ctx context.Context, from server.Coordinates, oneFile bool, see func(e event) error) error {
	r, err := l.read(ctx, from)
	if err != nil {
		return err
	}
	defer r.close()
	for {
		e, err := r.next(ctx)
		if errors.Is(err, io.EOF) || err == nil && oneFile && e.start.File != from.File {
			return nil
		}
		if err != nil {
			return err
		}
		if err := see(e); err != nil {
			if errors.Is(err, errStop) {
				return nil
			}
			return err
		}
	}
}

// read opens the log at coordinates. At its end there is nothing to open, and nothing where its end is on a tape.
func (l *Log) read(ctx context.Context, from server.Coordinates) (reader, error) {
	if from.Compare(l.end) >= 0 {
		return ended{}, nil
	}
	kept, ok := l.tail.begin()
	if ok && from.Compare(kept) >= 0 {
		return l.tail.from(from.Pos), nil
	}
	l.opened.Add(1)
	r, err := l.store.open(ctx, from)
	if err != nil {
		return nil, err
	}
	if ok {
		r = &spliced{head: r, tail: l.tail.events(kept.Pos)}
	}
	return &counted{reader: r, log: l, file: from.File}, nil
}

// ended is a reader at the end.
type ended struct{}

func (ended) next(context.Context) (event, error) { return event{}, io.EOF }
func (ended) close()                              {}

// counted counts the files that a reader goes on to.
type counted struct {
	reader
	log  *Log
	file string
}

func (c *counted) next(ctx context.Context) (event, error) {
	e, err := c.reader.next(ctx)
	if err == nil && e.start.File != c.file {
		c.file = e.start.File
		c.log.opened.Add(1)
	}
	return e, err
}
