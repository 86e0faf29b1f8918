package workload

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/server"
)

// Config is a load to put on a server.
type Config struct {
	Table   Table
	Ledger  *Ledger
	Rows    int // keys 1 to Rows exist and are updated and deleted
	Writers int
	Seed    int64
	// Journal enters the number of every write into the table's journal, which must exist. Each write is
	// then a transaction of two statements.
	Journal bool
	// Rate is the number of writes a second over all writers; 0 is as fast as they go.
	Rate float64
	// Enough, where it is not 0, is how many acknowledged writes are enough: after that the writers go on at a
	// tenth of the rate, so that servers and tools on a busy machine come to an end with what there is.
	Enough int
	// Endpoint says where to write; it is asked again after each failed connection, so that writers follow
	// a promotion. Its Limit bounds how long a writer hangs on a server that says nothing.
	Endpoint func() server.Endpoint
	// Session are statements at the start of each writer's session: settings of the application's.
	Session []string
	// OnAcknowledged, when set, is called after every acknowledged write.
	OnAcknowledged func(time.Time)
}

// Load is writers at work.
type Load struct {
	config  Config
	stop    context.CancelFunc
	ending  context.Context
	group   sync.WaitGroup
	stall   atomic.Int64 // longest statement, nanoseconds
	refused atomic.Int64
	missed  atomic.Int64
	mu      sync.Mutex
	fatal   error
}

// Start sets the writers to work until Stop is called or ctx ends.
func Start(ctx context.Context, c Config) *Load {
	ctx, cancel := context.WithCancel(ctx)
	l := &Load{config: c, stop: cancel, ending: ctx}
	for i := range c.Writers {
		w := &writer{load: l, index: int64(i), random: rand.New(rand.NewPCG(uint64(c.Seed), uint64(i))), fresh: int64(c.Rows)}
		l.group.Go(func() { w.run(ctx) })
	}
	return l
}

// Stop ends the writers after the statement that each is at, and waits. The error is one that no load may
// meet, such as a table that is not there.
func (l *Load) Stop() error {
	l.stop()
	l.group.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

// Stopped says whether Stop was called, or the load has ended with its context.
func (l *Load) Stopped() bool { return l.ending.Err() != nil }

// LongestStall is how long the slowest acknowledged statement has taken.
func (l *Load) LongestStall() time.Duration { return time.Duration(l.stall.Load()) }

// Refused counts writes that the server has refused, such as victims of deadlocks: they did not happen.
func (l *Load) Refused() int { return int(l.refused.Load()) }

// Missed counts writes that did not find their row, and so wrote nothing: an earlier write was lost, or the
// table was swapped for one without it.
func (l *Load) Missed() int { return int(l.missed.Load()) }

// writer writes to its own keys: those that are its index modulo the number of writers.
type writer struct {
	load   *Load
	index  int64
	random *rand.Rand
	fresh  int64 // highest key used so far, over all writers' stripes
	mine   []int64
	seq    int64
	db     *sql.DB
}

// restful is how many times fewer writes there are once there were enough.
const restful = 10

// reconnectPause is how long a writer waits before it asks again where to write.
const reconnectPause = 10 * time.Millisecond

func (w *writer) run(ctx context.Context) {
	c := w.load.config
	for key := int64(1); key <= int64(c.Rows); key++ {
		if key%int64(c.Writers) == w.index {
			w.mine = append(w.mine, key)
		}
	}
	var tick <-chan time.Time
	if c.Rate > 0 {
		ticker := time.NewTicker(time.Duration(float64(c.Writers) / c.Rate * float64(time.Second)))
		defer ticker.Stop()
		tick = ticker.C
	}
	defer w.disconnect()
	for beat := 0; ctx.Err() == nil; beat++ {
		if tick != nil {
			select {
			case <-tick:
			case <-ctx.Done():
				return
			}
			if c.Enough > 0 && beat%restful != 0 && c.Ledger.Acknowledged() >= c.Enough {
				continue
			}
		}
		if err := w.write(ctx); err != nil {
			w.load.mu.Lock()
			w.load.fatal = errors.Join(w.load.fatal, err)
			w.load.mu.Unlock()
			return
		}
	}
}

// write does one transaction and enters its outcome into the ledger. The statement under way is not
// interrupted by the end of the load: its outcome would be in doubt for nothing.
func (w *writer) write(ctx context.Context) error {
	if w.db == nil && !w.connect(ctx) {
		return nil
	}
	op := w.choose()
	begin := time.Now()
	result, err := w.execute(context.WithoutCancel(ctx), op)
	took := time.Since(begin)
	switch result {
	case done:
		w.done(op)
		w.load.acknowledged(op, took)
		return nil
	case missed:
		w.load.missed.Add(1)
		w.drop(op.key)
		return nil
	case refused:
		w.load.refused.Add(1)
		return nil
	case misdirected:
		w.load.refused.Add(1)
		w.disconnect()
		w.pause(ctx)
		return nil
	case inDoubt:
		w.load.config.Ledger.doubt(op.key, op.seq, op.number)
		w.drop(op.key)
		w.disconnect()
		return nil
	default:
		return fmt.Errorf("writer %d: %s: %w", w.index, op.statement, err)
	}
}

// outcome is what became of a write.
type outcome uint8

const (
	fatal       outcome = iota // the statement itself is wrong
	done                       // acknowledged
	missed                     // the row was not there; nothing was written
	refused                    // the server gave the reason, and nothing was written
	misdirected                // nothing was written, and this server will take nothing
	inDoubt                    // no answer to a statement that may have been committed
)

// outcomeOf tells what an error means. last says that the statement commits.
func outcomeOf(err error, last bool) outcome {
	var refusal *mysql.MySQLError
	switch {
	case err == nil:
		return done
	case errors.As(err, &refusal) && readOnly[refusal.Number]:
		return misdirected
	case errors.As(err, &refusal) && passing[refusal.Number]:
		return refused
	case errors.As(err, &refusal) && !dying[refusal.Number]:
		return fatal
	case last:
		return inDoubt
	default:
		return misdirected // a connection that dies before COMMIT was sent rolls its transaction back
	}
}

func (w *writer) execute(ctx context.Context, op operation) (outcome, error) {
	if op.number == 0 {
		result, err := w.db.ExecContext(ctx, op.statement)
		if err != nil {
			return outcomeOf(err, true), err
		}
		return hit(result)
	}
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return outcomeOf(err, false), err
	}
	outcome, err := w.enter(ctx, tx, op)
	if outcome != done {
		if rollback := tx.Rollback(); rollback != nil {
			w.disconnect() // what ends the connection ends the transaction
		}
		return outcome, err
	}
	err = tx.Commit()
	return outcomeOf(err, true), err
}

