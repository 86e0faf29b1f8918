package usertables

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/workload"
)

// refusal is a server's no to a change.
type refusal struct {
	message string
	number  uint16
}

// Error is the server's message and its number.
func (r *refusal) Error() string { return fmt.Sprintf("%s (%d)", r.message, r.number) }

// wrongAnywhere are refusals of a change that do not depend on the table.
var wrongAnywhere = []uint16{
	syntaxError, unknownCharset, unknownCollation,
	1286, // unknown storage engine
	4161, // unknown data type (MariaDB)
}

// byRows are refusals of a change that depend on the rows: a value that is there twice, is NULL, or does not fit.
var byRows = []uint16{1048, 1062, 1138, 1264, 1265, 1292, 1364, 1366, 1406, 1411, 1416, 1452, 1526, 1586, 1690, 1761, 3140, 3156, 3819, 3903, 4025, 4078}

// ServerChange is what the server's own ALTER TABLE did to the same rows, on a server of its own.
type ServerChange struct {
	Algorithm string  `json:"algorithm,omitempty"` // INSTANT, NOCOPY, INPLACE or COPY: the cheapest that the server takes; "" is not known
	Lock      string  `json:"lock,omitempty"`      // NONE: writes go on; SHARED: they wait
	Seconds   float64 `json:"seconds"`
	Refusal   string  `json:"refusal,omitempty"`
}

// Advice says when no tool is needed.
func (s ServerChange) Advice() string {
	switch {
	case s.Refusal != "" || s.Algorithm == "":
		return ""
	case s.Algorithm == "INSTANT":
		return fmt.Sprintf("you need no tool for this one: the server changes the table at once (ALGORITHM=INSTANT, %.2fs)", s.Seconds)
	case s.Lock == "NONE":
		return fmt.Sprintf("the server itself takes %.1fs (ALGORITHM=%s, LOCK=NONE): writes go on, and a replica is about as long behind", s.Seconds, s.Algorithm)
	default:
		return fmt.Sprintf("the server itself takes %.1fs (ALGORITHM=%s), and writes wait as long", s.Seconds, s.Algorithm)
	}
}

// attempt is a way in which a server may be able to change a table.
type attempt struct{ algorithm, lock string }

// attempts are ordered by what they cost.
var attempts = []attempt{{"INSTANT", ""}, {"NOCOPY", "NONE"}, {"INPLACE", "NONE"}, {"NOCOPY", "SHARED"}, {"INPLACE", "SHARED"}, {"COPY", "SHARED"}}

// notThatWay are the errors of an algorithm or lock that the server does not have, or not for this change. 1064 is of
// changes that take no such option.
var notThatWay = []uint16{syntaxError, 1221, 1235, 1800, 1801, 1845, 1846}

// saysHow finds a change that names its algorithm or lock itself.
var saysHow = regexp.MustCompile(`(?i)\b(algorithm|lock)\b\s*=?\s*(default|instant|nocopy|inplace|copy|none|shared|exclusive)\b`)

// changeTime is the first of the times that the model's clock may say while it changes a table (see clock).
var changeTime = time.Date(1971, 3, 5, 1, 46, 40, 0, time.UTC)

// change has the model's server change the table, in the cheapest way that it takes. A refusal is a *refusal.
func change(ctx context.Context, s *server.Server, t workload.Table, alter string, at time.Time) (own ServerChange, err error) {
	ways := attempts
	if saysHow.MatchString(alter) {
		ways = nil
	}
	for _, way := range append(slices.Clone(ways), attempt{}) {
		begin := time.Now()
		err = alterTable(ctx, s, t, way.clause()+alter, at)
		own = ServerChange{Algorithm: way.algorithm, Lock: way.lock, Seconds: time.Since(begin).Seconds()}
		number, message, isRefusal := refused(err)
		if err == nil || !isRefusal {
			return own, err
		}
		if way == (attempt{}) {
			own.Refusal = fmt.Sprintf("%s (%d)", message, number)
			return own, &refusal{message, number}
		}
		if !slices.Contains(notThatWay, number) {
			// Perhaps of this way alone: the change without one has the last word.
			ways = nil
			begin = time.Now()
			err = alterTable(ctx, s, t, alter, at)
			own = ServerChange{Seconds: time.Since(begin).Seconds()}
			if number, message, isRefusal := refused(err); isRefusal {
				own.Refusal = fmt.Sprintf("%s (%d)", message, number)
				return own, &refusal{message, number}
			}
			return own, err
		}
	}
	return own, err
}

// clause stands before a change: partitions have to come last.
func (a attempt) clause() string {
	switch {
	case a.algorithm == "":
		return ""
	case a.lock == "":
		return "ALGORITHM=" + a.algorithm + ", "
	default:
		return "ALGORITHM=" + a.algorithm + ", LOCK=" + a.lock + ", "
	}
}

// alterTable changes a table as the user would: in the server's own sql_mode, in the table's database.
func alterTable(ctx context.Context, s *server.Server, t workload.Table, alter string, at time.Time) error {
	return session(ctx, s, "SET SESSION sql_mode = DEFAULT, time_zone = DEFAULT", fmt.Sprintf("SET SESSION timestamp = %d", at.Unix()),
		"USE "+server.Ident(t.Database), "ALTER TABLE "+server.Ident(t.Name)+" "+alter)
}

