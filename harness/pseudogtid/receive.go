package pseudogtid

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"slices"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"mysqlmatrix/harness/server"
)

// Events are received ahead of what is looked at, in batches: enough to keep the server busy, few enough that
// large rows do not add up. The first batches are small, since a search often wants only a log's first events.
const (
	receiveBuffer = 256 << 10 // bytes
	smallestRead  = 16 << 10
	batchBytes    = 512 << 10
	firstBatch    = 16 // events
	largestBatch  = 2048
	batchesAhead  = 2
)

// batch is some events, and what came after them: nil, io.EOF at the end of the log, or an error.
type batch struct {
	events []event
	then   error
}

// receiver reads what a server sends of its log.
type receiver struct {
	dump
	file    string
	pos     uint64
	in      io.Reader
	buffer  []byte                    // what is received; events lie in it, and it is never used again
	taken   int                       // of the buffer: events
	filled  int                       // of the buffer
	format  *replication.BinlogParser // reads the formats of the logs
	known   bool                      // a format came
	batches chan batch
	now     batch
	read    int          // of its events
	used    chan []event // batches that were read, to be filled again
	quit    context.CancelFunc
	ended   chan struct{}
}

// receive takes over a connection on which the server begins to send its log.
func (d dump) receive(ctx context.Context, connection net.Conn, from server.Coordinates) *receiver {
	ctx, quit := context.WithCancel(ctx)
	r := &receiver{dump: d, file: from.File, pos: from.Pos, in: connection, quit: quit,
		format: replication.NewBinlogParser(), batches: make(chan batch, batchesAhead), used: make(chan []event, batchesAhead), ended: make(chan struct{})}
	r.format.SetRawMode(true)
	go func() {
		defer close(r.ended)
		defer close(r.batches)
		// The end of a context ends a read as well.
		release := context.AfterFunc(ctx, func() { _ = connection.Close() })
		defer func() {
			if release() {
				_ = connection.Close() // there is nothing more to say to the server
			}
		}()
		for size := firstBatch; ; size = min(2*size, largestBatch) {
			b := r.gather(size)
			if ctx.Err() != nil {
				b.then = ctx.Err()
			}
			select {
			case r.batches <- b:
			case <-ctx.Done():
				return
			}
			if b.then != nil {
				return
			}
		}
	}()
	return r
}

func (r *receiver) close() {
	r.quit()
	<-r.ended
}

func (r *receiver) next(ctx context.Context) (event, error) {
	for r.read == len(r.now.events) {
		if err := r.now.then; err != nil {
			if errors.Is(err, io.EOF) {
				return event{}, io.EOF
			}
			return event{}, fmt.Errorf("read binary log %s of %s: %w", r.file, r.server.Endpoint.Addr(), err)
		}
		select {
		case r.used <- r.now.events:
		default:
		}
		var ok bool
		r.read = 0
		if r.now, ok = <-r.batches; !ok {
			r.now = batch{then: context.Cause(ctx)}
			if r.now.then == nil {
				r.now.then = net.ErrClosed
			}
		}
	}
	e := r.now.events[r.read]
	r.read++
	return e, nil
}

// gather receives up to so many events.
func (r *receiver) gather(limit int) (b batch) {
	select {
	case b.events = <-r.used:
		b.events = slices.Grow(b.events[:0], limit)
	default:
		b.events = make([]event, 0, limit)
	}
	for bytes := 0; len(b.events) < limit && bytes < batchBytes; {
		if r.reached() {
			b.then = io.EOF
			return b
		}
		raw, err := r.packet()
		if err != nil {
			b.then = err
			return b
		}
		e := event{raw: raw}
		if err := e.header.Decode(raw); err != nil {
			b.then = err
			return b
		}
		if ok, err := r.locate(&e); err != nil {
			b.then = err
			return b
		} else if ok {
			b.events = append(b.events, e)
			bytes += len(raw)
		}
	}
	return b
}

// locate sets an event's coordinates. A rotation only names the next file, and is not given to the caller.
func (r *receiver) locate(e *event) (is bool, err error) {
	header := &e.header
	switch header.EventType {
	case replication.ROTATE_EVENT:
		return false, r.rotate(e.raw)
	case replication.FORMAT_DESCRIPTION_EVENT:
		if _, err := r.format.Parse(e.raw); err != nil {
			return false, err
		}
		r.known = true
	}
	from := r.pos
	switch size := uint64(header.EventSize); {
	case e.artificial():
	case header.LogPos > 0:
		r.pos = uint64(header.LogPos)
		from = max(start, r.pos-min(size, r.pos))
	case header.EventType != replication.FORMAT_DESCRIPTION_EVENT:
		r.pos += size // MariaDB 11 gives events inside a transaction the position 0
	}
	e.start, e.end = server.Coordinates{File: r.file, Pos: from}, server.Coordinates{File: r.file, Pos: r.pos}
	return true, nil
}

