package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"mysqlmatrix/harness/server"
)

// absent is the sequence of a key that has no row.
const absent int64 = -1

// state is what is known of a key: the last acknowledged sequence (absent when it was deleted), and,
// when the connection died in the middle, the one that may or may not have become true.
type state struct {
	acknowledged int64
	inDoubt      *int64
	at           time.Time // of the acknowledgement
}

// Ledger is what a server has acknowledged, by key. A key is written by one writer only, and never again
// once a write to it is in doubt, so that its possible contents are known exactly.
type Ledger struct {
	mu           sync.Mutex
	keys         map[int64]state
	acknowledged int
	inDoubt      int
	// Numbers and keys of the writes that go into a journal.
	entered, unanswered map[int64]int64
}

// NewLedger is the ledger of a table that Fill has filled with n rows.
func NewLedger(n int) *Ledger {
	l := &Ledger{keys: make(map[int64]state, 2*n), entered: map[int64]int64{}, unanswered: map[int64]int64{}}
	for id := range int64(n) {
		l.keys[id+1] = state{}
	}
	return l
}

func (l *Ledger) acknowledge(key, seq, number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number != 0 {
		l.entered[number] = key
	}
	l.keys[key] = state{acknowledged: seq, at: time.Now()}
	l.acknowledged++
}

func (l *Ledger) doubt(key, seq, number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number != 0 {
		l.unanswered[number] = key
	}
	s, ok := l.keys[key]
	if !ok {
		s.acknowledged = absent
	}
	s.inDoubt = &seq
	l.keys[key] = s
	l.inDoubt++
}

// Acknowledged counts the writes that a server has confirmed.
func (l *Ledger) Acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acknowledged
}

// InDoubt counts the writes whose connection died before an answer: they may have happened or not.
func (l *Ledger) InDoubt() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inDoubt
}

// Difference is a key whose row is not what the ledger says.
type Difference struct {
	Key  int64  `json:"key"`
	Want string `json:"want"`
	Got  string `json:"got"`
	Lost bool   `json:"lost,omitempty"` // an acknowledged write is missing; otherwise there is something that nobody wrote
}

// Differences are all of them, by key.
type Differences []Difference

// Lost are those that miss an acknowledged write.
func (d Differences) Lost() Differences {
	return slices.DeleteFunc(slices.Clone(d), func(one Difference) bool { return !one.Lost })
}

// String is a line for each of the first few.
func (d Differences) String() string {
	const few = 10
	lines := []string{fmt.Sprintf("%d rows differ from the ledger", len(d))}
	for i, one := range d {
		if i == few {
			lines = append(lines, "…")
			break
		}
		lines = append(lines, fmt.Sprintf("  key %d: want %s, got %s", one.Key, one.Want, one.Got))
	}
	return strings.Join(lines, "\n")
}

// Verify compares a server's table with the ledger, by content. Columns that a migration has added do not
// matter; id, seq and payload must be there.
func (l *Ledger) Verify(ctx context.Context, s *server.Server, t Table) (Differences, error) {
	rows, err := s.DB.QueryContext(ctx, "SELECT id, seq, payload FROM "+t.String())
	if err != nil {
		return nil, fmt.Errorf("read %s on %s: %w", t, s.Endpoint.Addr(), err)
	}
	defer rows.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := make(map[int64]bool, len(l.keys))
	var differences Differences
	for rows.Next() {
		var key, seq int64
		var text string
		if err := rows.Scan(&key, &seq, &text); err != nil {
			return nil, fmt.Errorf("read %s on %s: %w", t, s.Endpoint.Addr(), err)
		}
		seen[key] = true
		if difference := l.check(key, seq, text); difference != nil {
			differences = append(differences, *difference)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s on %s: %w", t, s.Endpoint.Addr(), err)
	}
	for key, known := range l.keys {
		if !seen[key] && known.acknowledged != absent && (known.inDoubt == nil || *known.inDoubt != absent) {
			differences = append(differences, Difference{Key: key, Want: fmt.Sprintf("sequence %d", known.acknowledged), Got: "no row", Lost: true})
		}
	}
	slices.SortFunc(differences, func(a, b Difference) int { return int(a.Key - b.Key) })
	return differences, nil
}

func (l *Ledger) check(key, seq int64, text string) *Difference {
	known, ok := l.keys[key]
	if !ok {
		return &Difference{Key: key, Want: "no row: nobody wrote it", Got: fmt.Sprintf("sequence %d", seq)}
	}
	possible := seq == known.acknowledged || known.inDoubt != nil && seq == *known.inDoubt
	if !possible {
		want := fmt.Sprintf("sequence %d", known.acknowledged)
		if known.acknowledged == absent {
			want = "no row: it was deleted"
		}
		// A lower sequence than the acknowledged one is an older state of the row.
		return &Difference{Key: key, Want: want, Got: fmt.Sprintf("sequence %d", seq), Lost: seq < known.acknowledged || known.acknowledged == absent}
	}
	if text != payload(key, seq) {
		return &Difference{Key: key, Want: fmt.Sprintf("payload %q", payload(key, seq)), Got: fmt.Sprintf("payload %q", text)}
	}
	return nil
}
