package pseudogtid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"

	"mysqlmatrix/harness/server"
)

// readAll is what a log gives from a place on.
func readAll(t *testing.T, l *Log, from server.Coordinates) (list []event) {
	t.Helper()
	if err := l.scan(t.Context(), from, false, func(e event) error { list = append(list, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return list
}

// places is from about how many places of a log it is read.
const places = 30

// From any place to the end, a log gives the same with a tape of any length as without one.
func TestTapeGivesWhatTheLogDoes(t *testing.T) {
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			plain := inMemory("plain", r.mariadb, r.primary)
			events := readAll(t, plain, server.Coordinates{File: plain.files[0], Pos: start})
			step := max(1, len(events)/places)
			for k := 0; k < len(events); k += step {
				taped := inMemory("taped", r.mariadb, r.primary)
				taped.tail = &tape{file: taped.files[0]}
				taped.tail.record(events[0]) // the format
				for _, e := range events[k:] {
					taped.tail.record(e)
				}
				for f := 0; f < len(events); f += step {
					from := events[f]
					want, got := readAll(t, plain, from.start), readAll(t, taped, from.start)
					if len(want) != len(got) {
						t.Fatalf("taped from %s and read from %s: %d events, not %d", events[k].start, from.start, len(got), len(want))
					}
					for i := range want {
						sameFormat := want[i].header.EventType == replication.FORMAT_DESCRIPTION_EVENT
						if !bytes.Equal(want[i].raw, got[i].raw) || want[i].header != got[i].header ||
							!sameFormat && (want[i].start != got[i].start || want[i].end != got[i].end) {
							t.Fatalf("taped from %s and read from %s: event %d is another", events[k].start, from.start, i)
						}
					}
				}
			}
		})
	}
}

// A match reads the end of the replica's log once.
func TestMatchReadsTheReplicasEndOnce(t *testing.T) {
	for _, r := range recordings(t) {
		mine, theirs := inMemory("replica", r.mariadb, r.replica), inMemory("target", r.mariadb, r.primary)
		if _, err := (Matcher{}).MatchLogs(t.Context(), mine, theirs); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		if mine.Opened() != 1 {
			t.Errorf("%s: the replica's log was opened %d times", r.name, mine.Opened())
		}
	}
}

// made is an event of some size at a place.
func made(pos uint64, size int) event {
	e := event{raw: bytes.Repeat([]byte{byte(pos)}, size)}
	clear(e.raw[:replication.EventHeaderSize])
	e.raw[4] = byte(replication.HEARTBEAT_EVENT)
	binary.LittleEndian.PutUint32(e.raw[9:], uint32(size))
	e.start, e.end = server.Coordinates{File: "log.000001", Pos: pos}, server.Coordinates{File: "log.000001", Pos: pos + uint64(size)}
	if err := e.header.Decode(e.raw); err != nil {
		panic(err)
	}
	return e
}

func TestTapeKeepsTheEndWithoutGaps(t *testing.T) {
	newTape := func() *tape { return &tape{file: "log.000001", format: []byte{0}} }
	played := func(tp *tape) (first, last uint64, n int) {
		at, ok := tp.begin()
		if !ok {
			return 0, 0, 0
		}
		r := tp.events(at.Pos)
		for next := at.Pos; ; n++ {
			e, err := r.next(t.Context())
			if errors.Is(err, io.EOF) {
				return at.Pos, next, n
			}
			if err != nil || e.start.Pos != next || e.raw[len(e.raw)-1] != byte(next) {
				t.Fatalf("event %d at %s, not %d: %v", n, e.start, next, err)
			}
			next = e.end.Pos
		}
	}
	tp := newTape()
	pos := uint64(start)
	for range 400 {
		e := made(pos, 70_000)
		tp.record(e)
		pos = e.end.Pos
	}
	if first, last, n := played(tp); last != pos || last-first > tapeBytes || last-first < tapeBytes-2*tapeLength || n == 0 {
		t.Errorf("of %d bytes those from %d to %d are kept", pos, first, last)
	}
	tp.record(made(pos+1, 100)) // one is missing
	if first, last, n := played(tp); first != pos+1 || last != pos+101 || n != 1 {
		t.Errorf("after a gap: %d events from %d to %d", n, first, last)
	}
	tp.record(made(pos+101, tapeBytes+1))
	if _, _, n := played(tp); n != 0 {
		t.Errorf("after an event that is too large: %d events", n)
	}
	tp.record(made(pos+102+tapeBytes, tapeBytes))
	tp.record(made(pos+102+2*tapeBytes, 50))
	if first, _, n := played(tp); first != pos+102+2*tapeBytes || n != 1 {
		t.Errorf("after one that fills it: %d events from %d", n, first)
	}
}

// A log that is not what it was a moment ago is an error, and no shorter history.
func TestTapeOfAnotherLog(t *testing.T) {
	r := recordings(t)[0]
	l := inMemory("log", r.mariadb, r.primary)
	from := server.Coordinates{File: l.files[0], Pos: start}
	events := readAll(t, l, from)
	for name, shift := range map[string]uint64{"in the middle of an event": 1, "after the end": uint64(len(r.primary))} {
		l.tail = &tape{file: l.files[0], format: events[0].raw, pieces: []piece{{events[9].start.Pos + shift, events[9].raw}}}
		err := l.scan(t.Context(), from, false, func(event) error { return nil })
		if err == nil {
			t.Errorf("a tape that begins %s: no error", name)
		}
	}
}
