package workload

import (
	"errors"
	"io"
	"testing"

	"github.com/go-sql-driver/mysql"
)

func TestAccount(t *testing.T) {
	l := NewLedger(2)
	l.acknowledge(1, 1, 11)
	l.acknowledge(1, 2, 12)
	l.acknowledge(2, absent, 13)
	l.doubt(3, 4, 14)
	l.doubt(4, 5, 15)
	got := l.Sent().Account(map[int64]int64{11: 1, 13: 2, 14: 3, 99: 7})
	if got.Acknowledged != 3 || len(got.Lost) != 1 || got.Lost[0] != (Write{12, 1}) {
		t.Errorf("lost: %s %v", got, got.Lost)
	}
	if len(got.Unanswered) != 1 || got.Unanswered[0] != (Write{14, 3}) {
		t.Errorf("unanswered: %v", got.Unanswered)
	}
	if len(got.Foreign) != 1 || got.Foreign[0] != (Write{99, 7}) {
		t.Errorf("foreign: %v", got.Foreign)
	}
}

func TestLedgerCheck(t *testing.T) {
	l := NewLedger(4)
	l.acknowledge(1, 5, 0)
	l.acknowledge(2, absent, 0)
	l.doubt(3, 7, 0)
	for _, c := range []struct {
		what     string
		key, seq int64
		payload  string
		bad      bool
		lost     bool
	}{
		{"as acknowledged", 1, 5, payload(1, 5), false, false},
		{"an older state", 1, 2, payload(1, 2), true, true},
		{"a state that nobody wrote", 1, 6, payload(1, 6), true, false},
		{"a damaged payload", 1, 5, "x", true, false},
		{"a row that was deleted", 2, 0, payload(2, 0), true, true},
		{"before a write in doubt", 3, 0, payload(3, 0), false, false},
		{"after a write in doubt", 3, 7, payload(3, 7), false, false},
		{"untouched", 4, 0, payload(4, 0), false, false},
		{"a key that nobody wrote", 5, 1, payload(5, 1), true, false},
	} {
		d := l.check(c.key, c.seq, c.payload)
		if (d != nil) != c.bad || d != nil && d.Lost != c.lost {
			t.Errorf("%s: %+v", c.what, d)
		}
	}
}

func TestOutcome(t *testing.T) {
	server := func(number uint16) error { return &mysql.MySQLError{Number: number} }
	for _, c := range []struct {
		what string
		err  error
		last bool
		want outcome
	}{
		{"an answer", nil, true, done},
		{"a deadlock", server(1213), true, refused},
		{"a read-only server", server(1290), true, misdirected},
		{"no such table", server(1146), true, fatal},
		{"shutdown while it commits", server(1053), true, inDoubt},
		{"shutdown in the hooks of its commit", server(3100), true, inDoubt},
		{"shutdown before it commits", server(1053), false, misdirected},
		{"the connection dies while it commits", io.ErrUnexpectedEOF, true, inDoubt},
		{"the connection dies before", errors.New("broken pipe"), false, misdirected},
	} {
		if got := outcomeOf(c.err, c.last); got != c.want {
			t.Errorf("%s: outcome %d, want %d", c.what, got, c.want)
		}
	}
}
