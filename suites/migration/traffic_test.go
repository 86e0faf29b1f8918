package migration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	. "github.com/onsi/ginkgo/v2"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/suitekit"
)

const (
	incrementers = 2
	readers      = 2
	// beat is the time from one statement of a worker to its next; busy, where a cut-over is to meet many.
	beat = 100 * time.Millisecond
	busy = 20 * time.Millisecond
	// firstKey is the lowest key that is incremented at random: a spec uses those below for itself.
	firstKey = 10
)

// tally is how often a row's counter was incremented: what the server acknowledged, and what it may have done.
type tally struct{ acknowledged, inDoubt int }

// increments counts what was acknowledged of `counter = counter + 1`, by key. A statement that is lost or
// applied twice shows in the sum; one that overtakes another does not.
type increments struct {
	rows    int
	mu      sync.Mutex
	tallies map[int64]tally
}

func newIncrements(rows int) *increments { return &increments{rows: rows, tallies: map[int64]tally{}} }

func (c *increments) acknowledge(key int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tallies[key]
	t.acknowledged++
	c.tallies[key] = t
}

func (c *increments) doubt(key int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tallies[key]
	t.inDoubt++
	c.tallies[key] = t
}

func (c *increments) of(key int64) tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tallies[key]
}

func (c *increments) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tallies {
		n += t.acknowledged
	}
	return n
}

// verify is an error unless each counter on a server is what was acknowledged.
func (c *increments) verify(ctx context.Context, s *server.Server) error {
	rows, err := s.Rows(ctx, "SELECT id, counter FROM "+table.String()+" WHERE counter <> 0")
	if err != nil {
		return err
	}
	found := map[int64]int{}
	for _, row := range rows {
		var key int64
		var n int
		if _, err := fmt.Sscan(row["id"], &key); err != nil {
			return err
		}
		if _, err := fmt.Sscan(row["counter"], &n); err != nil {
			return err
		}
		found[key] = n
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var wrong []string
	for key, t := range c.tallies {
		if n := found[key]; n < t.acknowledged || n > t.acknowledged+t.inDoubt {
			wrong = append(wrong, fmt.Sprintf("key %d: %d increments acknowledged and %d in doubt, counter %d", key, t.acknowledged, t.inDoubt, n))
		}
		delete(found, key)
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		wrong = append(wrong, fmt.Sprintf("key %d: no increment was sent, counter %d", key, found[key]))
	}
	if len(wrong) == 0 {
		return nil
	}
	const few = 5
	slices.Sort(wrong)
	return fmt.Errorf("server %s: statements lost or applied twice, in %d rows:\n  %s",
		s.Endpoint.Addr(), len(wrong), strings.Join(wrong[:min(len(wrong), few)], "\n  "))
}

// traffic is writers that increment counters and readers that read them, all the time, on the primary.
type traffic struct {
	counts   *increments
	endpoint server.Endpoint
	// allowed are errors of the server that the spec expects beside deadlocks and lock waits; severed allows
	// lost connections.
	allowed []uint16
	severed bool
	beat    time.Duration // 0 means beat

	stop    context.CancelFunc
	group   sync.WaitGroup
	mu      sync.Mutex
	stall   time.Duration  // longest statement
	refused map[uint16]int // by error number
	fatal   error
}

// start sets the workers to work until halt.
func (t *traffic) start(ctx context.Context) {
	ctx, t.stop = context.WithCancel(ctx)
	t.refused = map[uint16]int{}
	if t.beat == 0 {
		t.beat = beat
	}
	for i := range incrementers + readers {
		random := rand.New(rand.NewPCG(uint64(suitekit.Cell().Seed), uint64(i)))
		do := t.increment
		if i >= incrementers {
			do = t.read
		}
		t.group.Go(func() { t.work(ctx, random, do) })
	}
}

// traffic starts readers and writers on the primary, which stop with the spec at the latest.
func (f *fixture) traffic(ctx context.Context, t *traffic) *traffic {
	GinkgoHelper()
	t.counts, t.endpoint = f.counts, f.primary.Endpoint
	before := f.counts.total()
	t.start(ctx)
	DeferCleanup(func() { _ = t.halt() }) // a spec that did not come to its own halt has failed already
	f.writesBeyond(ctx, before+incrementers)
	return t
}

// writesBeyond waits until the traffic has written more than a number of times.
func (f *fixture) writesBeyond(ctx context.Context, n int) {
	GinkgoHelper()
	eventually(ctx, "the writers write", func(context.Context) (string, bool, error) {
		now := f.counts.total()
		return fmt.Sprintf("%d writes", now), now > n, nil
	})
}

// halt ends the workers after the statement that each is at. The error is one that no statement may meet.
func (t *traffic) halt() error {
	t.stop()
	t.group.Wait()
	return t.met()
}

// met is what statements have met so far.
func (t *traffic) met() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fatal
}

