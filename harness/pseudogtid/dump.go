package pseudogtid

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/google/uuid"

	"mysqlmatrix/harness/server"
)

// dumpConnectLimit bounds how long a server may take to answer before it sends its log.
const dumpConnectLimit = 10 * time.Second

// Open takes note of which binary logs a server has and where they end.
func Open(ctx context.Context, s *server.Server) (*Log, error) {
	end, _, err := s.BinaryLogStatus(ctx)
	if err != nil {
		return nil, err
	}
	return openUpTo(ctx, s, end)
}

// openUpTo is Open with an end of the caller's.
func openUpTo(ctx context.Context, s *server.Server, end server.Coordinates) (*Log, error) {
	logs, err := s.BinaryLogs(ctx)
	if err != nil {
		return nil, err
	}
	l := &Log{Name: s.Endpoint.Addr(), MariaDB: s.Flavor.IsMariaDB(), end: end, opened: new(atomic.Int64),
		store: dump{server: s, end: end}}
	for _, one := range logs {
		if (server.Coordinates{File: one.Name, Pos: start}).Compare(end) <= 0 {
			l.files, l.sizes = append(l.files, one.Name), append(l.sizes, one.Size)
		}
	}
	return l, nil
}

// dump is a server that sends its binary logs as to a replica.
type dump struct {
	server *server.Server
	end    server.Coordinates
}

// open has the server send its log from coordinates on. It is asked as a replica asks it, but to end with the log, and
// the answer is read by this package: go-mysql's syncer costs more for each event than all that is done with it.
func (d dump) open(ctx context.Context, from server.Coordinates) (_ reader, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read binary log %s of %s: %w", from, d.server.Endpoint.Addr(), err)
		}
	}()
	ep := d.server.Endpoint
	connection, err := client.ConnectWithContext(ctx, ep.Addr(), ep.User, ep.Password, "", dumpConnectLimit)
	if err != nil {
		return nil, err
	}
	if err := d.ask(connection, from); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return d.receive(ctx, connection.Conn.Conn, from), nil
}

// ask sends what replicas say of themselves, and COM_BINLOG_DUMP (MySQL's manual of the protocol).
func (d dump) ask(c *client.Conn, from server.Coordinates) error {
	// The log comes as it stands, checksums included. A server older than checksums takes no notice.
	settings := []string{"@master_binlog_checksum = 'CRC32'", "@source_binlog_checksum = 'CRC32'"}
	id := uuid.NewString() // for a source that ends the dump of a replica that it knows
	settings = append(settings, "@slave_uuid = '"+id+"'", "@replica_uuid = '"+id+"'")
	flags := replication.BINLOG_DUMP_NON_BLOCK
	if d.server.Flavor.IsMariaDB() {
		settings = append(settings, "@mariadb_slave_capability = 4") // it knows GTIDs
		// Positions are counted by what is sent, where MariaDB gives none.
		flags |= replication.BINLOG_SEND_ANNOTATE_ROWS_EVENT
	}
	if _, err := c.Execute("SET " + strings.Join(settings, ", ")); err != nil {
		return err
	}
	const packetHeader = 4
	request := make([]byte, packetHeader, packetHeader+1+4+2+4+len(from.File))
	request = append(request, mysql.COM_BINLOG_DUMP)
	request = binary.LittleEndian.AppendUint32(request, uint32(from.Pos))
	request = binary.LittleEndian.AppendUint16(request, flags)
	// A replica's id has to be unlike any other's at the same source, or the source ends the older one's dump.
	request = binary.LittleEndian.AppendUint32(request, 1<<31+rand.Uint32N(1<<30))
	c.ResetSequence()
	return c.WritePacket(append(request, from.File...))
}
