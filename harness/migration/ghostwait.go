package migration

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

const (
	// ownEventLimit is how long gh-ost may wait for its own first event to come back from the binary log. It
	// takes well under a second where it works, and where it does not gh-ost waits for ever.
	ownEventLimit = 20 * time.Second
	ownEventPoll  = 250 * time.Millisecond
)

// errOwnEvent is the cause of a gh-ost that was ended because it hangs before it has begun.
var errOwnEvent = errors.New("it hangs: its first event did not come back from the binary log within " + ownEventLimit.String())

// What gh-ost prints before it waits for its own first event, and on every status line after that
// (Migrate and printStatus in its go/logic/migrator.go).
var (
	waitsForItself = []byte("Waiting for ghost table to be migrated")
	statusLine     = []byte("Copy: ")
)

// endWhenDeaf cancels when the gh-ost that writes to the log has waited for longer than the limit for its own
// first event. It returns when ctx ends, or once gh-ost is beyond that.
func endWhenDeaf(ctx context.Context, log string, limit time.Duration, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(ownEventPoll)
	defer tick.Stop()
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		text, err := os.ReadFile(log)
		if err != nil {
			continue // not there yet; what is wrong with it is found by the one who writes it
		}
		_, after, waits := bytes.Cut(text, waitsForItself)
		switch {
		case !waits:
		case bytes.Contains(after, statusLine):
			return
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > limit:
			cancel(errOwnEvent)
			return
		}
	}
}

// logPath is where the tool's output goes.
func logPath(job Job, tool string) string { return filepath.Join(job.Workdir, tool+".log") }
