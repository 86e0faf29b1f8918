package upgrade

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
)

const (
	writePause = 5 * time.Millisecond
	// pausedLimit is how long a write may take before it counts as not acknowledged.
	pausedLimit = 2 * time.Second
)

var writerTable = quote(loadDatabase) + ".w"

// Writer writes row after row to the primary, wherever that is, and keeps what was acknowledged.
type Writer struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu           sync.Mutex
	at           server.Endpoint
	acknowledged []int
	gap          time.Duration // the longest time between two acknowledgements
}

// NewWriter makes a table and starts to write to it.
func NewWriter(ctx context.Context, at server.Endpoint) (*Writer, error) {
	db, err := at.OpenDB("")
	if err != nil {
		return nil, err
	}
	for _, st := range []string{"CREATE DATABASE " + loadDatabase, "CREATE TABLE " + writerTable + " (id INT PRIMARY KEY) ENGINE=InnoDB"} {
		if _, err := db.ExecContext(ctx, st); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", st, err), db.Close())
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &Writer{cancel: cancel, done: make(chan struct{}), at: application(at)}
	go w.run(ctx)
	return w, db.Close()
}

// Move has the writer write to another server.
func (w *Writer) Move(to server.Endpoint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = application(to)
}

// application is an account that may not write where read_only is on, as an administrator may.
func application(e server.Endpoint) server.Endpoint {
	e.User, e.Password = sandbox.User+"_rw", sandbox.Password
	return e
}

func (w *Writer) endpoint() server.Endpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *Writer) run(ctx context.Context) {
	defer close(w.done)
	var db *sql.DB
	var connected server.Endpoint
	last := time.Now()
	tick := time.NewTicker(writePause)
	defer tick.Stop()
	for id := 0; ; id++ {
		select {
		case <-ctx.Done():
			if db != nil {
				_ = db.Close() // nothing is left to be told
			}
			return
		case <-tick.C:
		}
		if at := w.endpoint(); db == nil || at != connected {
			if db != nil {
				_ = db.Close() // of a server that is no longer written to
			}
			at.Limit = pausedLimit
			opened, err := at.OpenDB("")
			if err != nil {
				continue
			}
			at.Limit = 0
			db, connected = opened, at
		}
		if _, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%d)", writerTable, id)); err != nil {
			continue // not acknowledged: it may or may not be there
		}
		w.mu.Lock()
		w.gap = max(w.gap, time.Since(last))
		w.acknowledged = append(w.acknowledged, id)
		w.mu.Unlock()
		last = time.Now()
	}
}

// Stop ends the writer.
func (w *Writer) Stop() error {
	w.cancel()
	<-w.done
	if len(w.acknowledged) == 0 {
		return errors.New("the writer wrote nothing")
	}
	return nil
}

// Missing counts the acknowledged writes that a server does not have.
func (w *Writer) Missing(ctx context.Context, s *server.Server) (int, error) {
	rows, err := s.DB.QueryContext(ctx, "SELECT id FROM "+writerTable)
	if err != nil {
		return 0, err
	}
	there := map[int]bool{}
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			return 0, errors.Join(err, rows.Close())
		}
		there[id] = true
	}
	lost := 0
	for _, id := range w.acknowledged {
		if !there[id] {
			lost++
		}
	}
	return lost, errors.Join(rows.Err(), rows.Close())
}

// Acknowledged is how many writes were acknowledged so far, and the longest time between two of them.
func (w *Writer) Acknowledged() (n int, gap time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acknowledged), w.gap
}
