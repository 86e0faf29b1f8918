package pseudogtid

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"mysqlmatrix/harness/server"
)

// lookback is how many entries before the last one the walk begins, so that an errant transaction from
// before the last entry is found as well. At orchestrator's interval they are a minute and a half.
const lookback = 16

// lookbackBytes is how far back of the last entry these may lie, so that busy servers do not wait for it.
const lookbackBytes = 16 << 20

// Matcher compares two histories. Its zero value is right.
type Matcher struct {
	// Thorough walks from the oldest entry that can be found instead of a few entries back.
	Thorough bool
	// AllowFilters follows filters of databases: what they drop is not compared. Otherwise they are refused.
	AllowFilters bool
	// Source connects to a replica's source, when the replica writes no log of its own. By default it is
	// asked with the replica's own user and password.
	Source func(context.Context, server.Endpoint) (*server.Server, error)

	planted faults // none, but in tests of the tests
}

// Answer is where a replica continues on a target.
type Answer struct {
	At      server.Coordinates `json:"at"`    // in the target's binary logs
	Entry   Entry              `json:"entry"` // the replica's last one, in its own logs
	From    string             `json:"from"`  // hint of the entry that the walk began at
	Replica Tally              `json:"replica"`
	Target  Tally              `json:"target"` // what was walked; the search is not in it
	Opened  int                `json:"opened"` // log files of the target that were opened
	pairs   *pairs
}

// Match finds where a replica continues on a target. The replica must not apply anything meanwhile. The
// answer are coordinates in the target's binary logs, at the end of the last transaction that the replica
// has executed. A *RefusalError says why there is none.
func Match(ctx context.Context, replica, target *server.Server) (server.Coordinates, error) {
	return Matcher{}.Match(ctx, replica, target)
}

// Match is the package's Match.
func (m Matcher) Match(ctx context.Context, replica, target *server.Server) (server.Coordinates, error) {
	answer, err := m.Examine(ctx, replica, target)
	if err != nil {
		return server.Coordinates{}, err
	}
	return answer.At, nil
}

// Examine is Match with what was read on the way.
func (m Matcher) Examine(ctx context.Context, replica, target *server.Server) (*Answer, error) {
	return m.examine(ctx, replica, target, nil)
}

func (m Matcher) examine(ctx context.Context, replica, target *server.Server, seen *pairs) (_ *Answer, err error) {
	var mine, theirs *history
	var targetErr error
	var group sync.WaitGroup
	group.Go(func() { theirs, targetErr = targetHistory(ctx, target) })
	mine, err = m.replicaHistory(ctx, replica)
	group.Wait()
	if err != nil {
		return nil, m.named(err, replica.Endpoint.Addr(), target)
	}
	defer func() { err = errors.Join(err, mine.close()) }()
	if targetErr != nil {
		return nil, m.named(targetErr, mine.log.Name, target)
	}
	refuse := &RefusalError{Replica: mine.log.Name, Target: target.Endpoint.Addr()}
	skip, err := m.checkFilters(ctx, mine, theirs, refuse)
	if err != nil {
		return nil, err
	}
	answer, err := m.match(ctx, mine, theirs, skip, refuse, seen)
	if err != nil {
		return nil, err
	}
	moved, err := mine.moved(ctx)
	if err == nil && moved {
		err = refuse.because(Moving, "stop its applier first")
	}
	return answer, err
}

// named gives a refusal that was made before both servers were known their names.
func (m Matcher) named(err error, replica string, target *server.Server) error {
	var refusal *RefusalError
	if errors.As(err, &refusal) {
		refusal.Target = target.Endpoint.Addr()
		if refusal.Replica == "" {
			refusal.Replica = replica
		}
	}
	return err
}

// MatchLogs finds where a history ends in another one, by the logs alone.
func (m Matcher) MatchLogs(ctx context.Context, mine, theirs *Log) (*Answer, error) {
	refuse := &RefusalError{Replica: mine.Name, Target: theirs.Name}
	return m.match(ctx, &history{log: mine}, &history{log: theirs}, nil, refuse, nil)
}

