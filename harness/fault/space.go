package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"mysqlmatrix/harness/topology"
)

// LimitedSpace are option lines by which a server keeps new tables in one file that may not grow beyond
// a limit: what FullSpace fills. A disk of its own would need root; a limit on the size of all files of a
// process (RLIMIT_FSIZE) would hit redo logs before tables.
var LimitedSpace = []string{"innodb_file_per_table=OFF", "innodb_data_file_path=ibdata1:12M:autoextend:max:24M"}

const (
	filler     = "matrix_filler.filler"
	fillerRow  = 7500 // bytes: in its page; MariaDB 11.8 aborts when a column outside of it finds no space
	fillerRows = 4000 // more than the limit holds
	// freeAgain is how much space there is again after healing, in bytes: much of what LimitedSpace leaves for tables.
	freeAgain = 6 << 20
	// freshStatistics has MySQL 8 and later look for the free space each time; others take it for a comment.
	freshStatistics = "/*!80000 , SESSION information_schema_stats_expiry = 0 */"
	// tableFull is the server's error for a tablespace that cannot grow, for whichever reason.
	tableFull = 1114
)

var fillerTable = []string{
	"CREATE DATABASE IF NOT EXISTS matrix_filler",
	"CREATE TABLE IF NOT EXISTS " + filler + " (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, content VARBINARY(7500)) ENGINE=InnoDB",
}

// FullSpace takes all the space that a server with LimitedSpace has for its tables, so that inserts meet
// the error that a full disk gives them. Healing gives it back. The server's binary log does not hear of it.
type FullSpace struct{ Node *topology.Node }

// String is "fill the disk space of " and the node's name.
func (f FullSpace) String() string { return "fill the disk space of " + f.Node.Name }

// Inject returns when the server has refused a row for want of space.
func (f FullSpace) Inject(ctx context.Context) error {
	statements := fillerTable
	// Large rows first, then ever smaller ones: what is left must not be enough for a page.
	for size := fillerRow; size >= 100; size /= 8 {
		row := fmt.Sprintf("INSERT INTO %s (content) VALUES (REPEAT('x', %d))", filler, size)
		err := f.Node.Server.Unlogged(ctx, append(slices.Clone(statements), strings.Split(strings.Repeat(row+"\n", fillerRows), "\n")[:fillerRows]...)...)
		statements = nil
		var refusal *mysql.MySQLError
		switch {
		case err == nil:
			return fmt.Errorf("%s: the server took %d rows of %d bytes: is its space limited?", f, fillerRows, size)
		case !errors.As(err, &refusal) || refusal.Number != tableFull:
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	return nil
}

// Heal returns when the server has so much space again. MariaDB 11.8 gives back that of a dropped table when it purges
// what was committed, which it does while there are transactions (seen on 11.8.9).
func (f FullSpace) Heal(ctx context.Context) (err error) {
	db, err := f.Node.Sandbox.Endpoint().OpenDB("")
	if err != nil {
		return fmt.Errorf("heal: %s: %w", f, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("heal: %s: %w", f, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	statements := slices.Concat([]string{"SET SESSION sql_log_bin = 0 " + freshStatistics}, fillerTable[:1],
		[]string{"DROP TABLE IF EXISTS " + filler}, fillerTable[1:], []string{"INSERT INTO " + filler + " (content) VALUES ('')"})
	err = check("heal: "+f.String()).Until(ctx, func(ctx context.Context) (string, bool, error) {
		for _, statement := range statements {
			_, err := conn.ExecContext(ctx, statement)
			var refusal *mysql.MySQLError
			if errors.As(err, &refusal) && refusal.Number == tableFull {
				return refusal.Message, false, nil
			}
			if err != nil {
				return statement, false, err
			}
		}
		var free int64
		err := conn.QueryRowContext(ctx, "SELECT DATA_FREE FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'matrix_filler'").Scan(&free)
		return fmt.Sprintf("%d bytes free", free), free >= freeAgain, err
	})
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "DROP DATABASE matrix_filler"); err != nil {
		return fmt.Errorf("heal: %s: %w", f, err)
	}
	return nil
}

// FullDisk fills the file system of a server's binary logs (topology.Options.LogDisk). Servers wait there for space, and look
// again each minute (mysys/errors.cc, wait_for_free_space): statements that write are neither done nor refused.
type FullDisk struct{ Node *topology.Node }

// String is "fill the disk of the binary logs of " and the node's name.
func (f FullDisk) String() string { return "fill the disk of the binary logs of " + f.Node.Name }

func (f FullDisk) filler() (string, error) {
	return f.Node.Sandbox.SeenByServer(filepath.Join(f.Node.Sandbox.LogDisk(), "filler"))
}

// Inject returns when there is no byte left.
func (f FullDisk) Inject(context.Context) (err error) {
	path, err := f.filler()
	if err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for block := make([]byte, 1<<16); ; {
		if _, err := file.Write(block); errors.Is(err, syscall.ENOSPC) {
			if len(block) == 1 {
				return nil
			}
			block = block[:1]
		} else if err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
}

// Heal returns when there is space again. The server notices within a minute.
func (f FullDisk) Heal(context.Context) error {
	path, err := f.filler()
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("heal: %s: %w", f, err)
	}
	return nil
}
