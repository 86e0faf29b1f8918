package pseudogtid

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/go-mysql-org/go-mysql/replication"

	"mysqlmatrix/harness/server"
)

// magic begins every log file that is not encrypted.
var magic = []byte{0xfe, 'b', 'i', 'n'}

// errEncrypted is a log file that only its server can read.
var errEncrypted = errors.New("the file is not a plain log: it is encrypted, or no log")

// maxEvent is MySQL's and MariaDB's own limit for one event (max_allowed_packet's maximum).
const maxEvent = 1 << 30

// OpenFiles is a history in log files, oldest first, up to a position in the last of them; position 0 there is
// the file's end.
func OpenFiles(name string, mariadb bool, dir string, files []string, end server.Coordinates) (*Log, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no log files in %s", name, dir)
	}
	l := &Log{Name: name, MariaDB: mariadb, files: files, opened: new(atomic.Int64)}
	for _, file := range files {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			return nil, err
		}
		l.sizes = append(l.sizes, uint64(info.Size()))
		if file == end.File && end.Pos == 0 {
			end.Pos = uint64(info.Size())
		}
	}
	if end.Pos == 0 {
		return nil, fmt.Errorf("%s: no log file %s in %s", name, end.File, dir)
	}
	l.end = end
	l.store = inFiles{files: files, end: end, open1: func(file string) (io.ReadCloser, error) {
		return os.Open(filepath.Join(dir, file))
	}}
	return l, nil
}

// inFiles are logs that this program reads itself.
type inFiles struct {
	files []string
	end   server.Coordinates
	open1 func(file string) (io.ReadCloser, error)
}

func (s inFiles) open(_ context.Context, from server.Coordinates) (reader, error) {
	r := &fileReader{inFiles: s}
	for i, name := range s.files {
		if name == from.File {
			r.index = i
			return r, r.enter(from.Pos)
		}
	}
	return nil, fmt.Errorf("no log file %s", from.File)
}

// fileReader reads one file after the other.
type fileReader struct {
	inFiles
	index  int
	file   io.ReadCloser
	buffer *bufio.Reader
	pos    uint64
	skipTo uint64 // events before it are not asked for, but for the format description
}

func (r *fileReader) name() string { return r.files[r.index] }

func (r *fileReader) close() {
	if r.file != nil {
		_ = r.file.Close() // it was only read
		r.file = nil
	}
}

func (r *fileReader) enter(skipTo uint64) (err error) {
	r.close()
	if r.file, err = r.open1(r.name()); err != nil {
		return err
	}
	r.buffer = bufio.NewReaderSize(r.file, 256<<10)
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(r.buffer, head); err != nil || !bytes.Equal(head, magic) {
		r.close()
		return fmt.Errorf("log file %s: %w", r.name(), errors.Join(errEncrypted, err))
	}
	r.pos, r.skipTo = start, skipTo
	return nil
}

func (r *fileReader) next(ctx context.Context) (event, error) {
	for {
		if err := ctx.Err(); err != nil {
			return event{}, err
		}
		if r.name() == r.end.File && r.pos >= r.end.Pos {
			return event{}, io.EOF
		}
		e, err := r.event()
		if errors.Is(err, io.EOF) {
			if r.index+1 >= len(r.files) {
				return event{}, io.EOF
			}
			r.index++
			if err := r.enter(start); err != nil {
				return event{}, err
			}
			continue
		}
		if err != nil {
			return event{}, fmt.Errorf("log file %s at %d: %w", r.name(), r.pos, err)
		}
		if e.start.Pos >= r.skipTo || e.header.EventType == replication.FORMAT_DESCRIPTION_EVENT {
			return e, nil
		}
	}
}

// event reads the next event of the file; io.EOF only between two.
func (r *fileReader) event() (event, error) {
	head, err := r.buffer.Peek(replication.EventHeaderSize)
	if err != nil {
		if errors.Is(err, io.EOF) && len(head) > 0 {
			return event{}, io.ErrUnexpectedEOF
		}
		return event{}, err
	}
	size := uint64(binary.LittleEndian.Uint32(head[9:]))
	if size < replication.EventHeaderSize || size > maxEvent {
		return event{}, fmt.Errorf("an event of %d bytes", size)
	}
	// Grown as it is read, since a damaged length may be anything.
	var raw bytes.Buffer
	if _, err := io.CopyN(&raw, r.buffer, int64(size)); err != nil {
		return event{}, fmt.Errorf("an event of %d bytes: %w", size, io.ErrUnexpectedEOF)
	}
	e := event{raw: raw.Bytes(), start: server.Coordinates{File: r.name(), Pos: r.pos}}
	if err := e.header.Decode(e.raw); err != nil {
		return event{}, err
	}
	r.pos += size
	e.end = server.Coordinates{File: r.name(), Pos: r.pos}
	return e, nil
}
