package pseudogtid

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"

	"mysqlmatrix/harness/server"
)

// recording is a primary's binary log and its replica's, as one server wrote them (scripts/record-logs).
type recording struct {
	name             string
	mariadb          bool
	primary, replica []byte
}

func recordings(t testing.TB) (list []recording) {
	t.Helper()
	dirs, err := filepath.Glob("testdata/*/primary")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no recorded logs: %v", err)
	}
	for _, path := range dirs {
		r := recording{name: filepath.Base(filepath.Dir(path))}
		r.mariadb = strings.HasPrefix(r.name, "mariadb")
		if r.primary, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		if r.replica, err = os.ReadFile(filepath.Join(filepath.Dir(path), "replica")); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// inMemory is a log of the given files, named log.000001 and on.
func inMemory(name string, mariadb bool, files ...[]byte) *Log {
	l := &Log{Name: name, MariaDB: mariadb, opened: new(atomic.Int64)}
	for i := range files {
		l.files = append(l.files, fmt.Sprintf("log.%06d", i+1))
	}
	l.end = server.Coordinates{File: l.files[len(files)-1], Pos: uint64(len(files[len(files)-1]))}
	l.store = inFiles{files: l.files, end: l.end, open1: func(file string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files[l.index(file)])), nil
	}}
	return l
}

// cut splits a log file into its events; the magic number is not one of them.
func cut(log []byte) (events [][]byte) {
	for rest := log[start:]; len(rest) >= replication.EventHeaderSize; {
		size := int(binary.LittleEndian.Uint32(rest[9:]))
		if size < replication.EventHeaderSize || size > len(rest) {
			break
		}
		events, rest = append(events, rest[:size]), rest[size:]
	}
	return events
}

func glue(events ...[]byte) []byte {
	return append(bytes.Clone(magic), bytes.Join(events, nil)...)
}

// itemsFrom reads everything from the entry on, as plain text, without walking: what the walk is held to.
func itemsFrom(t testing.TB, l *Log, from server.Coordinates) (list []Item) {
	t.Helper()
	c, err := l.walk(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for {
		item, err := c.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if item == nil {
			return list
		}
		list = append(list, *item)
	}
}

func TestRecordedLogsMatchBothWays(t *testing.T) {
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			primary, replica := inMemory("primary", r.mariadb, r.primary), inMemory("replica", r.mariadb, r.replica)
			for _, pair := range [][2]*Log{{replica, primary}, {primary, replica}, {primary, primary}} {
				for _, m := range []Matcher{{}, {Thorough: true}} {
					answer, err := m.MatchLogs(t.Context(), pair[0], pair[1])
					if err != nil {
						t.Fatalf("%s below %s: %v", pair[0].Name, pair[1].Name, err)
					}
					if answer.At != pair[1].End() {
						t.Errorf("%s below %s: %s, want the end %s", pair[0].Name, pair[1].Name, answer.At, pair[1].End())
					}
				}
			}
			kinds := map[Kind]int{}
			for _, item := range itemsFrom(t, primary, server.Coordinates{File: primary.files[0], Pos: start}) {
				kinds[item.Kind]++
			}
			if kinds[KindRow] == 0 || kinds[KindStatement] == 0 || kinds[KindCommit] == 0 {
				t.Errorf("the recording holds too little: %v", kinds)
			}
		})
	}
}

// The replica's log is cut at every event: the answer is the same as many items of the target, or a refusal
// or an error when a transaction is cut in two.
func TestAReplicaThatEndsAnywhere(t *testing.T) {
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			events := cut(r.replica)
			target := inMemory("target", r.mariadb, r.primary)
			answers := 0
			for n := 2; n <= len(events); n++ {
				mine := inMemory("replica", r.mariadb, glue(events[:n]...))
				answer, err := Matcher{}.MatchLogs(t.Context(), mine, target)
				if err != nil {
					continue
				}
				answers++
				from, err := mine.Find(t.Context(), answer.From)
				if err != nil {
					t.Fatal(err)
				}
				theirs, err := target.Find(t.Context(), answer.From)
				if err != nil {
					t.Fatal(err)
				}
				own := itemsFrom(t, mine, from.End)
				other := itemsFrom(t, &Log{Name: "t", MariaDB: r.mariadb, files: target.files, end: answer.At, opened: new(atomic.Int64),
					store: inFiles{files: target.files, end: answer.At, open1: target.store.(inFiles).open1}}, theirs.End)
				if len(own) != len(other) {
					t.Errorf("cut after %d events: %d items answered with %d of the target", n, len(own), len(other))
				}
			}
			if answers < 4 {
				t.Errorf("only %d answers", answers)
			}
		})
	}
}

