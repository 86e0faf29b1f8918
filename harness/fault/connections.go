package fault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

// tooManyConnections is the server's error for one who finds no connection left (ER_CON_COUNT_ERROR).
const tooManyConnections = 1040

// connectionsAtMost bounds max_connections, lest a server without a limit takes all of this process's descriptors.
const connectionsAtMost = 2000

// NoConnections takes every connection that a server has left for an account, so that no other is accepted. One more is
// kept by servers for administrators (CONNECTION_ADMIN, SUPER). Connections that are open go on.
type NoConnections struct {
	Node *topology.Node
	As   server.Endpoint // an account that is no administrator's

	db   *sql.DB
	held []*sql.Conn
}

// String is "exhaust the connections of " and the node's name.
func (f *NoConnections) String() string { return "exhaust the connections of " + f.Node.Name }

// Inject returns when the server has refused a connection for want of one.
func (f *NoConnections) Inject(ctx context.Context) error {
	if f.db == nil {
		db, err := f.As.OpenDB("")
		if err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		db.SetMaxOpenConns(0)
		f.db = db
	}
	for len(f.held) < connectionsAtMost {
		conn, err := f.db.Conn(ctx)
		switch {
		case isTooMany(err):
			return nil
		case err != nil:
			return errors.Join(fmt.Errorf("%s: after %d: %w", f, len(f.held), err), f.release())
		}
		f.held = append(f.held, conn)
	}
	return errors.Join(fmt.Errorf("%s: it has given %d", f, len(f.held)), f.release())
}

// Heal returns when the account is let in again.
func (f *NoConnections) Heal(ctx context.Context) error {
	if err := f.release(); err != nil {
		return fmt.Errorf("heal: %s: %w", f, err)
	}
	return check("heal: "+f.String()).Until(ctx, func(ctx context.Context) (string, bool, error) {
		db, err := f.As.OpenDB("")
		if err != nil {
			return "", false, err
		}
		defer db.Close()
		err = db.PingContext(ctx)
		if isTooMany(err) {
			return err.Error(), false, nil // it ends what has hung up in its own time
		}
		return "", err == nil, err
	})
}

func isTooMany(err error) bool {
	var refusal *mysql.MySQLError
	return errors.As(err, &refusal) && refusal.Number == tooManyConnections
}

func (f *NoConnections) release() error {
	var errs []error
	for _, conn := range f.held {
		errs = append(errs, conn.Close())
	}
	if f.db != nil {
		errs = append(errs, f.db.Close())
	}
	f.db, f.held = nil, nil
	return errors.Join(errs...)
}
