package workload

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/server"
)

// Transaction is a step of a script: one statement that commits itself, or several, which say BEGIN, COMMIT
// and the like among them. It holds literals only, so that it does the same wherever it is repeated.
type Transaction struct {
	Statements []string
	// Undo are statements that give it up when the server refuses one of its; nil is ROLLBACK. What the server refuses of them is
	// no fault: a transaction that has ended already cannot be ended again.
	Undo []string
	// Generates says that the one statement lets the server generate an AUTO_INCREMENT value. The value is
	// recorded and repeated.
	Generates bool
}

// Statement is the transaction of one statement.
func Statement(text string) Transaction { return Transaction{Statements: []string{text}} }

// Script returns the next transaction each time. Scripts that play at the same time write to disjoint rows,
// or do only what may be done in any order.
type Script func() Transaction

// Session is how the statements of scripts reach a server.
type Session struct {
	Endpoint server.Endpoint
	Database string   // the default database: statements name no other
	Setup    []string // run first
}

// open makes a session. The pool is closed with it.
func (s Session) open(ctx context.Context) (_ *sql.Conn, close func() error, err error) {
	db, err := s.Endpoint.OpenDB(s.Database)
	if err != nil {
		return nil, nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("server %s: %w", s.Endpoint.Addr(), err), db.Close())
	}
	close = func() error { return errors.Join(conn.Close(), db.Close()) }
	for _, statement := range s.Setup {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return nil, nil, errors.Join(s.wrap(statement, err), close())
		}
	}
	return conn, close, nil
}

// shownStatement is how much of a statement an error repeats.
const shownStatement = 300

func (s Session) wrap(statement string, err error) error {
	if len(statement) > shownStatement {
		statement = statement[:shownStatement] + "…"
	}
	return fmt.Errorf("server %s: %s: %w", s.Endpoint.Addr(), statement, err)
}

// Exec runs statements one after the other in a session of their own.
func (s Session) Exec(ctx context.Context, statements ...string) (err error) {
	conn, closeSession, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSession()) }()
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return s.wrap(statement, err)
		}
	}
	return nil
}

// Record is the ledger of scripts: every acknowledged transaction, in the order of acknowledgement. What a
// server must hold is known by repeating it on a copy of what was there before.
type Record struct {
	mu   sync.Mutex
	list []entry
}

type entry struct {
	Transaction
	generated int64
}

func (r *Record) acknowledge(e entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, e)
}

// Len is how many transactions were acknowledged.
func (r *Record) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.list)
}

// Replay repeats all transactions in one session.
func (r *Record) Replay(ctx context.Context, s Session) (err error) {
	conn, closeSession, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSession()) }()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.list {
		statements := e.Statements
		if e.generated != 0 {
			statements = append([]string{fmt.Sprintf("SET SESSION insert_id = %d", e.generated)}, statements...)
		}
		for _, statement := range statements {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("repeat what was acknowledged: %w", s.wrap(statement, err))
			}
		}
	}
	return nil
}

// Play are scripts at work.
type Play struct {
	session Session
	record  *Record
	stop    context.CancelFunc
	group   sync.WaitGroup
	opening sync.WaitGroup
	slow    atomic.Bool
	stall   atomic.Int64
	refused atomic.Int64
	mu      sync.Mutex
	fatal   error
}

// slowdown is how many ticks of its rate a slow play lets go by for one transaction.
const slowdown = 10

// StartPlay runs each script in a session of its own, at a rate of transactions a second over all of them (0
// is as fast as they go), until Stop is called or ctx ends.
func StartPlay(ctx context.Context, s Session, record *Record, rate float64, scripts ...Script) *Play {
	ctx, cancel := context.WithCancel(ctx)
	p := &Play{session: s, record: record, stop: cancel}
	var pause time.Duration
	if rate > 0 {
		pause = time.Duration(float64(len(scripts)) / rate * float64(time.Second))
	}
	p.opening.Add(len(scripts))
	for _, script := range scripts {
		p.group.Go(func() {
			if err := p.run(ctx, pause, script); err != nil {
				p.mu.Lock()
				p.fatal = errors.Join(p.fatal, err)
				p.mu.Unlock()
			}
		})
	}
	return p
}

// Stop ends the scripts after the transaction that each is at, and waits. The error is one that no online
// change may cause.
func (p *Play) Stop() error {
	p.stop()
	p.group.Wait()
	return p.Err()
}

// Opened waits until every script has its session, or has failed to get one.
func (p *Play) Opened() { p.opening.Wait() }

// Slow lets the scripts go on at a tenth of their rate: a tool on a busy machine may never catch up otherwise.
func (p *Play) Slow() { p.slow.Store(true) }

// Err is the error that has ended a script, if one has.
func (p *Play) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fatal
}

// LongestStall is how long the slowest acknowledged statement has taken.
func (p *Play) LongestStall() time.Duration { return time.Duration(p.stall.Load()) }

// Refused counts transactions that were rolled back as victims of locks.
func (p *Play) Refused() int { return int(p.refused.Load()) }

func (p *Play) run(ctx context.Context, pause time.Duration, script Script) (err error) {
	// What is under way is not interrupted by the end of the play: its outcome would be in doubt for nothing.
	uncut := context.WithoutCancel(ctx)
	conn, closeSession, err := p.session.open(uncut)
	p.opening.Done()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSession()) }()
	var tick <-chan time.Time
	if pause > 0 {
		ticker := time.NewTicker(pause)
		defer ticker.Stop()
		tick = ticker.C
	}
	for n := 1; ctx.Err() == nil; n++ {
		if tick != nil {
			select {
			case <-tick:
			case <-ctx.Done():
				return nil
			}
			if p.slow.Load() && n%slowdown != 0 {
				continue
			}
		}
		if err := p.transact(uncut, conn, script()); err != nil {
			return err
		}
	}
	return nil
}

// undo gives up a transaction.
func undo(ctx context.Context, conn *sql.Conn, statements []string) error {
	if statements == nil {
		_, err := conn.ExecContext(ctx, "ROLLBACK")
		return err
	}
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil && !errors.As(err, new(*mysql.MySQLError)) {
			return err
		}
	}
	return nil
}

// transact runs a transaction and records it once it is acknowledged.
func (p *Play) transact(ctx context.Context, conn *sql.Conn, t Transaction) error {
	e := entry{Transaction: t}
	for _, statement := range t.Statements {
		begin := time.Now()
		result, err := conn.ExecContext(ctx, statement)
		took := int64(time.Since(begin))
		var refusal *mysql.MySQLError
		if errors.As(err, &refusal) && passing[refusal.Number] {
			// A lock wait that timed out has undone its statement only.
			p.refused.Add(1)
			return undo(ctx, conn, t.Undo)
		}
		if err != nil {
			return p.session.wrap(statement, err)
		}
		for longest := p.stall.Load(); took > longest && !p.stall.CompareAndSwap(longest, took); longest = p.stall.Load() {
		}
		if t.Generates {
			if e.generated, err = result.LastInsertId(); err != nil {
				return err
			}
		}
	}
	p.record.acknowledge(e)
	return nil
}