func TestPlantedFaultsAreSeenInRecordedLogs(t *testing.T) {
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			whole := inMemory("target", r.mariadb, r.primary)
			events := cut(r.replica)
			var mine *Log
			var right *Answer
			for n := len(events) - 1; right == nil && n > 2; n-- { // the last transaction is missing
				mine = inMemory("replica", r.mariadb, glue(events[:n]...))
				if answer, err := (Matcher{}).MatchLogs(t.Context(), mine, whole); err == nil && answer.At != whole.End() {
					right = answer
				}
			}
			if right == nil {
				t.Fatal("no place before the end")
			}
			wrong, err := Matcher{planted: faults{offByOne: true}}.MatchLogs(t.Context(), mine, whole)
			if err != nil || wrong.At.Compare(right.At) <= 0 {
				t.Errorf("off by one: %v, %v; right is %s", wrong, err, right.At)
			}
			// Another row in the same place: 31 was inserted last.
			for n, e := range events {
				i := bytes.LastIndex(e, []byte{21, 0, 0, 0})
				if kind := replication.EventType(e[4]); i < 0 || kind != replication.UPDATE_ROWS_EVENTv1 && kind != replication.UPDATE_ROWS_EVENTv2 {
					continue
				}
				changed := slices.Clone(events)
				changed[n] = bytes.Clone(e)
				changed[n][i] = 22
				other := inMemory("replica", r.mariadb, glue(changed...))
				var refusal *RefusalError
				if _, err := (Matcher{}).MatchLogs(t.Context(), other, whole); !errors.As(err, &refusal) || refusal.Why != Diverged {
					t.Errorf("a changed row: %v", err)
				}
				if _, err := (Matcher{planted: faults{ignoreContents: true}}).MatchLogs(t.Context(), other, whole); err != nil {
					t.Errorf("the fault that ignores contents sees it: %v", err)
				}
			}
		})
	}
}

// A thousand logs, each beginning with an entry: the right one is found within twelve openings.
func TestFindsAmongAThousandLogsInTwelveOpenings(t *testing.T) {
	const logs = 1000
	r := recordings(t)[0]
	events := cut(r.primary)
	format := events[0]
	var entry []byte
	for _, e := range events {
		if bytes.Contains(e, []byte("_asc:")) {
			entry = e
			break
		}
	}
	at := bytes.Index(entry, []byte("_asc:")) + len("_asc:")
	files := make([][]byte, logs)
	hints := make([]string, logs)
	for i := range logs {
		hints[i] = fmt.Sprintf("%08x:00000065:%016x", 0x60000000+i*5, i)
		own := bytes.Clone(entry)
		copy(own[at:], hints[i])
		files[i] = glue(format, own)
	}
	worst := 0
	for i := 0; i < logs; i += 37 {
		l := inMemory("target", r.mariadb, files...)
		found, err := l.Find(t.Context(), hints[i])
		if err != nil || found == nil || found.End.File != l.files[i] {
			t.Fatalf("entry %d: %v, %v", i, found, err)
		}
		worst = max(worst, l.Opened())
	}
	if worst > 12 {
		t.Errorf("it took up to %d openings, want at most 12", worst)
	}
	t.Logf("up to %d openings", worst)
}

func TestOutcomes(t *testing.T) {
	r := recordings(t)[0]
	events := cut(r.primary)
	var entries []int
	for i, e := range events {
		if bytes.Contains(e, []byte("_asc:")) {
			entries = append(entries, i)
		}
	}
	refusal := func(mine, theirs *Log) Refusal {
		t.Helper()
		_, err := Matcher{}.MatchLogs(context.Background(), mine, theirs)
		var refused *RefusalError
		if !errors.As(err, &refused) {
			t.Fatalf("want a refusal, got %v", err)
		}
		if refused.Error() == "" || refused.advice() == "" {
			t.Errorf("%s says nothing", refused.Why)
		}
		return refused.Why
	}
	whole := inMemory("whole", r.mariadb, r.primary)
	early := inMemory("early", r.mariadb, glue(events[:entries[1]]...))
	none := inMemory("none", r.mariadb, glue(events[0]))
	late := inMemory("late", r.mariadb, glue(events[0]), glue(append([][]byte{events[0]}, events[entries[2]:]...)...))
	late.files = late.files[1:]  // its first log was purged
	back := slices.Clone(events) // the clock was set back before the last entry
	last := entries[len(entries)-1]
	back[last] = bytes.Clone(back[last])
	copy(back[last][bytes.Index(back[last], []byte("_asc:"))+len("_asc:"):], "00000001")
	setBack := inMemory("set back", r.mariadb, glue(back...))
	before := inMemory("before", r.mariadb, glue(events[:last]...))
	for _, c := range []struct {
		name         string
		mine, theirs *Log
		want         Refusal
	}{
		{"no entry", none, whole, NoEntry},
		{"never had it", whole, none, NotFound},
		{"ahead", whole, early, ReplicaAhead},
		{"ahead by a clock that was set back", setBack, before, ReplicaAhead},
		{"purged on the target", early, late, Purged},
	} {
		if got := refusal(c.mine, c.theirs); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
