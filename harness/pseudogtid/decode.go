package pseudogtid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/klauspost/compress/zstd"

	"mysqlmatrix/harness/server"
)

// ignored are the events that faithful copies of a history need not share.
var ignored = [math.MaxUint8 + 1]bool{
	replication.ROTATE_EVENT: true, replication.STOP_EVENT: true,
	replication.HEARTBEAT_EVENT: true, replication.HEARTBEAT_LOG_EVENT_V2: true, replication.IGNORABLE_EVENT: true,
	replication.GTID_EVENT: true, replication.ANONYMOUS_GTID_EVENT: true, replication.GTID_TAGGED_LOG_EVENT: true,
	replication.PREVIOUS_GTIDS_EVENT: true, replication.ROWS_QUERY_EVENT: true,
	replication.MARIADB_ANNOTATE_ROWS_EVENT: true, replication.MARIADB_BINLOG_CHECKPOINT_EVENT: true,
	replication.MARIADB_GTID_LIST_EVENT: true, replication.MARIADB_START_ENCRYPTION_EVENT: true,
}

// decoder turns events into items. It remembers what later events lean on: the format, tables, whether a
// transaction is open, and files that LOAD DATA brings along.
type decoder struct {
	mariadb bool
	parser  *replication.BinlogParser
	format  []byte // the format description as it stands in the log
	sum     int    // how many bytes of checksum end an event of this log
	inside  bool   // a transaction
	loads   map[uint32]hash.Hash
	tables  tableMaps
}

func newDecoder(mariadb bool) *decoder {
	return &decoder{mariadb: mariadb, parser: newParser(mariadb), loads: map[uint32]hash.Hash{}}
}

func newParser(mariadb bool) *replication.BinlogParser {
	p := replication.NewBinlogParser()
	p.SetFlavor(mysql.MySQLFlavor)
	if mariadb {
		p.SetFlavor(mysql.MariaDBFlavor)
	}
	p.SetVerifyChecksum(true)
	p.SetRowsEventDecodeFunc(keepRows)
	p.SetTableMapOptionalMetaDecodeFunc(func([]byte) error { return nil }) // may differ, and is not looked at
	p.SetTimestampStringLocation(time.UTC)
	return p
}

var (
	errNoFormat = errors.New("the log does not begin with its format description")
	errDamaged  = errors.New("damaged event")
)

// recovered makes an error of a panic: the library reads past the end of damaged events.
func recovered(err *error) {
	if problem := recover(); problem != nil {
		*err = fmt.Errorf("%w: %v", errDamaged, problem)
	}
}

// parse has the library read one event.
func (d *decoder) parse(e event) (_ *replication.BinlogEvent, err error) {
	defer recovered(&err)
	if e.header.EventType != replication.FORMAT_DESCRIPTION_EVENT && d.format == nil {
		return nil, errNoFormat
	}
	parsed, err := d.parser.Parse(e.raw)
	if err == nil && e.header.EventType == replication.FORMAT_DESCRIPTION_EVENT {
		d.begin(e.raw, parsed.Event.(*replication.FormatDescriptionEvent))
	}
	return parsed, err
}

// begin takes note of a log's format.
func (d *decoder) begin(raw []byte, format *replication.FormatDescriptionEvent) {
	d.format, d.sum, d.tables.number = raw, 0, tableNumber
	if format.ChecksumAlgorithm == replication.BINLOG_CHECKSUM_ALG_CRC32 {
		d.sum = replication.BinlogChecksumLength
	}
	if heads := format.EventTypeHeaderLengths; len(heads) >= int(replication.TABLE_MAP_EVENT) && heads[replication.TABLE_MAP_EVENT-1] == shortTableHead {
		d.tables.number = shortTableNumber
	}
}

// statementOf is the statement of an event that may hold an entry, and nil of any other.
func (d *decoder) statementOf(e event) (statement []byte, err error) {
	switch e.header.EventType {
	case replication.FORMAT_DESCRIPTION_EVENT:
		_, err := d.parse(e)
		return nil, err
	case replication.QUERY_EVENT:
		if !holdsMark(e.raw) {
			return nil, nil
		}
	case replication.MARIADB_QUERY_COMPRESSED_EVENT:
	default:
		return nil, nil
	}
	parsed, err := d.parse(e)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.start, err)
	}
	return parsed.Event.(*replication.QueryEvent).Query, nil
}