// Equivalent finds the coordinates in one server's binary logs that equal coordinates in another's: the same
// transactions come before both.
func (m Matcher) Equivalent(ctx context.Context, on *server.Server, at server.Coordinates, other *server.Server) (server.Coordinates, error) {
	mine, err := openUpTo(ctx, on, at)
	if err != nil {
		return at, err
	}
	theirs, err := Open(ctx, other)
	if err != nil {
		return at, err
	}
	answer, err := m.MatchLogs(ctx, mine, theirs)
	if err != nil {
		return at, err
	}
	return answer.At, nil
}

// match finds the shared entry and walks from it.
func (m Matcher) match(ctx context.Context, mine, theirs *history, skip func(Item) bool, refuse *RefusalError, seen *pairs) (*Answer, error) {
	entries, err := mine.log.newest(ctx, m.depth())
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		if mine.log.purged() {
			return nil, refuse.because(Purged, "the replica's logs begin with %s and hold no Pseudo-GTID entry", firstOf(mine.log))
		}
		return nil, refuse.because(NoEntry, "")
	}
	last := entries[len(entries)-1]
	refuse.Entry = last.Hint
	hints := make([]string, len(entries))
	for i, e := range entries {
		hints[i] = e.Hint
	}
	shared, err := theirs.log.findAny(ctx, hints)
	if err != nil {
		return nil, err
	}
	if shared == nil {
		return nil, m.absent(ctx, mine, theirs, last, skip, refuse)
	}
	from := entries[shared.first]
	if errant, err := mine.wroteItself(ctx, from.time); err != nil {
		return nil, err
	} else if errant != nil {
		refuse.OnReplica = errant
		return nil, refuse.because(Diverged, "the replica wrote this itself, into a log that holds nothing of what it replicates")
	}
	w := &walk{Matcher: m, mine: mine, theirs: theirs, skip: skip, refuse: refuse, seen: seen}
	answer, err := w.run(ctx, from.End, shared.entry.End)
	if answer != nil {
		answer.Entry, answer.From, answer.Opened = last, from.Hint, theirs.log.Opened()
	}
	return answer, err
}

func (m Matcher) depth() int {
	if m.Thorough {
		return unlimited
	}
	return lookback
}

func firstOf(l *Log) string {
	if len(l.files) == 0 {
		return "nothing"
	}
	return l.files[0]
}

// absent is why an entry is not in the target's logs: the target is behind, or its logs were purged, or it
// never had it.
func (m Matcher) absent(ctx context.Context, mine, theirs *history, last Entry, skip func(Item) bool, refuse *RefusalError) error {
	newest, err := theirs.log.Last(ctx)
	if err != nil {
		return err
	}
	if newest != nil {
		// The target may be behind. It is when all that it has is in the replica's history. Which of two entries is the
		// greater one does not tell: a clock may have been set back between them.
		found, err := mine.log.Find(ctx, newest.Hint)
		if err != nil {
			return err
		}
		if found != nil {
			w := &walk{Matcher: m, mine: theirs, theirs: mine, skip: skip, refuse: &RefusalError{Replica: theirs.log.Name, Target: mine.log.Name}}
			answer, err := w.run(ctx, newest.End, found.End)
			var reverse *RefusalError
			switch {
			case errors.As(err, &reverse):
				refuse.OnReplica, refuse.OnTarget = reverse.OnTarget, reverse.OnReplica
				return refuse.because(Diverged, "%s", reverse.Detail)
			case err != nil:
				return err
			}
			if errant, err := mine.errantAt(ctx, answer.At); err != nil {
				return err
			} else if errant != nil {
				refuse.OnReplica = errant
				return refuse.because(Diverged, "the replica wrote this itself (its server id is %d)", mine.serverID)
			}
			if mine.own {
				refuse.Reverse = answer.At
			}
			return refuse.because(ReplicaAhead, "the target's logs end before the replica's last entry")
		}
	}
	oldest, err := theirs.log.first(ctx, 0)
	if err != nil {
		return err
	}
	if theirs.log.purged() && (oldest == nil || later(oldest.Hint, last.Hint)) {
		return refuse.because(Purged, "the target's logs begin with %s, after the replica's last entry", firstOf(theirs.log))
	}
	return refuse.because(NotFound, "")
}

