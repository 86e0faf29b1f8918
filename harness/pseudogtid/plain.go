package pseudogtid

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"

	"github.com/go-mysql-org/go-mysql/replication"
)

// Most events of most logs are rows and the commits after them, and on faithful copies rows mostly stand there byte by
// byte, but for the number by which each server calls the table. Those are compared as bytes, and only the others are
// decoded.

// A table's number stands at the head of its map and of its rows, in 6 bytes, and in logs from before MySQL 5.1.4
// in 4 (Table_map_event in its sources, by the length of the head that the format says it has).
const (
	tableNumber      = 6
	shortTableNumber = 4
	shortTableHead   = 6
)

// tableMaps are the maps of the statement that is being read, as they stand in the log.
type tableMaps struct {
	number int // length of a table's number
	order  []event
	parsed int // how many of them the library has read
}

func isRows(kind replication.EventType) bool {
	switch kind {
	case replication.WRITE_ROWS_EVENTv0, replication.UPDATE_ROWS_EVENTv0, replication.DELETE_ROWS_EVENTv0,
		replication.WRITE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv1, replication.DELETE_ROWS_EVENTv1,
		replication.WRITE_ROWS_EVENTv2, replication.UPDATE_ROWS_EVENTv2, replication.DELETE_ROWS_EVENTv2,
		replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1, replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1,
		replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1, replication.PARTIAL_UPDATE_ROWS_EVENT:
		return true
	}
	return false
}

// mapTable notes a table's map, which the library reads when rows are decoded.
func (d *decoder) mapTable(e event) error {
	if err := d.verify(e); err != nil {
		return err
	}
	if len(e.raw) < replication.EventHeaderSize+tableNumber+d.sum {
		return io.ErrUnexpectedEOF
	}
	d.tables.order = append(d.tables.order, e)
	return nil
}

// parse has the library read the maps that it has not.
func (t *tableMaps) parse(d *decoder) error {
	for ; t.parsed < len(t.order); t.parsed++ {
		if _, err := d.parse(t.order[t.parsed]); err != nil {
			return err
		}
	}
	return nil
}

// endStatement forgets the maps with the last rows of their statement, as the library does.
func (t *tableMaps) endStatement(rows event) {
	flags := replication.EventHeaderSize + t.number
	if len(rows.raw) > flags && rows.raw[flags]&replication.RowsEventStmtEndFlag != 0 {
		t.order, t.parsed = t.order[:0], 0
	}
}

// of is the number of an event's table.
func (t *tableMaps) of(e event) uint64 {
	var number [8]byte
	copy(number[:t.number], e.raw[replication.EventHeaderSize:])
	return binary.LittleEndian.Uint64(number[:])
}

// find is the map of the table whose rows an event has: the last one of that number. A statement has few.
func (t *tableMaps) find(rows event) (table event, ok bool) {
	number := t.of(rows)
	for _, table := range slices.Backward(t.order) {
		if t.of(table) == number {
			return table, true
		}
	}
	return event{}, false
}

// plain is an event that can be told by a look, which is not decoded yet: rows, or the commit of a transaction.
type plain struct {
	event
	body, table []byte // of rows and of their table's map, without the table's number and checksums
}

// commits says whether it is the commit of a transaction.
func (p *plain) commits() bool { return p.header.EventType == replication.XID_EVENT }

// plain says whether an event is one, and makes it one.
func (d *decoder) plain(e event, p *plain) (bool, error) {
	if e.artificial() {
		return false, nil
	}
	if e.header.EventType == replication.XID_EVENT {
		*p = plain{event: e}
		return true, d.verify(e)
	}
	if !isRows(e.header.EventType) {
		return false, nil
	}
	if err := d.verify(e); err != nil {
		return false, err
	}
	if len(e.raw) < replication.EventHeaderSize+tableNumber+d.sum {
		return false, nil
	}
	table, ok := d.tables.find(e)
	if !ok {
		return false, nil
	}
	head := replication.EventHeaderSize + d.tables.number
	*p = plain{event: e, body: e.raw[head : len(e.raw)-d.sum], table: table.raw[head : len(table.raw)-d.sum]}
	return true, nil
}

// pass is what the decoder has to know of a plain event that is not decoded.
func (d *decoder) pass(p *plain) {
	if p.commits() {
		d.inside = false
		return
	}
	d.tables.endStatement(p.event)
}

// equal says whether two events change the same rows in the same way, or commit. When it says no, they may still.
func (p *plain) equal(o *plain) bool {
	return p.header.EventType == o.header.EventType && bytes.Equal(p.body, o.body) && bytes.Equal(p.table, o.table)
}
