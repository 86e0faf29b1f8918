package migration

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"mysqlmatrix/harness/wait"
)

const (
	// ownEventLimit is how long gh-ost may wait for its own first event to come back from the binary log. It
	// takes well under a second where it works, and where it does not gh-ost waits for ever.
	ownEventLimit = 20 * time.Second
	ownEventPoll  = 250 * time.Millisecond
)

// errOwnEvent is the cause of ending a gh-ost that hangs before its first event.
var errOwnEvent = errors.New("it hangs: its first event did not come back from the binary log within " + ownEventLimit.String())

// What gh-ost prints before it waits for its own first event, and on every status line after that
// (Migrate and printStatus in its go/logic/migrator.go).
var (
	waitsForOwnEvent = []byte("Waiting for ghost table to be migrated")
	statusLine       = []byte("Copy: ")
)

// cancelOnStalledBinlog cancels when the gh-ost that writes to the log has waited longer than the limit for its own
// first event. It returns when ctx ends, or once gh-ost has got its event.
func cancelOnStalledBinlog(ctx context.Context, log string, limit time.Duration, cancel context.CancelCauseFunc) {
	var since time.Time
	stalled := false
	// The wait ends by itself, or with ctx: its error tells nothing more.
	_ = wait.State{What: "gh-ost's first event", Poll: ownEventPoll}.Until(ctx, func(context.Context) (string, bool, error) {
		text, err := os.ReadFile(log)
		if err != nil {
			return "", false, nil // not there yet; what is wrong with it is found by the one who writes it
		}
		_, after, waits := bytes.Cut(text, waitsForOwnEvent)
		switch {
		case !waits:
		case bytes.Contains(after, statusLine):
			return "", true, nil
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > limit:
			stalled = true
		}
		return "", stalled, nil
	})
	if stalled {
		cancel(errOwnEvent)
	}
}

// logPath is where the tool's output goes.
func logPath(job Job, tool string) string { return filepath.Join(job.Workdir, tool+".log") }
