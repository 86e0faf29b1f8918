package fault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

// Refuse cuts everybody off from a server who connects to it as one user over TCP, and nobody else: the
// accounts are renamed there, and there only, and their connections end. To whoever comes as that user the
// server is as good as gone, though it says so. It is done by the server's socket, so that the user may be
// the administrator.
type Refuse struct {
	Node *topology.Node
	User string
}

// String is "refuse ", the user, " on " and the node's name.
func (f Refuse) String() string { return "refuse " + f.User + " on " + f.Node.Name }

// refused is what a renamed account is called: MySQL up to 5.6 has no names of more than 16 characters.
func (f Refuse) refused() string { return f.User + "_off" }

// Inject returns when the accounts are gone and no connection of theirs is left that could run a statement.
func (f Refuse) Inject(ctx context.Context) error {
	return f.bySocket(ctx, f.String(), func(conn *sql.Conn) error {
		if err := rename(ctx, conn, f.User, f.refused()); err != nil {
			return err
		}
		return check(f.String()).Until(ctx, func(ctx context.Context) (string, bool, error) {
			left, err := disconnect(ctx, conn, f.User)
			return fmt.Sprintf("%d connections: %s", len(left), strings.Join(left, "; ")), err == nil && len(left) == 0, err
		})
	})
}

// Heal returns when the accounts are there again.
func (f Refuse) Heal(ctx context.Context) error {
	return f.bySocket(ctx, "heal: "+f.String(), func(conn *sql.Conn) error { return rename(ctx, conn, f.refused(), f.User) })
}

// bySocket does something in one session that writes nothing to the binary log.
func (f Refuse) bySocket(ctx context.Context, what string, do func(*sql.Conn) error) (err error) {
	config := f.Node.Sandbox.Endpoint().Config("")
	config.Net, config.Addr = "unix", f.Node.Sandbox.Socket()
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	db := sql.OpenDB(connector)
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "SET SESSION sql_log_bin = 0"); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := do(conn); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// rename gives all of a user's accounts for TCP another name. It changes nothing when there are none.
func rename(ctx context.Context, conn *sql.Conn, from, to string) error {
	hosts, err := column(ctx, conn, "SELECT Host FROM mysql.user WHERE Host <> 'localhost' AND User = "+server.Quote(from))
	if err != nil || len(hosts) == 0 {
		return err
	}
	var pairs []string
	for _, host := range hosts {
		at := "@" + server.Quote(host)
		pairs = append(pairs, server.Quote(from)+at+" TO "+server.Quote(to)+at)
	}
	if _, err = conn.ExecContext(ctx, "RENAME USER "+strings.Join(pairs, ", ")); err != nil {
		return err
	}
	// Accounts that were renamed back were seen to be refused without it.
	_, err = conn.ExecContext(ctx, "FLUSH PRIVILEGES")
	return err
}

// disconnect ends a user's connections over TCP, and describes those that there were.
func disconnect(ctx context.Context, conn *sql.Conn, user string) (left []string, err error) {
	ids, err := column(ctx, conn, "SELECT ID FROM "+connections(user))
	if err != nil {
		return nil, err
	}
	if left, err = column(ctx, conn, "SELECT CONCAT_WS(' ', ID, HOST, COMMAND, TIME, STATE, LEFT(INFO, 100)) FROM "+connections(user)); err != nil {
		return nil, err
	}
	for _, id := range ids {
		var refusal *mysql.MySQLError
		if _, err := conn.ExecContext(ctx, "KILL "+id); err != nil && !(errors.As(err, &refusal) && refusal.Number == noSuchThread) {
			return left, fmt.Errorf("KILL %s: %w", id, err)
		}
	}
	return left, nil
}

// connections are a user's over TCP, without those that KILL has cut off and that run nothing: MySQL 5.7 closes the socket
// under a thread that is about to read from it, and when a new connection gets the same descriptor meanwhile the thread waits
// for that one's client, for as long as wait_timeout.
func connections(user string) string {
	return "information_schema.PROCESSLIST WHERE HOST <> 'localhost' AND USER = " + server.Quote(user) +
		" AND NOT (COMMAND = 'Killed' AND COALESCE(STATE, '') = '' AND INFO IS NULL)"
}

// noSuchThread is the server's error for a connection that has ended meanwhile (ER_NO_SUCH_THREAD).
const noSuchThread = 1094

// column is a query's one column.
func column(ctx context.Context, conn *sql.Conn, query string) (list []string, err error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, rows.Err()
}
