package upgrade

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
)

const (
	probeDatabase = "matrix_probe" // what is tried on a server is made in here
	loadDatabase  = "matrix_load"  // what a writer writes while servers are upgraded
	packetLimit   = 1 << 30        // bytes of the longest statement
)

// side is one of the two servers that are compared, in a session of its own.
type side struct {
	flavor flavor.Flavor
	db     *sql.DB
	conn   *sql.Conn
	config *mysql.Config
}

// open connects to a sandbox as its root account, which may grant; where that is not let in, as the administrator.
func open(ctx context.Context, s *sandbox.Sandbox) (*side, error) {
	local := s.Endpoint().Config("")
	local.Net, local.Addr, local.User = "unix", s.Socket(), "root"
	remote := s.Endpoint().Config("")
	remote.User = "root"
	open := remote.Clone()
	open.Passwd = "" // as some distributions' packages leave it
	var errs []error
	for _, config := range []*mysql.Config{local, remote, open, s.Endpoint().Config("")} {
		side, err := connect(ctx, config)
		var refused *mysql.MySQLError
		if !errors.As(err, &refused) {
			return side, err
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func connect(ctx context.Context, config *mysql.Config) (*side, error) {
	config.MaxAllowedPacket = packetLimit
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", config.Addr, err)
	}
	s := &side{db: sql.OpenDB(connector), config: config}
	var version, comment string
	if err := s.db.QueryRowContext(ctx, "SELECT @@version, @@version_comment").Scan(&version, &comment); err != nil {
		return nil, errors.Join(fmt.Errorf("server %s: %w", config.Addr, err), s.db.Close())
	}
	if s.flavor, err = flavor.Parse(version, comment); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	if s.conn, err = s.session(ctx); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// session is a session of its own, in UTC, whose text is utf8mb4.
func (s *side) session(ctx context.Context) (*sql.Conn, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", s.config.Addr, err)
	}
	return conn, execAll(ctx, conn, "SET NAMES utf8mb4", "SET SESSION time_zone = '+00:00'")
}

func (s *side) close() error {
	return errors.Join(s.conn.Close(), s.db.Close())
}

// again drops the session with all that it has set, and opens another.
func (s *side) again(ctx context.Context) (err error) {
	// A session that goes back into the pool would keep what it has set.
	dropped := s.conn.Raw(func(c any) error {
		if closer, ok := c.(interface{ Close() error }); ok {
			return closer.Close()
		}
		return nil
	})
	if err := errors.Join(dropped, s.conn.Close()); err != nil && !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	s.conn, err = s.session(ctx)
	return err
}

func execAll(ctx context.Context, conn *sql.Conn, statements ...string) error {
	for _, st := range statements {
		if _, err := conn.ExecContext(ctx, st); err != nil {
			return fmt.Errorf("%s: %w", beginning(st, 200), err)
		}
	}
	return nil
}

// must is ask for the harness's own queries: a refusal is an error.
func must(ctx context.Context, conn *sql.Conn, query string) (answer, error) {
	a, err := ask(ctx, conn, query)
	if err == nil && a.failed() {
		err = fmt.Errorf("%s: %s", beginning(query, 200), a)
	}
	return a, err
}
