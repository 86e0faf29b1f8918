package pseudogtid

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/wait"
)

const (
	// catchUpLimit is how long a target that replicates may be behind the replica.
	catchUpLimit = 30 * time.Second
	catchUpPoll  = 50 * time.Millisecond
)

// Relocate moves a replica below a target by Pseudo-GTID: it stops the replica, matches it, points it to
// the target and starts it. source is where the replica is to connect; without a user the replica keeps the
// account that it has. When the match is refused the replica goes on where it was.
func Relocate(ctx context.Context, replica, target *server.Server, source server.Endpoint) (server.Coordinates, error) {
	return Matcher{}.Relocate(ctx, replica, target, source)
}

// Relocate is the package's Relocate.
func (m Matcher) Relocate(ctx context.Context, replica, target *server.Server, source server.Endpoint) (at server.Coordinates, err error) {
	if err := notAbove(ctx, replica, target); err != nil {
		return at, err
	}
	channel, resume, err := pause(ctx, replica)
	if err != nil {
		return at, err
	}
	if at, err = m.matchBelowLive(ctx, replica, target); err != nil {
		return at, errors.Join(err, resume(context.WithoutCancel(ctx)))
	}
	if err := replica.PointTo(ctx, server.Source{Endpoint: source, At: at, Channel: channel}); err != nil {
		return at, errors.Join(err, resume(context.WithoutCancel(ctx)))
	}
	return at, replica.StartReplica(ctx, channel)
}

// MoveUp moves a replica below the source of its source.
func (m Matcher) MoveUp(ctx context.Context, replica *server.Server) (server.Coordinates, error) {
	parent, err := m.sourceOf(ctx, replica)
	if err != nil {
		return server.Coordinates{}, err
	}
	defer parent.Close()
	grandparent, err := m.sourceOf(ctx, parent)
	if err != nil {
		return server.Coordinates{}, err
	}
	defer grandparent.Close()
	return m.Relocate(ctx, replica, grandparent, keepAccount(grandparent))
}

// MakeSibling moves a replica below the source of another one.
func (m Matcher) MakeSibling(ctx context.Context, replica, sibling *server.Server) (server.Coordinates, error) {
	source, err := m.sourceOf(ctx, sibling)
	if err != nil {
		return server.Coordinates{}, err
	}
	defer source.Close()
	return m.Relocate(ctx, replica, source, keepAccount(source))
}

// keepAccount is a server's address without an account, so that a replica keeps the one that it has.
func keepAccount(s *server.Server) server.Endpoint {
	return server.Endpoint{Host: s.Endpoint.Host, Port: s.Endpoint.Port}
}

func (m Matcher) sourceOf(ctx context.Context, s *server.Server) (*server.Server, error) {
	statuses, err := s.ReplicaStatus(ctx)
	if err != nil {
		return nil, err
	}
	if len(statuses) != 1 {
		return nil, fmt.Errorf("server %s has %d sources, not one", s.Endpoint.Addr(), len(statuses))
	}
	return m.open(ctx, s, statuses[0])
}

// notAbove refuses a target that replicates from the replica: the two would go round in a circle.
func notAbove(ctx context.Context, replica, target *server.Server) error {
	if replica.Endpoint.Addr() == target.Endpoint.Addr() {
		return fmt.Errorf("replica and target are both %s", target.Endpoint.Addr())
	}
	statuses, err := target.ReplicaStatus(ctx)
	if err != nil {
		return err
	}
	for _, s := range statuses {
		if s.SourcePort == replica.Endpoint.Port && s.SourceHost == replica.Endpoint.Host && s.IORunning != "No" {
			return fmt.Errorf("the target %s replicates from the replica %s: stop the target's replication first",
				target.Endpoint.Addr(), replica.Endpoint.Addr())
		}
	}
	return nil
}

// pause stops a replica's threads. resume starts those again that ran.
func pause(ctx context.Context, replica *server.Server) (channel string, resume func(context.Context) error, err error) {
	statuses, err := replica.ReplicaStatus(ctx)
	if err != nil {
		return "", nil, err
	}
	if len(statuses) > 1 {
		return "", nil, fmt.Errorf("server %s has %d sources: which one to replace is not known", replica.Endpoint.Addr(), len(statuses))
	}
	if len(statuses) == 0 {
		return "", func(context.Context) error { return nil }, nil
	}
	was := statuses[0]
	resume = func(ctx context.Context) error {
		var errs []error
		if was.IORunning != "No" {
			errs = append(errs, replica.StartIOThread(ctx, was.Channel))
		}
		if was.SQLRunning != "No" {
			errs = append(errs, replica.StartSQLThread(ctx, was.Channel))
		}
		return errors.Join(errs...)
	}
	return was.Channel, resume, replica.StopReplica(ctx, was.Channel)
}

// matchBelowLive matches. A target that is behind and replicates itself is given time to reach the event at which
// the replica stopped.
func (m Matcher) matchBelowLive(ctx context.Context, replica, target *server.Server) (at server.Coordinates, _ error) {
	var answer error            // of the last match
	var sent server.Coordinates // where the logs of the target's source ended when it was first asked
	hadAll := false             // the target had all of that before the last match
	behind := wait.State{What: target.Endpoint.Addr() + " catches up with " + replica.Endpoint.Addr(), Limit: catchUpLimit, Poll: catchUpPoll}
	err := behind.Until(ctx, func(ctx context.Context) (string, bool, error) {
		at, answer = m.Match(ctx, replica, target)
		var refusal *RefusalError
		if !errors.As(answer, &refusal) || refusal.Why != ReplicaAhead && refusal.Why != NotFound || refusal.Why == NotFound && hadAll {
			return "", true, nil
		}
		statuses, err := target.ReplicaStatus(ctx)
		if err != nil || len(statuses) == 0 || !replicates(statuses[0]) {
			answer = errors.Join(answer, err)
			return "", true, nil
		}
		if refusal.Why == NotFound {
			if hadAll, err = m.hasAll(ctx, target, statuses[0], &sent); err != nil {
				answer = errors.Join(answer, err)
				return "", true, nil
			}
		}
		return statuses[0].String(), false, nil
	})
	return at, errors.Join(answer, err)
}

// replicates says whether a replica replicates, or is about to: one that was started a moment ago is still connecting, and has met
// no error.
func replicates(s server.ReplicaStatus) bool {
	return s.Healthy() || s.SQLRunning == "Yes" && s.IORunning != "No" && s.IOErrno == 0 && s.SQLErrno == 0
}

// hasAll says whether a replica has applied all that its source had logged when the source was first asked: sent, which is
// set then.
func (m Matcher) hasAll(ctx context.Context, replica *server.Server, status server.ReplicaStatus, sent *server.Coordinates) (bool, error) {
	if sent.IsZero() {
		source, err := m.open(ctx, replica, status)
		if err != nil {
			return false, err
		}
		defer source.Close()
		if *sent, _, err = source.BinaryLogStatus(ctx); err != nil {
			return false, err
		}
	}
	return status.Executed.Compare(*sent) >= 0, nil
}