// walk goes through two histories in step.
type walk struct {
	Matcher
	mine, theirs *history
	skip         func(Item) bool
	refuse       *RefusalError
	seen         *pairs // for explain; may be nil
}

// run goes from the shared entry to the end of the replica's history.
func (w *walk) run(ctx context.Context, from, sharedEnd server.Coordinates) (_ *Answer, err error) {
	mine, err := w.mine.log.walk(ctx, from)
	if err != nil {
		return nil, err
	}
	defer mine.close()
	// The other server sends while this one's log is looked at.
	theirs, err := w.theirs.log.walk(ctx, sharedEnd)
	if err != nil {
		return nil, err
	}
	defer theirs.close()
	mine.skip, theirs.skip = w.skip, w.skip
	answer := &Answer{At: sharedEnd, pairs: w.seen}
	w.refuse.agreedReplica, w.refuse.agreedTarget = from, sharedEnd
	if w.planted.acceptReordered {
		return reordered(ctx, mine, theirs, answer)
	}
	for {
		if err := w.pass(ctx, mine, theirs, answer); err != nil {
			return nil, err
		}
		own, err := mine.next(ctx)
		if err != nil {
			return nil, err
		}
		if own == nil {
			break
		}
		other, err := theirs.next(ctx)
		if err != nil {
			return nil, err
		}
		w.seen.add(own, other)
		if why := w.diverge(own, other); why != nil {
			w.seen.diverge(ctx, mine, theirs)
			return nil, why
		}
		if other.Boundary {
			answer.At = other.End
			w.refuse.agreedReplica, w.refuse.agreedTarget = own.End, other.End
		}
	}
	answer.Replica, answer.Target = mine.seen, theirs.seen
	if w.planted.offByOne {
		answer.At, err = oneTooFar(ctx, theirs, answer.At)
	}
	return answer, err
}

// pass goes past what stands in both logs alike and can be told by a look. Where every item is wanted, it does nothing.
func (w *walk) pass(ctx context.Context, mine, theirs *cursor, answer *Answer) error {
	if w.skip != nil || w.seen != nil {
		return nil
	}
	for {
		own, err := mine.nextPlain(ctx)
		if own == nil || err != nil {
			return err
		}
		other, err := theirs.nextPlain(ctx)
		if other == nil || err != nil || !own.equal(other) {
			return err
		}
		if other.commits() {
			answer.At = other.end
			w.refuse.agreedReplica, w.refuse.agreedTarget = own.end, other.end
		}
		mine.drop()
		theirs.drop()
	}
}

// diverge is why the histories differ at two items, nil when they do not.
func (w *walk) diverge(own, other *Item) error {
	if other == nil {
		w.refuse.OnReplica = own
		if w.mine.replicates() && own.ServerID == w.mine.serverID {
			return w.refuse.because(Diverged, "the replica wrote this itself (its server id is %d)", own.ServerID)
		}
		if w.mine.own || w.mine.server == nil {
			w.refuse.Reverse = w.refuse.agreedReplica
		}
		return w.refuse.because(ReplicaAhead, "")
	}
	why := differs(*own, *other)
	if w.planted.ignoreContents && own.Kind == other.Kind {
		why = ""
	}
	if why == "" && own.Boundary != other.Boundary {
		why = "a transaction ends here on one of them only"
	}
	if why == "" {
		return nil
	}
	for _, side := range []struct {
		h    *history
		item *Item
		name string
	}{{w.mine, own, "replica"}, {w.theirs, other, "target"}} {
		if side.h.replicates() && side.item.ServerID == side.h.serverID {
			why += fmt.Sprintf("; the %s wrote its own one itself (its server id is %d)", side.name, side.item.ServerID)
		}
	}
	w.refuse.OnReplica, w.refuse.OnTarget = own, other
	return w.refuse.because(Diverged, "%s", why)
}