func (w *writer) enter(ctx context.Context, tx *sql.Tx, op operation) (outcome, error) {
	result, err := tx.ExecContext(ctx, op.statement)
	if err != nil {
		return outcomeOf(err, false), err
	}
	if outcome, err := hit(result); outcome != done {
		return outcome, err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%d, %d)", w.load.config.Table.Journal(), op.number, op.key))
	return outcomeOf(err, false), err
}

// hit says whether a statement found its row. Every update changes seq, so that the rows affected are
// those found.
func hit(result sql.Result) (outcome, error) {
	n, err := result.RowsAffected()
	if err != nil {
		return fatal, err
	}
	if n == 0 {
		return missed, nil
	}
	return done, nil
}

func (l *Load) acknowledged(op operation, took time.Duration) {
	l.config.Ledger.acknowledge(op.key, op.seq, op.number)
	for {
		longest := l.stall.Load()
		if int64(took) <= longest || l.stall.CompareAndSwap(longest, int64(took)) {
			break
		}
	}
	if l.config.OnAcknowledged != nil {
		l.config.OnAcknowledged(time.Now())
	}
}

// operation is one transaction.
type operation struct {
	number    int64 // for the journal, unique over all writers; 0 without one
	key, seq  int64 // seq is absent for a DELETE
	insert    bool
	statement string
}

// passing are refusals after which nothing has happened and the writer goes on.
var passing = map[uint16]bool{
	1213: true, // deadlock: rolled back
	1205: true, // lock wait timeout
}

// readOnly are refusals of a server that takes no writes: the writer asks again where to write.
var readOnly = map[uint16]bool{
	1290: true, // --read-only
	1836: true, // read-only mode
}

// dying are errors of a server that is shutting down: whether the statement happened is not known. 3100 is that a hook of the
// commit failed, as the semi-synchronous plug-in's does then (MySQL 9.7).
var dying = map[uint16]bool{1053: true, 1077: true, 1317: true, 1927: true, 3100: true, 3169: true}

// choose draws what to write: updates mostly, some inserts, few deletes.
func (w *writer) choose() operation {
	w.seq++
	table, stripes := w.load.config.Table.String(), int64(w.load.config.Writers)
	op := operation{seq: w.seq}
	if w.load.config.Journal {
		op.number = w.seq*stripes + w.index
	}
	dice := w.random.IntN(100)
	if dice < 25 || len(w.mine) == 0 {
		w.fresh = (w.fresh/stripes+1)*stripes + w.index // the next key of its stripe; a refused one stays unused
		op.key, op.insert = w.fresh, true
		op.statement = fmt.Sprintf("INSERT INTO %s (id, seq, payload) VALUES (%d, %d, '%s')", table, op.key, op.seq, payload(op.key, op.seq))
		return op
	}
	op.key = w.mine[w.random.IntN(len(w.mine))]
	if dice < 35 {
		op.seq = absent
		op.statement = fmt.Sprintf("DELETE FROM %s WHERE id = %d", table, op.key)
		return op
	}
	op.statement = fmt.Sprintf("UPDATE %s SET seq = %d, payload = '%s', counter = counter + 1 WHERE id = %d",
		table, op.seq, payload(op.key, op.seq), op.key)
	return op
}

// done keeps the writer's list of its rows.
func (w *writer) done(op operation) {
	switch {
	case op.seq == absent:
		w.drop(op.key)
	case op.insert:
		w.mine = append(w.mine, op.key)
	}
}

func (w *writer) drop(key int64) {
	for i, mine := range w.mine {
		if mine == key {
			w.mine[i] = w.mine[len(w.mine)-1]
			w.mine = w.mine[:len(w.mine)-1]
			return
		}
	}
}

func (w *writer) connect(ctx context.Context) bool {
	db, err := w.load.config.Endpoint().OpenDB("")
	if err == nil {
		db.SetMaxOpenConns(1)
		if err = w.begin(ctx, db); err == nil {
			w.db = db
			return true
		}
		_ = db.Close() // nothing was sent on it
	}
	w.pause(ctx)
	return false
}

// begin makes the session's connection, with its settings.
func (w *writer) begin(ctx context.Context, db *sql.DB) error {
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	for _, statement := range w.load.config.Session {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) pause(ctx context.Context) {
	timer := time.NewTimer(reconnectPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (w *writer) disconnect() {
	if w.db != nil {
		_ = w.db.Close() // the connection may be dead; there is nothing to lose on it
		w.db = nil
	}
}
