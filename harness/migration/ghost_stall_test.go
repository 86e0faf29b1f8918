package migration

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCancelOnStalledBinlog(t *testing.T) {
	const wait = "INFO Waiting for ghost table to be migrated. Current lag is 0s\n"
	for name, c := range map[string]struct {
		log   string
		hangs bool
	}{
		"waits for ever": {wait, true},
		"got on":         {wait + "Copy: 0/3 0.0%; Applied: 0; Backlog: 0/1000\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "gh-ost.log")
			if err := os.WriteFile(log, []byte(c.log), 0o644); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			ended := make(chan struct{})
			go func() { cancelOnStalledBinlog(ctx, log, 0, cancel); close(ended) }()
			select {
			case <-ended:
			case <-time.After(20 * ownEventPoll):
				t.Fatal("it goes on looking")
			}
			if got := context.Cause(ctx) == errOwnEvent; got != c.hangs {
				t.Errorf("found to hang: %v, want %v", got, c.hangs)
			}
		})
	}
}