// changed is what a table looks like after the change; it is empty where that is not known.
type changed struct {
	columns []column
	indexes []index
}

// tryEmpty tries a change on an empty table like the given one: for mistakes that do not depend on the table, which are a
// *refusal, and for what the table will look like.
func tryEmpty(ctx context.Context, s *server.Server, t workload.Table, alter string) (after changed, err error) {
	d, err := structure(ctx, s, t)
	if err != nil {
		return after, err
	}
	defer func() { err = errors.Join(err, session(ctx, s, "DROP DATABASE IF EXISTS "+scratchDatabase)) }()
	empty := workload.Table{Database: scratchDatabase, Name: t.Name}
	err = session(ctx, s, slices.Concat([]string{"DROP DATABASE IF EXISTS " + scratchDatabase, "CREATE DATABASE " + scratchDatabase}, lenient,
		[]string{"USE " + scratchDatabase, withoutForeignKeys(d.statement)})...)
	if err == nil {
		err = alterTable(ctx, s, empty, alter, changeTime)
	}
	number, message, ok := refused(err)
	switch {
	case ok && slices.Contains(wrongAnywhere, number):
		return after, &refusal{message, number}
	case ok:
		return after, nil // the table's own matter
	case err != nil:
		return after, err
	}
	after.columns, err = columns(ctx, s, empty)
	if err == nil {
		after.indexes, err = indexes(ctx, s, empty)
	}
	if _, _, ok := refused(err); ok { // the change has given it another name
		return changed{}, nil
	}
	return after, err
}

// withoutForeignKeys is a table's definition for another database.
func withoutForeignKeys(statement string) string {
	var lines []string
	for line := range strings.Lines(statement) {
		trimmed := strings.TrimRight(strings.TrimSpace(line), ",")
		if !foreignKey.MatchString(trimmed) {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	for i := range lines {
		if i+1 < len(lines) && strings.HasPrefix(lines[i+1], ")") {
			lines[i] = strings.TrimSuffix(lines[i], ",")
			break
		}
	}
	return strings.Join(lines, "\n")
}

// spare is a copy of a table on the model, from which it is made again after the server has changed it.
type spare struct {
	table     workload.Table
	statement string
	triggers  []string
	columns   string
}

// spareTable is where the copy lies.
var spareTable = workload.Table{Database: scratchDatabase, Name: "spare"}

// lenient are settings of sessions that write a user's rows again as they were.
var lenient = []string{"SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', foreign_key_checks = 0, unique_checks = 0", "SET SESSION innodb_strict_mode = 0"}

func keepSpare(ctx context.Context, s *server.Server, t workload.Table) (*spare, error) {
	d, err := structure(ctx, s, t)
	if err != nil {
		return nil, err
	}
	list, err := columns(ctx, s, t)
	if err != nil {
		return nil, err
	}
	k := &spare{table: t, statement: d.statement, columns: ownColumns(list)}
	if k.triggers, err = triggerStatements(ctx, s, t); err != nil {
		return nil, err
	}
	create := strings.Replace(withoutForeignKeys(d.statement), server.Ident(t.Name), spareTable.String(), 1)
	return k, session(ctx, s, slices.Concat(lenient, []string{"DROP DATABASE IF EXISTS " + scratchDatabase, "CREATE DATABASE " + scratchDatabase,
		"USE " + scratchDatabase, create, "INSERT INTO " + spareTable.String() + " (" + k.columns + ") SELECT " + k.columns + " FROM " + t.String()})...)
}

// triggerStatements make a table's triggers again.
func triggerStatements(ctx context.Context, s *server.Server, t workload.Table) ([]string, error) {
	rows, err := s.Rows(ctx, "SHOW TRIGGERS FROM "+server.Ident(t.Database))
	if err != nil {
		return nil, err
	}
	var list []string
	for _, row := range rows {
		if row["Table"] != t.Name {
			continue
		}
		created, err := s.Rows(ctx, "SHOW CREATE TRIGGER "+server.Ident(t.Database)+"."+server.Ident(row["Trigger"]))
		if err != nil {
			return nil, err
		}
		list = append(list, created[0]["SQL Original Statement"])
	}
	return list, nil
}

// restore makes the table again as it was before the change, and drops what the change has made instead.
func (k *spare) restore(ctx context.Context, s *server.Server, own []workload.Table) error {
	now, err := tables(ctx, s)
	if err != nil {
		return err
	}
	statements := slices.Clone(lenient)
	for _, t := range now {
		if t == k.table || !slices.Contains(own, t) {
			statements = append(statements, "DROP TABLE "+t.String())
		}
	}
	statements = append(statements, "USE "+server.Ident(k.table.Database), k.statement,
		"INSERT INTO "+k.table.String()+" ("+k.columns+") SELECT "+k.columns+" FROM "+spareTable.String())
	statements = append(statements, k.triggers...)
	return session(ctx, s, append(statements, "DROP DATABASE "+scratchDatabase)...)
}
