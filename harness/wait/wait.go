// Package wait waits for a state: with a limit, by polling, and with the last state seen in the error.
package wait

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// DefaultPoll is the pause between two looks where a State names none.
const DefaultPoll = 5 * time.Millisecond

// State is what is waited for.
type State struct {
	// What names the state in errors: "replica2 has applied binlog.000003:157".
	What string
	// Limit is how long it may take. 0 means until the context ends.
	Limit time.Duration
	// Poll is the pause between two looks, DefaultPoll where it is 0.
	Poll time.Duration
	// Ended, when it is closed, ends the wait at once: the program that would reach the state has ended. Cause
	// says how; it may be nil, and may return nil.
	Ended <-chan struct{}
	Cause func() error
}

// Look reads the current state. seen describes it for the error. An error of a look is part of what was seen, and
// the wait goes on; an error made by Stop ends it.
type Look func(ctx context.Context) (seen string, reached bool, err error)

// Error is a state that was not reached.
type Error struct {
	What  string
	After time.Duration
	Seen  string // the last state seen
	Err   error  // why the wait ended, and the error of the last look
}

// Error is "WHAT: not after 20s; last seen: …: cause".
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: not after %s", e.What, e.After.Round(time.Millisecond))
	if e.Seen != "" {
		text += "; last seen: " + e.Seen
	}
	return text + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrEnded is the cause of a wait for a program that has ended.
var ErrEnded = errors.New("the program has ended")

type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

// Stop makes an error of a Look end the wait: the state can no longer be reached.
func Stop(err error) error {
	if err == nil {
		return nil
	}
	return stop{err}
}

// Until looks until the state is reached. It looks at least once. The error is nil, or an *Error.
func (s State) Until(ctx context.Context, look Look) error {
	if s.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.Limit)
		defer cancel()
	}
	poll := s.Poll
	if poll == 0 {
		poll = DefaultPoll
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	failure := &Error{What: s.What}
	var lookErr error
	for begin := time.Now(); ; {
		seen, reached, err := look(ctx)
		if err == nil && reached {
			return nil
		}
		if ctx.Err() == nil || failure.Seen == "" {
			failure.Seen, lookErr = seen, err // and not that the look itself ran out of time
		}
		failure.After = time.Since(begin)
		var stopped stop
		if errors.As(err, &stopped) {
			failure.Err = stopped.error
			return failure
		}
		select {
		case <-tick.C:
		case <-s.Ended:
			failure.Err = errors.Join(s.ended(), lookErr)
			return failure
		case <-ctx.Done():
			failure.Err = errors.Join(context.Cause(ctx), lookErr)
			return failure
		}
	}
}

func (s State) ended() error {
	if s.Cause != nil {
		if err := s.Cause(); err != nil {
			return fmt.Errorf("%w: %w", ErrEnded, err)
		}
	}
	return ErrEnded
}
