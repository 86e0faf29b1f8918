package pseudogtid

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/replication"

	"mysqlmatrix/harness/server"
)

// Item is one thing in a log that faithful copies share: a statement with its session context, one changed
// row, or the end of a transaction. What may differ between faithful copies is not an item: GTID events,
// format descriptions, rotations, checkpoints, annotations, table ids, positions, server ids, checksums, and
// how many rows one event holds.
type Item struct {
	Text     string             // what is compared, readable
	End      server.Coordinates // where the next event begins
	Boundary bool               // a transaction ends here, so that a replica can start after it
}

const commit = "COMMIT"

// items are what an event adds to the history.
func items(e *replication.BinlogEvent, file string) []Item {
	end := server.Coordinates{File: file, Pos: uint64(e.Header.LogPos)}
	one := func(text string, boundary bool) []Item { return []Item{{Text: text, End: end, Boundary: boundary}} }
	switch event := e.Event.(type) {
	case *replication.QueryEvent:
		return query(event, end)
	case *replication.XIDEvent:
		return one(commit, true)
	case *replication.RowsEvent:
		return rows(event, e.Header.EventType, end)
	case *replication.IntVarEvent:
		return one(fmt.Sprintf("INTVAR %d = %d", event.Type, event.Value), false)
	case *replication.TransactionPayloadEvent:
		var list []Item
		for _, inner := range event.Events {
			inner.Header.LogPos = e.Header.LogPos // inner events have no position of their own
			list = append(list, items(inner, file)...)
		}
		return list
	case *replication.BeginLoadQueryEvent:
		return one(fmt.Sprintf("LOAD BEGIN %x", event.BlockData), false)
	case *replication.ExecuteLoadQueryEvent:
		return one(fmt.Sprintf("LOAD EXECUTE %d %d %d", event.StartPos, event.EndPos, event.DupHandlingFlags), false)
	}
	if ignored[e.Header.EventType] {
		return nil
	}
	// Whatever is not known to be free to differ counts: RAND, USER_VAR, XA_PREPARE and what is yet to come.
	body := e.RawData
	if len(body) > replication.EventHeaderSize {
		body = body[replication.EventHeaderSize:]
	}
	return one(fmt.Sprintf("%s %x", e.Header.EventType, body), e.Header.EventType == replication.XA_PREPARE_LOG_EVENT)
}

// ignored are the events that faithful copies of a history need not share.
var ignored = map[replication.EventType]bool{
	replication.FORMAT_DESCRIPTION_EVENT: true, replication.ROTATE_EVENT: true, replication.STOP_EVENT: true,
	replication.HEARTBEAT_EVENT: true, replication.HEARTBEAT_LOG_EVENT_V2: true, replication.IGNORABLE_EVENT: true,
	replication.GTID_EVENT: true, replication.ANONYMOUS_GTID_EVENT: true, replication.GTID_TAGGED_LOG_EVENT: true,
	replication.PREVIOUS_GTIDS_EVENT: true, replication.ROWS_QUERY_EVENT: true,
	replication.TABLE_MAP_EVENT:             true, // row items carry the table's name
	replication.MARIADB_ANNOTATE_ROWS_EVENT: true, replication.MARIADB_BINLOG_CHECKPOINT_EVENT: true,
	replication.MARIADB_GTID_EVENT: true, replication.MARIADB_GTID_LIST_EVENT: true, replication.MARIADB_START_ENCRYPTION_EVENT: true,
}

// query is a statement. BEGIN is left out, since MariaDB says it in its GTID event; COMMIT equals an XID
// event, which says it for transactional engines. Any other statement outside a transaction ends itself;
// inside one, the walk goes on to its COMMIT.
func query(e *replication.QueryEvent, end server.Coordinates) []Item {
	text := strings.TrimSpace(string(e.Query))
	switch strings.ToUpper(text) {
	case "BEGIN", "START TRANSACTION":
		return nil
	case "COMMIT":
		return []Item{{Text: commit, End: end, Boundary: true}}
	}
	// A pure comment is what servers write in place of a dropped temporary table, or when GTIDs are skipped.
	return []Item{{Text: fmt.Sprintf("[%s %s] %s", e.Schema, context4(e.StatusVars), text), End: end, Boundary: true}}
}

// context4 is the part of a statement's session context that changes what it does: sql_mode, character
// sets, time zone and auto-increment settings. Codes and lengths: MySQL source, libbinlogevents
// statement_events.h, Query_event_status_vars.
func context4(vars []byte) string {
	lengths := map[byte]int{0: 4, 1: 8, 3: 4, 4: 6, 7: 2, 8: 2, 9: 8, 10: 4, 13: 3}
	var parts []string
	for len(vars) > 0 {
		code := vars[0]
		vars = vars[1:]
		n, fixed := lengths[code]
		if !fixed {
			if (code != 5 && code != 6) || len(vars) == 0 {
				break // later codes hold nothing that is compared
			}
			n, vars = int(vars[0]), vars[1:]
		}
		if n > len(vars) {
			break
		}
		switch code {
		case 1:
			parts = append(parts, fmt.Sprintf("sql_mode=%x", binary.LittleEndian.Uint64(vars)))
		case 3:
			parts = append(parts, fmt.Sprintf("auto_increment=%x", vars[:n]))
		case 4:
			parts = append(parts, fmt.Sprintf("charset=%x", vars[:n]))
		case 5:
			parts = append(parts, fmt.Sprintf("time_zone=%s", vars[:n]))
		}
		vars = vars[n:]
	}
	return strings.Join(parts, " ")
}

// rows is one item for each changed row.
func rows(e *replication.RowsEvent, kind replication.EventType, end server.Coordinates) []Item {
	operation, pair := "INSERT", 1
	switch kind {
	case replication.UPDATE_ROWS_EVENTv0, replication.UPDATE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv2,
		replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1, replication.PARTIAL_UPDATE_ROWS_EVENT:
		operation, pair = "UPDATE", 2
	case replication.DELETE_ROWS_EVENTv0, replication.DELETE_ROWS_EVENTv1, replication.DELETE_ROWS_EVENTv2,
		replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1:
		operation = "DELETE"
	}
	list := make([]Item, 0, len(e.Rows)/pair)
	for i := 0; i+pair <= len(e.Rows); i += pair {
		text := fmt.Sprintf("%s %s.%s %s", operation, e.Table.Schema, e.Table.Table, row(e.Rows[i]))
		if pair == 2 {
			text += " → " + row(e.Rows[i+1])
		}
		list = append(list, Item{Text: text, End: end})
	}
	return list
}

func row(values []any) string {
	parts := make([]string, len(values))
	for i, value := range values {
		switch v := value.(type) {
		case []byte:
			parts[i] = fmt.Sprintf("%q", v)
		case string:
			parts[i] = fmt.Sprintf("%q", v)
		default:
			parts[i] = fmt.Sprint(v)
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