// decode gives an event's items, or, for a compressed transaction, the events inside.
func (d *decoder) decode(e event) (items []Item, inner *payload, err error) {
	kind := e.header.EventType
	switch {
	case kind == replication.FORMAT_DESCRIPTION_EVENT:
		_, err := d.parse(e)
		return nil, nil, err
	case e.artificial():
		return nil, nil, nil
	case kind == replication.MARIADB_GTID_EVENT:
		return nil, nil, d.mariadbGTID(e)
	case kind == replication.TABLE_MAP_EVENT:
		return nil, nil, d.mapTable(e)
	case kind == replication.XID_EVENT:
		if err := d.verify(e); err != nil {
			return nil, nil, err
		}
		return d.stamped(e, d.end(KindCommit)), nil, nil
	case ignored[kind]:
		// Read for its checksum all the same: a damaged log must not pass for a sound one.
		return nil, nil, d.verify(e)
	}
	return d.decodeByLibrary(e)
}

// decodeByLibrary is decode for what is not told by a few bytes.
func (d *decoder) decodeByLibrary(e event) (items []Item, inner *payload, err error) {
	defer recovered(&err)
	if e.header.EventType == replication.TRANSACTION_PAYLOAD_EVENT {
		inner, err = d.payload(e)
		return nil, inner, err
	}
	if isRows(e.header.EventType) {
		if err := d.tables.parse(d); err != nil {
			return nil, nil, err
		}
		defer d.tables.endStatement(e)
	}
	parsed, err := d.parse(e)
	if err != nil {
		return nil, nil, err
	}
	items, err = d.items(e, parsed)
	return d.stamped(e, items), nil, err
}

// stamped gives items their event's coordinates, server and time.
func (d *decoder) stamped(e event, items []Item) []Item {
	for i := range items {
		items[i].Start, items[i].End = e.start, e.end
		items[i].ServerID, items[i].Time = e.header.ServerID, e.header.Timestamp
	}
	return items
}

// verify is an error when an event is not what was written.
func (d *decoder) verify(e event) error {
	if d.format == nil {
		return errNoFormat
	}
	n := len(e.raw) - replication.BinlogChecksumLength
	if d.sum > 0 && (n < replication.EventHeaderSize || crc32.ChecksumIEEE(e.raw[:n]) != binary.LittleEndian.Uint32(e.raw[n:])) {
		return fmt.Errorf("%w: %w", errDamaged, replication.ErrChecksumMismatch)
	}
	return nil
}

// mariadbGTID begins a transaction, or says that a statement stands alone. Layout: a sequence number of 8 bytes,
// a domain of 4, and flags (MariaDB's log_event.h, Gtid_log_event).
func (d *decoder) mariadbGTID(e event) error {
	if err := d.verify(e); err != nil {
		return err
	}
	const flags = replication.EventHeaderSize + 8 + 4
	if len(e.raw) <= flags+d.sum {
		return io.ErrUnexpectedEOF
	}
	d.inside = e.raw[flags]&replication.BINLOG_MARIADB_FL_STANDALONE == 0
	return nil
}

func (d *decoder) items(e event, parsed *replication.BinlogEvent) ([]Item, error) {
	switch body := parsed.Event.(type) {
	case *replication.QueryEvent:
		return d.query(body), nil
	case *replication.RowsEvent:
		changes, err := split(body, e.header.EventType)
		list := make([]Item, len(changes))
		for i, c := range changes {
			list[i] = Item{Kind: KindRow, row: c, inside: d.inside}
		}
		return list, err
	case *replication.IntVarEvent:
		return []Item{{Kind: KindVariable, text: fmt.Sprintf("%s = %d", intVar(body.Type), body.Value), inside: d.inside}}, nil
	case *replication.GenericEvent:
		return d.generic(e, body.Data)
	}
	body := e.raw[replication.EventHeaderSize:]
	switch e.header.EventType {
	case replication.BEGIN_LOAD_QUERY_EVENT:
		return nil, d.loadBlock(body[:len(body)-d.sum])
	case replication.EXECUTE_LOAD_QUERY_EVENT:
		return d.loadExecute(body[:len(body)-d.sum])
	}
	return []Item{{Kind: KindOther, text: fmt.Sprintf("%s %x", e.header.EventType, body[:len(body)-d.sum]), inside: d.inside}}, nil
}

func intVar(kind replication.IntVarEventType) string {
	if kind == replication.LAST_INSERT_ID {
		return "LAST_INSERT_ID"
	}
	return "INSERT_ID"
}

// end is the end of a transaction.
func (d *decoder) end(kind Kind) []Item {
	inside := d.inside
	d.inside = false
	return []Item{{Kind: kind, Boundary: true, inside: inside}}
}

