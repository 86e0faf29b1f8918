// Package pseudogtid finds where a replica continues on another server without GTIDs: by unique, ascending
// entries in the binary logs, and by walking both logs in step from the last one that they share.
//
// The entries are orchestrator's own (its go/inst/pseudo_gtid.go): a DROP VIEW IF EXISTS of a view that is
// never there, whose name holds a time, the server and a random number. It replicates as a statement in
// every binary log format, and so that both programs understand each other's entries.
package pseudogtid

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"mysqlmatrix/harness/server"
)

// schema is where the views would be; it need not exist.
const schema = "_pseudo_gtid_"

// entryPattern matches a statement that is an entry and nothing else, and captures its hint. The second
// form is what orchestrator's manual has the event scheduler write.
var entryPattern = regexp.MustCompile("(?i)^drop view if exists `(?:_pseudo_gtid_`\\.`_?asc|meta`\\.`_pseudo_gtid_hint__asc):([0-9a-f:]+)`;?$")

// entryMark is in every entry: what lacks it need not be parsed.
var entryMark = []byte("_pseudo_gtid_")

// Entry is one Pseudo-GTID entry in a log.
type Entry struct {
	// Hint is "<hex seconds>:<hex server id>:<16 hex digits>"; later entries are greater, unless a clock
	// was set back or two injectors wrote within a second.
	Hint string             `json:"hint"`
	End  server.Coordinates `json:"end"` // where the event after it begins
	time uint32             // when it was written, Unix seconds
}

// holdsMark says whether a text has what every entry has.
func holdsMark(text []byte) bool {
	for {
		i := bytes.IndexByte(text, entryMark[0])
		if i < 0 || i+len(entryMark) > len(text) {
			return false
		}
		if bytes.EqualFold(text[i:i+len(entryMark)], entryMark) {
			return true
		}
		text = text[i+1:]
	}
}

// hintOf is the hint of a statement that is an entry, and "" of any other.
func hintOf(statement []byte) string {
	if !holdsMark(statement) {
		return ""
	}
	match := entryPattern.FindSubmatch(bytes.TrimSpace(statement))
	if match == nil {
		return ""
	}
	return string(match[1])
}

// later orders hints; both programs write hexadecimal, one of them in capitals.
func later(a, b string) bool { return strings.ToLower(a) > strings.ToLower(b) }

// Inject writes one entry on a writable server.
func Inject(ctx context.Context, s *server.Server) (hint string, err error) {
	return InjectAt(ctx, s, time.Now())
}

// InjectAt writes an entry as a server whose clock shows the given time would.
func InjectAt(ctx context.Context, s *server.Server, now time.Time) (hint string, err error) {
	id, err := s.Variable(ctx, "server_id")
	if err != nil {
		return "", fmt.Errorf("inject a Pseudo-GTID entry: %w", err)
	}
	var number uint32
	if _, err := fmt.Sscan(id, &number); err != nil {
		return "", fmt.Errorf("inject a Pseudo-GTID entry: server_id %q: %w", id, err)
	}
	// orchestrator has 16 random digits there, so that its entries of one second are in no order; of ours the
	// first eight are nanoseconds, and those of one server ascend.
	hint = fmt.Sprintf("%08x:%08x:%08x%08x", now.Unix(), number, now.Nanosecond(), rand.Uint32())
	if err := s.Exec(ctx, fmt.Sprintf("drop view if exists `%s`.`_asc:%s`", schema, hint)); err != nil {
		return "", fmt.Errorf("inject a Pseudo-GTID entry: %w", err)
	}
	return hint, nil
}