func (t *traffic) work(ctx context.Context, random *rand.Rand, do func(context.Context, *sql.DB, int64) error) {
	db, err := t.endpoint.OpenDB("")
	if err != nil {
		t.fail(err)
		return
	}
	db.SetMaxOpenConns(1)
	defer func() { _ = db.Close() }() // the connection may be dead; there is nothing to lose on it
	tick := time.NewTicker(t.beat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		key := firstKey + random.Int64N(int64(t.counts.rows-firstKey))
		// The statement under way is not interrupted: its outcome would be in doubt for nothing.
		if err := do(context.WithoutCancel(ctx), db, key); err != nil {
			t.fail(err)
			return
		}
	}
}

func (t *traffic) increment(ctx context.Context, db *sql.DB, key int64) error {
	begin := time.Now()
	result, err := db.ExecContext(ctx, fmt.Sprintf("UPDATE %s SET counter = counter + 1 WHERE id = %d", table, key))
	t.timed(time.Since(begin))
	if err != nil {
		if t.passes(err) {
			return nil
		}
		var dial *net.OpError
		if !errors.As(err, &dial) || dial.Op != "dial" { // nothing was sent on a connection that was not made
			t.counts.doubt(key)
		}
		return t.broken(err)
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		err = fmt.Errorf("the row with key %d was not there", key)
	}
	if err == nil {
		t.counts.acknowledge(key)
	}
	return err
}

func (t *traffic) read(ctx context.Context, db *sql.DB, key int64) error {
	before := t.counts.of(key).acknowledged
	begin := time.Now()
	var n int
	err := db.QueryRowContext(ctx, fmt.Sprintf("SELECT counter FROM %s WHERE id = %d", table, key)).Scan(&n)
	t.timed(time.Since(begin))
	switch {
	case err == nil && n < before:
		return fmt.Errorf("a reader saw counter %d of key %d after %d increments were acknowledged", n, key, before)
	case err == nil || t.passes(err):
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("a reader did not find the row with key %d", key)
	default:
		return t.broken(err)
	}
}

// passes says whether the server refused the statement in a way that the spec expects.
func (t *traffic) passes(err error) bool {
	var refusal *mysql.MySQLError
	if !errors.As(err, &refusal) {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused[refusal.Number]++
	// 1213: deadlock, 1205: lock wait timeout; both are nothing that a table's absence would cause.
	return slices.Contains(append([]uint16{1213, 1205}, t.allowed...), refusal.Number)
}

// broken is nil for a lost connection in a spec that takes connections away.
func (t *traffic) broken(err error) error {
	var refusal *mysql.MySQLError
	if t.severed && (!errors.As(err, &refusal) || refusal.Number == 1053 /* shutdown */ || refusal.Number == 1927 /* killed */) {
		return nil
	}
	return fmt.Errorf("a statement on %s met: %w", table, err)
}

func (t *traffic) timed(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stall = max(t.stall, took)
}

func (t *traffic) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fatal = errors.Join(t.fatal, err)
}
