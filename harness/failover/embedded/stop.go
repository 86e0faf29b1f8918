package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/server"
)

const (
	// stopPatience is how long STOP REPLICA may take before the applier's workers are helped to an end.
	stopPatience = 250 * time.Millisecond
	// lockPatience is how much longer it may take before workers that wait for a lock are ended.
	lockPatience = time.Second
	// stopLimit is more than the minute for which MySQL's STOP REPLICA waits for the rest of a transaction
	// that the relay log has only the beginning of (SLAVE_WAIT_GROUP_DONE in its sql/rpl_replica.cc).
	stopLimit = 75 * time.Second
)

// noSuchThread is the server's error for a thread that has ended meanwhile (ER_NO_SUCH_THREAD).
const noSuchThread = 1094

// stopReplica stops both threads of a frozen replica. Its relay log may end in the middle of a transaction
// whose rest died with the primary: MySQL's multi-threaded applier then waits for it for a minute. The
// idle workers are killed instead: the half transaction is rolled back, as it would be after the minute.
func (r *recovery) stopReplica(ctx context.Context, i *involved) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	// The statement waits longer than the connections of the recovery may.
	endpoint := i.poller.member.Endpoint
	endpoint.Limit = stopLimit
	s, err := server.Open(ctx, endpoint)
	if err != nil {
		return err
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.StopReplica(ctx, i.link.Channel) }()
	help := []struct {
		after time.Duration
		what  string
		whose func(state string) bool
	}{
		{stopPatience, "kill workers that wait for the rest of a transaction", func(state string) bool {
			return strings.Contains(state, "Waiting for an event from Coordinator")
		}},
		{lockPatience, "kill workers that wait for a lock", waitsForLock},
	}
	if len(i.seen.Links) > 1 {
		help = nil // it is not known whose the workers are: those of the other sources go on
	}
	var killErr error
	for _, one := range help {
		patience := time.NewTimer(one.after)
		select {
		case err = <-stopped:
			patience.Stop()
			return errors.Join(err, s.Close())
		case <-patience.C:
			killErr = errors.Join(killErr, r.step(i, one.what, func() error { return killWorkers(ctx, i.server, one.whose) }))
		}
	}
	if err = <-stopped; err != nil {
		err = errors.Join(&stopError{err}, killErr)
	}
	return errors.Join(err, s.Close())
}

// stopError is that a replica did not stop: it is not told again.
type stopError struct{ error }

func (e *stopError) Unwrap() error { return e.error }

// waitsForLock says whether a thread waits for a lock: "Waiting for table metadata lock", "Waiting for backup lock" and the like.
func waitsForLock(state string) bool {
	return strings.HasPrefix(state, "Waiting for") && strings.HasSuffix(state, "lock")
}

// killWorkers ends the applier's threads in some states. What they had not committed is rolled back, and fetched again.
func killWorkers(ctx context.Context, s *server.Server, whose func(state string) bool) error {
	threads, err := s.Rows(ctx, "SHOW PROCESSLIST")
	if err != nil {
		return err
	}
	killed := 0
	for _, thread := range threads {
		if thread["User"] != "system user" || !whose(thread["State"]) {
			continue
		}
		var refusal *mysql.MySQLError
		if err := s.Exec(ctx, "KILL "+thread["Id"]); err != nil && !(errors.As(err, &refusal) && refusal.Number == noSuchThread) {
			return err
		}
		killed++
	}
	if killed == 0 {
		return fmt.Errorf("server %s: no worker waits", s.Endpoint.Addr())
	}
	return nil
}
