package workload

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"mysqlmatrix/harness/server"
)

const (
	// HeartbeatDatabase is that of the heartbeat alone: what tools leave beside the tables under test is looked for there.
	HeartbeatDatabase = "matrix_heartbeat"
	heartbeatTable    = HeartbeatDatabase + ".beat"
	beatEvery         = 50 * time.Millisecond
	lagPoll           = 20 * time.Millisecond
)

// Lag watches how far a replica is behind. A numbered heartbeat is written on the primary; a beat that the
// primary has acknowledged and the replica does not show yet makes the replica as late as that beat is old.
// It needs neither one clock for both servers nor fractional seconds, so that it works on every version.
type Lag struct {
	primary, replica *server.Server
	stop             context.CancelFunc
	group            sync.WaitGroup

	mu      sync.Mutex
	pending []beat // acknowledged, in order, and not seen on the replica
	seen    int
	worst   time.Duration
}

type beat struct {
	number int64
	at     time.Time // of the primary's acknowledgement
}

// WatchLag makes the heartbeat's table and watches until Stop is called or ctx ends. A primary that refuses
// or is gone does not beat, and a replica that does not answer is not asked: neither is an error.
func WatchLag(ctx context.Context, primary, replica *server.Server) (*Lag, error) {
	if err := primary.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+HeartbeatDatabase,
		"CREATE TABLE IF NOT EXISTS "+heartbeatTable+" (id INT PRIMARY KEY, beat BIGINT NOT NULL) ENGINE=InnoDB"); err != nil {
		return nil, fmt.Errorf("watch replica lag: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &Lag{primary: primary, replica: replica, stop: cancel}
	l.group.Go(func() { every(ctx, beatEvery, l.beat) })
	l.group.Go(func() { every(ctx, lagPoll, l.look) })
	return l, nil
}

// Stop ends the watch. worst is the greatest lag that was seen while replication ran; ok is false when the
// replica has shown no beat, so that nothing is known.
func (l *Lag) Stop() (worst time.Duration, ok bool) {
	l.stop()
	l.group.Wait()
	return l.worst, l.seen > 0
}

func every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do(ctx)
		}
	}
}

func (l *Lag) beat(ctx context.Context) {
	number := time.Now().UnixMicro()
	if _, err := l.primary.DB.ExecContext(ctx, fmt.Sprintf("REPLACE INTO %s VALUES (1, %d)", heartbeatTable, number)); err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = append(l.pending, beat{number, time.Now()})
}

func (l *Lag) look(ctx context.Context) {
	var shown int64
	err := l.replica.DB.QueryRowContext(ctx, "SELECT beat FROM "+heartbeatTable).Scan(&shown)
	now := time.Now()
	if err != nil {
		return
	}
	late := l.late(shown, now)
	if late <= l.worst {
		return
	}
	// A replica whose replication was stopped stands still; that is no lag.
	statuses, err := l.replica.ReplicaStatus(ctx)
	if err != nil {
		return
	}
	if slices.ContainsFunc(statuses, func(status server.ReplicaStatus) bool { return !status.Healthy() }) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.pending = nil
		return
	}
	l.worst = late
}

// late removes the beats that the replica shows, and is how old the first one is that it does not show.
func (l *Lag) late(shown int64, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pending) > 0 && l.pending[0].number <= shown {
		l.pending, l.seen = l.pending[1:], l.seen+1
	}
	if len(l.pending) == 0 {
		return 0
	}
	return now.Sub(l.pending[0].at)
}
