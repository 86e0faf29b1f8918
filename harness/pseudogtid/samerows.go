package pseudogtid

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/go-mysql-org/go-mysql/replication"
)

// Most events of most logs are rows, and on faithful copies they mostly stand there byte by byte, but for the
// number by which each server calls the table. Those are told by a look, and only the others are taken apart.

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
	raw    map[uint64]event
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

// mapTable notes a table's map, which the library reads when rows are taken apart.
func (d *decoder) mapTable(e event) error {
	if err := d.verify(e); err != nil {
		return err
	}
	if len(e.raw) < replication.EventHeaderSize+tableNumber+d.sum {
		return io.ErrUnexpectedEOF
	}
	if d.tables.raw == nil {
		d.tables.raw = map[uint64]event{}
	}
	d.tables.raw[d.tables.of(e)] = e
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
		clear(t.raw)
		t.order, t.parsed = t.order[:0], 0
	}
}

// of is the number of an event's table.
func (t *tableMaps) of(e event) uint64 {
	var number [8]byte
	copy(number[:t.number], e.raw[replication.EventHeaderSize:])
	return binary.LittleEndian.Uint64(number[:])
}

// rawRows are rows that nobody has taken apart yet.
type rawRows struct {
	event
	body, table []byte // of the rows and of their table's map, without the table's number and checksums
}

// rows are an event's rows as they stand in the log; nil when it has none, or they cannot be told by a look.
func (d *decoder) rows(e event) (*rawRows, error) {
	if !isRows(e.header.EventType) || e.artificial() {
		return nil, nil
	}
	if err := d.verify(e); err != nil {
		return nil, err
	}
	if len(e.raw) < replication.EventHeaderSize+tableNumber+d.sum {
		return nil, nil
	}
	table, ok := d.tables.raw[d.tables.of(e)]
	if !ok {
		return nil, nil
	}
	head := replication.EventHeaderSize + d.tables.number
	return &rawRows{event: e, body: e.raw[head : len(e.raw)-d.sum], table: table.raw[head : len(table.raw)-d.sum]}, nil
}

// equal says whether two events change the same rows in the same way. When it says no, they may still.
func (r *rawRows) equal(o *rawRows) bool {
	return r.header.EventType == o.header.EventType && bytes.Equal(r.body, o.body) && bytes.Equal(r.table, o.table)
}
