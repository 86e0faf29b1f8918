package pseudogtid

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"mysqlmatrix/harness/server"
)

// Refusal is why a replica's place on another server is not known.
type Refusal uint8

// The refusals. The zero value is invalid.
const (
	RefusalUnknown Refusal = iota
	NoEntry                // the replica's binary logs hold no entry
	NotFound               // the target's logs do not hold the replica's last entry: never had it, or purged
	Diverged               // after the entry, the histories differ
	ReplicaAhead           // the replica has what the target has not: turn the pair round
)

// String is the refusal in words.
func (r Refusal) String() string {
	return [...]string{"unknown", "no Pseudo-GTID entry in the replica's binary logs",
		"the replica's last entry is not in the target's binary logs (they never had it, or it was purged)",
		"the histories differ", "the replica is ahead of the target: turn the pair round"}[r]
}

// RefusalError is a match that would be wrong or a guess.
type RefusalError struct {
	Why             Refusal
	Replica, Target string // addresses
	Entry           string // hint of the replica's last entry
	OnReplica       Item   // for Diverged and ReplicaAhead: the first event that differs
	OnTarget        Item
}

// Error says why, and shows both events where histories part.
func (e *RefusalError) Error() string {
	text := fmt.Sprintf("replica %s below %s: %s", e.Replica, e.Target, e.Why)
	if e.Entry != "" {
		text += "; last entry " + e.Entry
	}
	if e.Why == Diverged || e.Why == ReplicaAhead {
		text += fmt.Sprintf("; the replica has, before %s: %s", e.OnReplica.End, e.OnReplica.Text)
	}
	if e.Why == Diverged {
		text += fmt.Sprintf("; the target has, before %s: %s", e.OnTarget.End, e.OnTarget.Text)
	}
	return text
}

// Last finds the newest entry in a server's binary logs; nil when there is none.
func Last(ctx context.Context, s *server.Server) (*Entry, error) {
	l, err := Open(ctx, s)
	if err != nil {
		return nil, err
	}
	return l.last(ctx)
}

// Find finds an entry in a server's binary logs; nil when they do not hold it.
func Find(ctx context.Context, s *server.Server, hint string) (*Entry, error) {
	l, err := Open(ctx, s)
	if err != nil {
		return nil, err
	}
	return l.find(ctx, hint)
}

// Matcher compares two histories. Its zero value is right; the fields are faults for tests to plant.
type Matcher struct {
	// IgnoreContents compares what kind of thing happened and not what.
	IgnoreContents bool
	// OffByOne answers with the transaction after the right one.
	OffByOne bool
}

// Match finds where a replica continues on a target. The replica must not apply anything meanwhile, and
// must log what it applies. The answer are coordinates in the target's binary logs, at the end of the last
// transaction that the replica has executed. A *RefusalError says why there is none.
func Match(ctx context.Context, replica, target *server.Server) (server.Coordinates, error) {
	return Matcher{}.Match(ctx, replica, target)
}

// Match is the package's Match.
func (m Matcher) Match(ctx context.Context, replica, target *server.Server) (server.Coordinates, error) {
	var none server.Coordinates
	mine, err := Open(ctx, replica)
	if err != nil {
		return none, err
	}
	refuse := &RefusalError{Replica: replica.Endpoint.Addr(), Target: target.Endpoint.Addr()}
	last, err := mine.last(ctx)
	if err != nil {
		return none, err
	}
	if last == nil {
		refuse.Why = NoEntry
		return none, refuse
	}
	refuse.Entry = last.Hint
	theirs, err := Open(ctx, target)
	if err != nil {
		return none, err
	}
	shared, err := theirs.find(ctx, last.Hint)
	if err != nil {
		return none, err
	}
	if shared == nil {
		refuse.Why = NotFound
		return none, refuse
	}
	return m.walk(ctx, mine, theirs, last.End, shared.End, refuse)
}