// rotate goes on to another log. A server begins with a rotation to the log that it was asked for, whose
// checksum follows other rules, and says nothing new.
func (r *receiver) rotate(raw []byte) error {
	if !r.known {
		return nil
	}
	const position = 8
	body := raw[replication.EventHeaderSize:]
	// Whether it has a checksum is said by the log before or by the next one, when their formats differ.
	if n := len(raw) - replication.BinlogChecksumLength; len(body) > position+replication.BinlogChecksumLength &&
		binary.LittleEndian.Uint32(raw[n:]) == crc32.ChecksumIEEE(raw[:n]) {
		body = body[:len(body)-replication.BinlogChecksumLength]
	}
	if len(body) <= position {
		return fmt.Errorf("a rotation of %d bytes", len(raw))
	}
	if next := string(body[position:]); next != r.file {
		r.file, r.pos = next, start
	}
	return nil
}

// reached says whether this is the end of the log as it was opened. A log that was rotated to ends at its first
// byte when nothing is written to it yet.
func (r *receiver) reached() bool {
	if r.file == r.end.File {
		return max(r.pos, start) >= r.end.Pos
	}
	return (server.Coordinates{File: r.file, Pos: r.pos}).Compare(r.end) >= 0
}

// packet is the next event that the server sends; io.EOF when it has sent all. An event of 16 MB and more comes
// in several packets, each but the last of them full (MySQL's manual of the protocol, "Sending More Than 16Mb").
func (r *receiver) packet() ([]byte, error) {
	size, err := r.length()
	if err != nil {
		return nil, err
	}
	if size == 0 {
		return nil, errors.New("an empty packet")
	}
	// Its first byte says what it is.
	var packet []byte
	if size < mysql.MaxPayloadLen {
		packet, err = r.take(size)
	} else {
		packet, err = r.take(1)
	}
	if err != nil {
		return nil, err
	}
	status, packet := packet[0], packet[1:]
	switch {
	case status == mysql.EOF_HEADER:
		return nil, io.EOF
	case status == mysql.ERR_HEADER:
		return nil, refused(packet)
	case status != mysql.OK_HEADER:
		return nil, fmt.Errorf("a packet that begins with %#x", status)
	case size < mysql.MaxPayloadLen:
		return packet, nil
	}
	var whole bytes.Buffer
	rest := size - 1
	for {
		ahead := r.buffer[r.taken:min(r.filled, r.taken+rest)]
		r.taken += len(ahead)
		whole.Write(ahead)
		if _, err := io.CopyN(&whole, r.in, int64(rest-len(ahead))); err != nil {
			return nil, unexpected(err)
		}
		if size < mysql.MaxPayloadLen {
			return whole.Bytes(), nil
		}
		if size, err = r.length(); err != nil {
			return nil, err
		}
		rest = size
	}
}

// length is how long the next packet is.
func (r *receiver) length() (int, error) {
	head, err := r.take(4) // three bytes, and a number that TCP makes needless
	if err != nil {
		return 0, err
	}
	return int(head[0]) | int(head[1])<<8 | int(head[2])<<16, nil
}

// take is the next so many bytes, where they were received.
func (r *receiver) take(size int) ([]byte, error) {
	if missing := size - (r.filled - r.taken); missing > 0 {
		if len(r.buffer)-r.filled < max(missing, smallestRead) {
			next := make([]byte, max(receiveBuffer, size))
			r.filled, r.taken, r.buffer = copy(next, r.buffer[r.taken:r.filled]), 0, next
		}
		n, err := io.ReadAtLeast(r.in, r.buffer[r.filled:], missing)
		r.filled += n
		if err != nil {
			return nil, unexpected(err)
		}
	}
	bytes := r.buffer[r.taken : r.taken+size : r.taken+size]
	r.taken += size
	return bytes, nil
}

// unexpected tells a connection that ends from a log that does.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the server ended the connection: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// refused is the error that a server sends: a number, a state after its mark, and a text.
func refused(packet []byte) error {
	const number, state = 2, 6
	if len(packet) < number {
		return io.ErrUnexpectedEOF
	}
	e := &mysql.MyError{Code: binary.LittleEndian.Uint16(packet)}
	packet = packet[number:]
	if len(packet) >= state && packet[0] == '#' {
		e.State, packet = string(packet[1:state]), packet[state:]
	}
	e.Message = string(packet)
	return e
}
