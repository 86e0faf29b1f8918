package localtests

import (
	"fmt"
	"regexp"
)

var (
	// tableFound is what gh-ost logs when it has logged in, asked the server about itself and seen the table
	// (validateTable in its go/logic/inspect.go).
	tableFound = regexp.MustCompile(`Table found\. Engine=`)
	// serverFatal is an error of a server as the last word of gh-ost: "FATAL Error 1193 (HY000): …".
	serverFatal = regexp.MustCompile(`(?m)^.*\bFATAL\b.*\bError \d+(?: \(\w+\))?: .*$`)
)

// Vacuous says why a folder that the script passes proved nothing, "" when it did. changed is how many rows
// of the test's tables were changed on the primary while gh-ost ran.
//
// What a folder sets out to do depends on its kind:
//
//   - expect_failure: gh-ost refuses or gives up. Upstream looks for a text in the log, and that text is the
//     proof. Writes are beside the point: gh-ost stops before it would apply any. But with an empty file every
//     error will do, also one that a server causes before gh-ost has seen the table: that proves nothing.
//   - an event in create.sql, or sysbench: the copy while rows change. Without a changed row, or without a DML
//     event that gh-ost applied, only a copy at rest was tested. Errors of an event are seen nowhere but in the
//     server's error log.
//   - a test.sh of its own: it makes its writes itself, and judges by what comes of them.
//   - none of these: the copy of the rows that create.sql inserts, or what becomes of the structure. Both are
//     compared whatever happens, and there is nothing that could fail in silence.
func (f Folder) Vacuous(r *Result, changed int64) string {
	switch {
	case f.ExpectFailure:
		fatal := serverFatal.FindString(r.Log)
		if f.Failure == "" && fatal != "" && !tableFound.MatchString(r.Log) {
			return "a failure was expected, and gh-ost failed before it looked at the table: " + fatal
		}
	case f.Script:
	case f.Event || f.Sysbench:
		writer := "the event of create.sql"
		if f.Sysbench {
			writer = "sysbench"
		}
		switch {
		case changed == 0:
			return writer + " changed no row while gh-ost ran"
		case r.Applied == 0:
			return fmt.Sprintf("%s changed %d rows while gh-ost ran, and gh-ost applied no DML event", writer, changed)
		}
	}
	return ""
}
