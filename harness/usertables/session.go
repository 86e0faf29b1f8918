package usertables

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/server"
)

// readerSettings are what statements of this package rely on, whatever sql_mode the server has.
var readerSettings = map[string]string{"sql_mode": "''", "time_zone": "'+00:00'", "sql_quote_show_create": "1"}

// statementLimit is the longest statement that is sent (max_allowed_packet).
const statementLimit = 1 << 30

// reader is a server whose sessions have readerSettings.
func reader(s *server.Server) (*server.Server, error) { return withSettings(s, readerSettings) }

// withSettings is a server with sessions of its own settings. It has connections of its own.
func withSettings(s *server.Server, settings map[string]string) (*server.Server, error) {
	config := s.Endpoint.Config("")
	config.Params = settings
	config.MaxAllowedPacket = statementLimit
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", s.Endpoint.Addr(), err)
	}
	other := *s
	other.DB = sql.OpenDB(connector)
	return &other, nil
}

// session runs statements in one session, which is closed afterwards with all that was set in it.
func session(ctx context.Context, s *server.Server, statements ...string) (err error) {
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, discard(conn)) }()
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", shorten(statement, 120), err)
		}
	}
	return nil
}

// discard closes a session instead of giving it back.
func discard(conn *sql.Conn) error {
	err := conn.Raw(func(driverConn any) error {
		if c, ok := driverConn.(interface{ Close() error }); ok {
			return c.Close()
		}
		return nil
	})
	if closed := conn.Close(); err == nil && !errors.Is(closed, sql.ErrConnDone) {
		return closed
	}
	if errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}

// refused is the server's own refusal in an error: its number and its message.
func refused(err error) (number uint16, message string, ok bool) {
	var no *mysql.MySQLError
	if !errors.As(err, &no) {
		return 0, "", false
	}
	return no.Number, strings.TrimSpace(no.Message), true
}
