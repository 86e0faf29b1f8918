// Package server is one live server seen through SQL: what it is, what it says of its replication, and
// the replication commands it takes, each in its own dialect. It works on any server that a DSN reaches.
package server

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/flavor"
)

// Endpoint is where a server listens and who asks.
type Endpoint struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	User     string `json:"user"`
	Password string `json:"password"`
	// Limit bounds connecting, and each read and write of the connection. 0 means ten seconds for
	// connecting and no limit for the rest. A manager that must notice dropped packets sets it.
	Limit time.Duration `json:"-"`
	// DataDir is the server's data directory on this machine. Every connection checks that it is that server's, and is a
	// *StrangerError otherwise. "" checks nothing.
	DataDir string `json:"-"`
	// TLS says that the server takes connections with TLS only. Its certificate is not checked.
	TLS bool `json:"tls,omitempty"`
}

// connectLimit bounds connecting when the endpoint sets no limit.
const connectLimit = 10 * time.Second

// Addr is "host:port".
func (e Endpoint) Addr() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// Other is another server's endpoint, for the same account: whose data directory it has is not known.
func (e Endpoint) Other(host string, port int) Endpoint {
	e.Host, e.Port, e.DataDir = host, port, ""
	return e
}

// Config is the driver's configuration for the endpoint and a default database ("" for none).
func (e Endpoint) Config(database string) *mysql.Config {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd, cfg.DBName = "tcp", e.Addr(), e.User, e.Password, database
	cfg.InterpolateParams = true // one round trip, and the text protocol that every version speaks alike
	cfg.Timeout = connectLimit
	if e.TLS {
		cfg.TLSConfig = "skip-verify"
	}
	if e.Limit > 0 {
		cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = e.Limit, e.Limit, e.Limit
	}
	cfg.Logger = &mysql.NopLogger{} // every error is returned as well
	return cfg
}

// OpenDB is a connection pool on the endpoint; nothing is sent until it is used.
func (e Endpoint) OpenDB(database string) (*sql.DB, error) {
	connector, err := mysql.NewConnector(e.Config(database))
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", e.Addr(), err)
	}
	if e.DataDir != "" {
		connector = identified{Connector: connector, addr: e.Addr(), dataDir: e.DataDir}
	}
	return sql.OpenDB(connector), nil
}

// Server is a live server.
type Server struct {
	DB       *sql.DB
	Endpoint Endpoint
	Flavor   flavor.Flavor
	Dialect  flavor.Dialect
}

// Open connects and asks the server what it is.
func Open(ctx context.Context, ep Endpoint) (*Server, error) {
	db, err := ep.OpenDB("")
	if err != nil {
		return nil, err
	}
	s := &Server{DB: db, Endpoint: ep}
	var version, comment string
	if err := db.QueryRowContext(ctx, "SELECT @@version, @@version_comment").Scan(&version, &comment); err != nil {
		return nil, errors.Join(fmt.Errorf("server %s: %w", ep.Addr(), err), db.Close())
	}
	if s.Flavor, err = flavor.Parse(version, comment); err != nil {
		return nil, errors.Join(fmt.Errorf("server %s: %w", ep.Addr(), err), db.Close())
	}
	s.Dialect = s.Flavor.Dialect()
	return s, nil
}

// Close closes the connections.
func (s *Server) Close() error { return s.DB.Close() }

// Exec runs statements one after the other; an error names the server and the statement.
func (s *Server) Exec(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := s.DB.ExecContext(ctx, statement); err != nil {
			return s.wrap(statement, err)
		}
	}
	return nil
}

// Unlogged runs statements in one session that writes nothing to the binary log.
func (s *Server) Unlogged(ctx context.Context, statements ...string) (err error) {
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return s.wrap("connect", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "SET SESSION sql_log_bin = 0"); err != nil {
		return s.wrap("SET SESSION sql_log_bin = 0", err)
	}
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return errors.Join(s.wrap(statement, err), s.discard(conn))
		}
	}
	if _, err := conn.ExecContext(ctx, "SET SESSION sql_log_bin = 1"); err != nil {
		return errors.Join(s.wrap("SET SESSION sql_log_bin = 1", err), s.discard(conn))
	}
	return nil
}

// discard keeps a session whose settings are not known from going back into the pool.
func (s *Server) discard(conn *sql.Conn) error {
	err := conn.Raw(func(driverConn any) error {
		if c, ok := driverConn.(interface{ Close() error }); ok {
			return c.Close()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("server %s: drop session: %w", s.Endpoint.Addr(), err)
	}
	return nil
}

// Variable is the value of a global variable as text. A variable the server does not know is an error.
func (s *Server) Variable(ctx context.Context, name string) (string, error) {
	var value sql.NullString
	if err := s.DB.QueryRowContext(ctx, "SELECT @@GLOBAL."+name).Scan(&value); err != nil {
		return "", s.wrap("SELECT @@GLOBAL."+name, err)
	}
	return value.String, nil
}

// StatusVariable is the value of a global status variable as text, "" when the server has none of that name.
func (s *Server) StatusVariable(ctx context.Context, name string) (string, error) {
	var got, value string
	err := s.DB.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE '"+strings.ReplaceAll(name, "_", `\_`)+"'").Scan(&got, &value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", s.wrap("SHOW GLOBAL STATUS LIKE "+name, err)
	}
	return value, nil
}

// Rows runs a query and returns each row as column name → text; a NULL is left out of its map.
func (s *Server) Rows(ctx context.Context, query string) (list []map[string]string, err error) {
	rows, err := s.DB.QueryContext(ctx, query)
	if err != nil {
		return nil, s.wrap(query, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, s.wrap(query, err)
	}
	values := make([]sql.NullString, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, s.wrap(query, err)
		}
		row := make(map[string]string, len(columns))
		for i, column := range columns {
			if values[i].Valid {
				row[column] = values[i].String
			}
		}
		list = append(list, row)
	}
	if err := rows.Err(); err != nil {
		return nil, s.wrap(query, err)
	}
	return list, nil
}

// Quote makes a string literal.
func Quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\x00", `\0`).Replace(s) + "'"
}

// Ident quotes an identifier.
func Ident(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// passwordOption finds a password in a statement, so that no error repeats it.
const passwordOption = "_PASSWORD='"

func (s *Server) wrap(statement string, err error) error {
	if i := strings.Index(statement, passwordOption); i >= 0 {
		if end := strings.Index(statement[i+len(passwordOption):], "'"); end >= 0 {
			statement = statement[:i+len(passwordOption)] + "***" + statement[i+len(passwordOption)+end:]
		}
	}
	return fmt.Errorf("server %s (%s): %s: %w", s.Endpoint.Addr(), s.Flavor, statement, err)
}