// walk goes through both histories in step, from the shared entry to the end of the replica's.
func (m Matcher) walk(ctx context.Context, mine, theirs *Log, from, sharedEnd server.Coordinates, refuse *RefusalError) (server.Coordinates, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	target := theirs.stream(ctx, sharedEnd)
	answer := sharedEnd
	err := mine.scan(ctx, from, false, true, func(e *replication.BinlogEvent, file string) error {
		for _, own := range items(e, file) {
			other, err := target.next()
			if err != nil {
				return err
			}
			if other == nil {
				refuse.Why, refuse.OnReplica = ReplicaAhead, own
				return refuse
			}
			if own.Text != other.Text && !m.IgnoreContents {
				refuse.Why, refuse.OnReplica, refuse.OnTarget = Diverged, own, *other
				return refuse
			}
			if other.Boundary {
				answer = other.End
			}
		}
		return nil
	})
	if err == nil && m.OffByOne {
		for {
			other, nextErr := target.next()
			if nextErr != nil || other == nil {
				break
			}
			if answer = other.End; other.Boundary {
				break
			}
		}
	}
	return answer, err
}

// stream is a log's items one by one, read ahead by a goroutine that ends with the context.
type stream struct {
	items chan Item
	err   error
}

// readAhead is how many items the reader may be ahead.
const readAhead = 64

func (l *Log) stream(ctx context.Context, from server.Coordinates) *stream {
	s := &stream{items: make(chan Item, readAhead)}
	go func() {
		defer close(s.items)
		s.err = l.scan(ctx, from, false, true, func(e *replication.BinlogEvent, file string) error {
			for _, item := range items(e, file) {
				select {
				case s.items <- item:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	return s
}

// next is nil at the end of the log.
func (s *stream) next() (*Item, error) {
	item, ok := <-s.items
	if !ok {
		return nil, s.err
	}
	return &item, nil
}

const (
	// catchUpLimit is how long a target that replicates may be behind the replica.
	catchUpLimit = 10 * time.Second
	catchUpPoll  = 10 * time.Millisecond
)

// matchBelowLive matches; a target that is behind and replicates itself is given time to pass the place
// where the stopped replica stands.
func (m Matcher) matchBelowLive(ctx context.Context, replica, target *server.Server) (server.Coordinates, error) {
	deadline := time.Now().Add(catchUpLimit)
	tick := time.NewTicker(catchUpPoll)
	defer tick.Stop()
	for {
		at, err := m.Match(ctx, replica, target)
		var refusal *RefusalError
		behind := errors.As(err, &refusal) && (refusal.Why == ReplicaAhead || refusal.Why == NotFound)
		if !behind || time.Now().After(deadline) {
			return at, err
		}
		statuses, statusErr := target.ReplicaStatus(ctx)
		if statusErr != nil || len(statuses) == 0 || !statuses[0].Healthy() || refusal.Why == NotFound && caughtUp(statuses[0]) {
			return at, errors.Join(err, statusErr)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return at, errors.Join(err, ctx.Err())
		}
	}
}

// caughtUp says whether a replica has applied all that it has fetched.
func caughtUp(s server.ReplicaStatus) bool { return s.Read == s.Executed }

// Relocate moves a replica below a target by Pseudo-GTID: it stops the replica, matches it, points it to
// the target and starts it. When the match is refused the replica is started again where it was.
func Relocate(ctx context.Context, replica, target *server.Server, source server.Endpoint) (server.Coordinates, error) {
	return Matcher{}.Relocate(ctx, replica, target, source)
}

// Relocate is the package's Relocate.
func (m Matcher) Relocate(ctx context.Context, replica, target *server.Server, source server.Endpoint) (server.Coordinates, error) {
	if err := replica.StopReplica(ctx, ""); err != nil {
		return server.Coordinates{}, err
	}
	at, err := m.matchBelowLive(ctx, replica, target)
	if err != nil {
		return at, errors.Join(err, replica.StartReplica(context.WithoutCancel(ctx), ""))
	}
	if err := replica.PointTo(ctx, server.Source{Endpoint: source, At: at}); err != nil {
		return at, err
	}
	return at, replica.StartReplica(ctx, "")
}
