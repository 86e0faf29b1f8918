package fault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/topology"
)

// lockWait is the server's error for one who has waited too long for a lock (ER_LOCK_WAIT_TIMEOUT).
const lockWait = 1205

// GlobalLock has a session hold the lock that every write of a server waits for, as a back-up that hangs does.
type GlobalLock struct {
	Node *topology.Node

	db   *sql.DB
	conn *sql.Conn
}

// String is "lock all tables of " and the node's name.
func (f *GlobalLock) String() string { return "lock all tables of " + f.Node.Name }

// Inject returns when a write was seen to wait.
func (f *GlobalLock) Inject(ctx context.Context) (err error) {
	if f.conn != nil {
		return nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", f, err), f.release())
		}
	}()
	if err := f.take(ctx); err != nil {
		return err
	}
	if passes, err := f.writes(ctx); err != nil || passes {
		return errors.Join(errors.New("a write does not wait"), err)
	}
	return nil
}

// take has the lock until release.
func (f *GlobalLock) take(ctx context.Context) (err error) {
	if f.db, err = f.Node.Sandbox.Endpoint().OpenDB(""); err != nil {
		return err
	}
	if f.conn, err = f.db.Conn(ctx); err != nil {
		return err
	}
	_, err = f.conn.ExecContext(ctx, "FLUSH TABLES WITH READ LOCK")
	return err
}

// Heal returns when a write is through.
func (f *GlobalLock) Heal(ctx context.Context) error {
	if f.conn == nil {
		return nil
	}
	_, err := f.conn.ExecContext(ctx, "UNLOCK TABLES")
	if err := errors.Join(err, f.release()); err != nil {
		return fmt.Errorf("heal: %s: %w", f, err)
	}
	return check("heal: "+f.String()).Until(ctx, func(ctx context.Context) (string, bool, error) {
		passes, err := f.writes(ctx)
		return "writes wait", passes, err
	})
}

func (f *GlobalLock) release() error {
	var errs []error
	if f.conn != nil {
		errs = append(errs, f.conn.Close())
	}
	if f.db != nil {
		errs = append(errs, f.db.Close())
	}
	f.db, f.conn = nil, nil
	return errors.Join(errs...)
}

// writes says whether a write that changes nothing gets through within a second, in a session of its own.
func (f *GlobalLock) writes(ctx context.Context) (_ bool, err error) {
	db, err := f.Node.Sandbox.Endpoint().OpenDB("")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, statement := range []string{"SET SESSION sql_log_bin = 0", "SET SESSION lock_wait_timeout = 1", "DELETE FROM " + sandbox.ProofTable + " WHERE origin = -1"} {
		_, err := conn.ExecContext(ctx, statement)
		var refusal *mysql.MySQLError
		if errors.As(err, &refusal) && refusal.Number == lockWait {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// KillCommitting ends a server by SIGKILL when a transaction is being committed: it has said COMMIT, and waits there for a
// lock that is taken before. Healing starts the server again.
type KillCommitting struct {
	Node       *topology.Node
	Statements []string // of the transaction
}

// String is "kill ", the node's name and " in a commit".
func (f KillCommitting) String() string { return "kill " + f.Node.Name + " in a commit" }

// waitsForLock is what the servers' lists of processes say of a COMMIT that the global lock holds up: "Waiting for commit
// lock", on MariaDB from 10.5 on "Waiting for backup lock".
var waitsForLock = regexp.MustCompile(`(?i)waiting for .*lock`)

// Inject returns when the process is gone.
func (f KillCommitting) Inject(ctx context.Context) error {
	if !f.Node.Sandbox.Running() {
		return nil
	}
	if err := f.killInCommit(ctx); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	return stopped(ctx, f, f.Node)
}

func (f KillCommitting) killInCommit(ctx context.Context) error {
	db, err := f.Node.Sandbox.Endpoint().OpenDB("")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // the server is dead
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	var id string
	if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		return err
	}
	for _, statement := range append([]string{"BEGIN"}, f.Statements...) {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	lock := &GlobalLock{Node: f.Node}
	defer func() { _ = lock.release() }() // as above
	if err := lock.take(ctx); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = conn.ExecContext(ctx, "COMMIT") // nobody hears how it ends
	}()
	err = check("COMMIT waits").Until(ctx, func(ctx context.Context) (string, bool, error) {
		states, err := column(ctx, lock.conn, "SELECT COALESCE(STATE, '') FROM information_schema.PROCESSLIST WHERE ID = "+id)
		return fmt.Sprintf("state %q", states), len(states) == 1 && waitsForLock.MatchString(states[0]), err
	})
	if err != nil {
		return err
	}
	if err := f.Node.Sandbox.Kill(); err != nil {
		return err
	}
	<-ended
	return nil
}

// Heal starts the server; it recovers by itself.
func (f KillCommitting) Heal(ctx context.Context) error { return start(ctx, f, f.Node) }
