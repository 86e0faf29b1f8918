package server

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// StrangerError is another server that answers where one was expected.
type StrangerError struct {
	Addr      string
	Want, Got string // data directories
}

// Error names both servers and what to do.
func (e *StrangerError) Error() string {
	return fmt.Sprintf("on %s answers another server, with the data directory %s; expected the one in %s: the port was taken", e.Addr, e.Got, e.Want)
}

// believesStrangers takes whoever answers for the server that was expected. Only a build with the tag planted does.
var believesStrangers bool

// identified is a connector whose connections are to the server with one data directory. Credentials and ports do not tell
// servers apart: all sandboxes have the same accounts, and a port may be another server's since.
type identified struct {
	driver.Connector
	addr, dataDir string
}

// Connect connects and asks the server for its data directory.
func (c identified) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	got, err := dataDirOf(ctx, conn)
	if err == nil && !sameFolder(got, c.dataDir) && !believesStrangers {
		err = &StrangerError{Addr: c.addr, Want: c.dataDir, Got: got}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func dataDirOf(ctx context.Context, conn driver.Conn) (_ string, err error) {
	queryer, ok := conn.(driver.QueryerContext)
	if !ok {
		return "", errors.New("the MySQL driver has no QueryerContext")
	}
	rows, err := queryer.QueryContext(ctx, "SELECT @@datadir", nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil {
		return "", err
	}
	switch value := row[0].(type) {
	case []byte:
		return string(value), nil
	default:
		return fmt.Sprint(value), nil
	}
}

// sameFolder compares two paths, one of which may have links in it.
func sameFolder(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	one, errOne := os.Stat(a)
	other, errOther := os.Stat(b)
	return errOne == nil && errOther == nil && os.SameFile(one, other)
}
