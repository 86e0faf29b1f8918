// Package pseudogtid finds where a replica continues on another server without GTIDs: by unique, ascending
// entries in the binary logs, and by walking both logs in step from the last one that they share.
//
// The entries are orchestrator's own (its go/inst/pseudo_gtid.go): a DROP VIEW IF EXISTS of a view that is
// never there, whose name holds a time, the server and a random number. It replicates as a statement in
// every binary log format, and so that both programs understand each other's entries.
package pseudogtid

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync"
	"time"

	"mysqlmatrix/harness/server"
)

// schema is where the views would be; it need not exist.
const schema = "_pseudo_gtid_"

// entryPattern matches an entry's statement and captures its hint. Ascending hints are ascending text: the
// time comes first, in hexadecimal of fixed length.
var entryPattern = regexp.MustCompile("(?i)^drop view if exists `_pseudo_gtid_`\\.`_?asc:([0-9a-f:]+)`")

// Entry is one Pseudo-GTID entry in a log.
type Entry struct {
	Hint string             // "<hex seconds>:<hex server id>:<16 hex digits>"; later entries are greater
	End  server.Coordinates // where the event after it begins
}

// Inject writes one entry on a writable server.
func Inject(ctx context.Context, s *server.Server) (hint string, err error) {
	id, err := s.Variable(ctx, "server_id")
	if err != nil {
		return "", fmt.Errorf("inject a Pseudo-GTID entry: %w", err)
	}
	var number uint32
	if _, err := fmt.Sscan(id, &number); err != nil {
		return "", fmt.Errorf("inject a Pseudo-GTID entry: server_id %q: %w", id, err)
	}
	hint = fmt.Sprintf("%08x:%08x:%016x", time.Now().Unix(), number, rand.Uint64())
	if err := s.Exec(ctx, fmt.Sprintf("drop view if exists `%s`.`_asc:%s`", schema, hint)); err != nil {
		return "", fmt.Errorf("inject a Pseudo-GTID entry: %w", err)
	}
	return hint, nil
}

// Injector writes entries at an interval.
type Injector struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
	mu     sync.Mutex
	err    error
}

// StartInjector injects until Stop is called. A server that cannot be written to ends it with an error.
func StartInjector(ctx context.Context, s *server.Server, interval time.Duration) *Injector {
	ctx, cancel := context.WithCancel(ctx)
	i := &Injector{cancel: cancel}
	i.group.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			if _, err := Inject(context.WithoutCancel(ctx), s); err != nil {
				i.mu.Lock()
				defer i.mu.Unlock()
				i.err = err
				return
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return i
}

// Stop ends the injector and says why it had ended before, if it had.
func (i *Injector) Stop() error {
	i.cancel()
	i.group.Wait()
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}
