package pseudogtid

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-mysql-org/go-mysql/replication"

	"mysqlmatrix/harness/server"
)

// The newest log is read to its end to find the last entry, and from that entry on once more to be compared. The end
// of it is kept meanwhile: what was written since the last entry is little where entries come every few seconds.
const (
	tapeBytes  = 8 << 20
	tapeLength = 512 << 10 // of one piece, in bytes
)

// tape keeps the last events of a log file as it is read, without a gap.
type tape struct {
	file   string
	format []byte // the file's format description, which a decoder wants first
	pieces []piece
	size   int // bytes of all events
}

// piece is some events one after the other, and where the first of them stands in the log.
type piece struct {
	start uint64
	raw   []byte
}

func (p piece) end() uint64 { return p.start + uint64(len(p.raw)) }

// record keeps an event, and lets go of the oldest ones. A tape that is nil keeps nothing.
func (t *tape) record(e event) {
	switch {
	case t == nil:
		return
	case e.header.EventType == replication.FORMAT_DESCRIPTION_EVENT:
		t.format = bytes.Clone(e.raw)
		return
	case e.artificial():
		return
	}
	n := len(t.pieces)
	if n > 0 && t.pieces[n-1].end() != e.start.Pos {
		t.pieces, t.size, n = nil, 0, 0 // a gap
	}
	size := uint64(len(e.raw))
	if size > tapeBytes || uint64(e.header.EventSize) != size || e.end.Pos-e.start.Pos != size {
		t.pieces, t.size = nil, 0
		return
	}
	var spare []byte
	for t.size+len(e.raw) > tapeBytes {
		spare = t.pieces[0].raw
		t.size -= len(spare)
		t.pieces = slices.Delete(t.pieces, 0, 1)
	}
	if n = len(t.pieces); n == 0 || len(t.pieces[n-1].raw)+len(e.raw) > tapeLength {
		if spare == nil {
			spare = make([]byte, 0, max(tapeLength, len(e.raw)))
		}
		t.pieces, n = append(t.pieces, piece{e.start.Pos, spare[:0]}), n+1
	}
	last := &t.pieces[n-1]
	last.raw = append(last.raw, e.raw...)
	t.size += len(e.raw)
}

// begin is where the tape begins; ok is false when there is nothing on it.
func (t *tape) begin() (at server.Coordinates, ok bool) {
	if t == nil || t.format == nil || len(t.pieces) == 0 {
		return at, false
	}
	return server.Coordinates{File: t.file, Pos: t.pieces[0].start}, true
}

// from plays the format, for a decoder that has read nothing yet, and then the tape from a position that is not before its beginning.
func (t *tape) from(pos uint64) *replay {
	r := t.events(pos)
	r.opening = true
	return r
}

// events plays the tape from a position that is not before its beginning, without the format.
func (t *tape) events(pos uint64) *replay {
	r := &replay{tape: t, pos: pos}
	for r.piece < len(t.pieces) && t.pieces[r.piece].end() <= pos {
		r.piece++
	}
	return r
}

// replay reads a tape.
type replay struct {
	tape    *tape
	piece   int
	pos     uint64 // where the next event stands
	opening bool   // the format comes next
}

func (r *replay) close() {}

func (r *replay) next(ctx context.Context) (e event, err error) {
	e.start.File, e.end.File = r.tape.file, r.tape.file
	if r.opening {
		r.opening = false
		e.raw, e.start.Pos, e.end.Pos = r.tape.format, start, start
		return e, e.header.Decode(e.raw)
	}
	if r.piece == len(r.tape.pieces) {
		return event{}, io.EOF
	}
	p := r.tape.pieces[r.piece]
	if r.pos == p.start && ctx.Err() != nil {
		return event{}, context.Cause(ctx)
	}
	rest := p.raw[r.pos-p.start:]
	if err := e.header.Decode(rest); err != nil {
		return event{}, err
	}
	if uint64(len(rest)) < uint64(e.header.EventSize) {
		return event{}, fmt.Errorf("no event begins at %d, where one did a moment ago", r.pos)
	}
	e.raw = rest[:e.header.EventSize:e.header.EventSize]
	e.start.Pos, e.end.Pos = r.pos, r.pos+uint64(len(e.raw))
	if r.pos = e.end.Pos; r.pos == p.end() {
		r.piece++
	}
	return e, nil
}

// spliced reads a log up to where a tape begins, and goes on with that.
type spliced struct {
	head reader // nil when the tape is played
	tail *replay
}

func (s *spliced) close() {
	if s.head != nil {
		s.head.close()
		s.head = nil
	}
}

func (s *spliced) next(ctx context.Context) (event, error) {
	if s.head == nil {
		return s.tail.next(ctx)
	}
	at, _ := s.tail.tape.begin()
	e, err := s.head.next(ctx)
	if errors.Is(err, io.EOF) {
		return event{}, fmt.Errorf("the log ends before %s, where it did not a moment ago", at)
	}
	if err != nil || e.header.EventType == replication.FORMAT_DESCRIPTION_EVENT || e.start.Compare(at) < 0 {
		return e, err
	}
	if e.start != at {
		return event{}, fmt.Errorf("no event begins at %s, where one did a moment ago, but one at %s", at, e.start)
	}
	s.close()
	return s.tail.next(ctx)
}