// query is a statement. BEGIN is left out, since MariaDB says it in its GTID event; COMMIT equals an XID
// event, which says it for transactional engines. Any other statement outside a transaction ends itself.
func (d *decoder) query(q *replication.QueryEvent) []Item {
	text := strings.TrimSpace(string(q.Query))
	switch first := word(text); {
	case first == "BEGIN", first == "START TRANSACTION":
		d.inside = true
		return nil
	case first == "COMMIT":
		return d.end(KindCommit)
	case first == "ROLLBACK":
		return d.end(KindRollback)
	case strings.HasPrefix(first, "XA START"), strings.HasPrefix(first, "XA BEGIN"):
		d.inside = true
	}
	database, canonical := asWritten(string(q.Schema), text)
	context := statusVariables(q.StatusVars)
	if control.MatchString(text) {
		// A replica runs it in whatever session its applier has.
		database, context = "", nil
	}
	return []Item{{Kind: KindStatement, database: database, text: shorten([]byte(canonical)), context: context,
		hint: hintOf([]byte(text)), Boundary: !d.inside, inside: d.inside}}
}

// generic is an event that the library does not read further.
func (d *decoder) generic(e event, data []byte) ([]Item, error) {
	switch e.header.EventType {
	case replication.APPEND_BLOCK_EVENT:
		return nil, d.loadBlock(data)
	case replication.DELETE_FILE_EVENT:
		if len(data) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		delete(d.loads, binary.LittleEndian.Uint32(data))
		return nil, nil
	case replication.XA_PREPARE_LOG_EVENT:
		item := d.end(KindXA)
		item[0].text = fmt.Sprintf("XA PREPARE %q", data)
		return item, nil
	case replication.RAND_EVENT, replication.USER_VAR_EVENT:
		return []Item{{Kind: KindVariable, text: fmt.Sprintf("%s %q", e.header.EventType, data), inside: d.inside}}, nil
	case replication.TRANSACTION_CONTEXT_EVENT:
		return nil, nil // group replication's own
	}
	if e.header.Flags&ignorable != 0 {
		return nil, nil
	}
	return []Item{{Kind: KindOther, text: fmt.Sprintf("%s %x", e.header.EventType, data), inside: d.inside}}, nil
}

// payload are the events inside a compressed transaction. They are inflated as they are read.
type payload struct {
	outer   event
	zstd    *zstd.Decoder
	decoder *decoder
}

// payloadMemory bounds what inflating one transaction may take; zstd's window is 8 MB at most at the levels
// that servers use.
const payloadMemory = 64 << 20

func (d *decoder) payload(e event) (*payload, error) {
	// Fields of a type, a length and a value, until the mark 0 (MySQL's codecs/binary.h, Transaction_payload).
	body := e.raw[replication.EventHeaderSize : len(e.raw)-d.sum]
	compression := uint64(0)
	for {
		kind, _, n := mysql.LengthEncodedInt(body)
		body = body[n:]
		if kind == replication.OTW_PAYLOAD_HEADER_END_MARK {
			break
		}
		size, _, n := mysql.LengthEncodedInt(body)
		body = body[n:]
		if kind == replication.OTW_PAYLOAD_COMPRESSION_TYPE_FIELD {
			compression, _, _ = mysql.LengthEncodedInt(body[:size])
		}
		body = body[size:]
	}
	p := &payload{outer: e, decoder: newDecoder(d.mariadb)}
	// Its events carry no checksums.
	format := bytes.Clone(d.format)
	format[len(format)-5] = byte(replication.BINLOG_CHECKSUM_ALG_OFF)
	head := replication.EventHeader{EventType: replication.FORMAT_DESCRIPTION_EVENT}
	if _, err := p.decoder.parse(event{raw: format, header: head}); err != nil {
		return nil, err
	}
	if compression != replication.ZSTD {
		return nil, fmt.Errorf("a transaction with compression %d, which is not known", compression)
	}
	var err error
	p.zstd, err = zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(payloadMemory))
	return p, err
}

func (p *payload) close() { p.zstd.Close() }

// next is the next item list of the transaction; io.EOF at its end.
func (p *payload) next() ([]Item, error) {
	head := make([]byte, replication.EventHeaderSize)
	if _, err := io.ReadFull(p.zstd, head); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head[9:])
	if size < replication.EventHeaderSize || size > maxEvent {
		return nil, fmt.Errorf("an event of %d bytes in a compressed transaction", size)
	}
	raw := bytes.NewBuffer(head)
	if _, err := io.CopyN(raw, p.zstd, int64(size)-replication.EventHeaderSize); err != nil {
		return nil, errors.Join(io.ErrUnexpectedEOF, err)
	}
	e := event{raw: raw.Bytes(), start: p.outer.start, end: p.outer.end}
	if err := e.header.Decode(e.raw); err != nil {
		return nil, err
	}
	items, _, err := p.decoder.decode(e)
	return items, err
}

// located gives an error the log and the event's coordinates.
func located(err error, l *Log, at server.Coordinates) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s, %s: %w", l.Name, at, err)
}
