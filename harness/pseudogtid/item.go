package pseudogtid

import (
	"crypto/sha256"
	"fmt"
	"time"

	"mysqlmatrix/harness/server"
)

// Kind is what an item of a history is.
type Kind uint8

// The kinds. The zero value is invalid.
const (
	KindUnknown   Kind = iota
	KindStatement      // with its database and session context
	KindRow            // one changed row
	KindCommit         // of a transaction, whichever way it is written
	KindRollback       // of a transaction that changed something that cannot be rolled back
	KindVariable       // what the next statement needs: LAST_INSERT_ID, a seed of RAND, a user variable
	KindLoad           // LOAD DATA, with a digest of the file
	KindXA             // the prepared end of an XA transaction
	KindOther          // what is not known to be free to differ counts
)

// String is the kind as a DBA calls it.
func (k Kind) String() string {
	return [...]string{"unknown", "statement", "row", "commit", "rollback", "variable", "LOAD DATA", "XA", "event"}[k]
}

// Item is one thing in a log that faithful copies share. What may differ between faithful copies is not an
// item: GTID events, format descriptions, rotations, checkpoints, annotations, table ids, positions, server
// ids, checksums, compression, and how many rows one event holds.
type Item struct {
	Kind       Kind
	Start, End server.Coordinates // of its event, which may hold more than this item
	Boundary   bool               // a transaction ends here, so that a replica can start after it
	ServerID   uint32             // of the server that wrote it first
	Time       uint32             // when it was written there, in Unix seconds; compared for statements

	database string
	text     string // what is compared for all but rows
	context  map[byte]string
	row      *change
	hint     string // of a Pseudo-GTID entry
	inside   bool   // of a transaction
}

// longText is how long a text may be before only its beginning and a digest are kept.
const longText = 64 << 10

// shorten keeps long texts comparable in little memory.
func shorten(text []byte) string {
	if len(text) <= longText {
		return string(text)
	}
	return fmt.Sprintf("%s… (%d bytes, SHA-256 %x)", text[:200], len(text), sha256.Sum256(text))
}

// String is the item as people read it.
func (i Item) String() string {
	switch i.Kind {
	case KindCommit:
		return "COMMIT"
	case KindRollback:
		return "ROLLBACK"
	case KindRow:
		return i.row.String()
	case KindStatement, KindLoad:
		text := i.text
		if i.database != "" {
			text = "use " + server.Ident(i.database) + "; " + text
		}
		return text
	default:
		return i.text
	}
}

// When is the time of the item in words.
func (i Item) When() string { return time.Unix(int64(i.Time), 0).UTC().Format("2006-01-02 15:04:05") }

// differs says in words why two items are not the same thing, "" when they are.
func differs(a, b Item) string {
	if a.Kind != b.Kind {
		if a.Kind == KindRow && b.Kind == KindStatement || a.Kind == KindStatement && b.Kind == KindRow {
			return "one logs rows and the other the statement: the binary log formats differ"
		}
		return fmt.Sprintf("one has a %s, the other a %s", a.Kind, b.Kind)
	}
	switch a.Kind {
	case KindRow:
		return a.row.differs(b.row)
	case KindStatement, KindLoad:
		switch {
		case a.database != b.database:
			return fmt.Sprintf("the statements have different databases, %q and %q", a.database, b.database)
		case a.text != b.text:
			return "the statements differ"
		case a.Time != b.Time:
			return fmt.Sprintf("the statements were written at different times, %s and %s", a.When(), b.When())
		}
		return contextDiffers(a.context, b.context)
	}
	if a.text != b.text {
		return fmt.Sprintf("the %s differs", a.Kind)
	}
	return ""
}
