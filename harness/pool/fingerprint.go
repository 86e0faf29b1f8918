package pool

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

// Fingerprint is what can be seen of a server that a spec or a tool could have changed: what it is → how it is.
type Fingerprint map[string]string

// shown is how many differences a comparison names.
const shown = 3

// difference says what is not as it was, "" when nothing is: objects that somebody made first, and last the contents and
// files that follow from them.
func (f Fingerprint) difference(was Fingerprint) string {
	var list []string
	for _, what := range slices.SortedFunc(maps.Keys(union(f, was)), telling) {
		now, is := f[what]
		before, had := was[what]
		switch {
		case !had:
			list = append(list, what+" is left")
		case !is:
			list = append(list, what+" is gone")
		case now != before:
			list = append(list, fmt.Sprintf("%s was %q and is %q", what, before, now))
		}
	}
	if more := len(list) - shown; more > 0 {
		list = append(list[:shown], fmt.Sprintf("%d more", more))
	}
	return strings.Join(list, "; ")
}

func union(f, g Fingerprint) Fingerprint {
	all := maps.Clone(f)
	maps.Copy(all, g)
	return all
}

// telling orders what a fingerprint has by how much it tells a reader.
func telling(a, b string) int {
	rank := func(what string) int {
		for i, c := range catalog {
			if strings.HasPrefix(what, c.noun+" ") {
				return i - len(catalog)
			}
		}
		if strings.HasPrefix(what, "contents ") || strings.HasPrefix(what, "file ") {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
}

// catalog are queries of which each row is a line of the fingerprint: the first column says what it is, the others how it is.
// They leave out the schemas of the server's own, whose tables are compared by their contents, and open transactions: a
// client's ends with its session, and there is none when this is read; what is left are those of threads of the server's own
// (InnoDB's statistics, for one), which come and go.
var catalog = []struct{ noun, query string }{
	{"schema", "SELECT SCHEMA_NAME AS a, CONCAT(DEFAULT_CHARACTER_SET_NAME, ' ', DEFAULT_COLLATION_NAME) AS b FROM information_schema.SCHEMATA"},
	{"table", "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS a, CONCAT(TABLE_TYPE, ' ', COALESCE(ENGINE, '')) AS b FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'sys')"},
	{"trigger", "SELECT CONCAT(TRIGGER_SCHEMA, '.', TRIGGER_NAME) AS a, ACTION_STATEMENT AS b FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA <> 'sys'"},
	{"event", "SELECT CONCAT(EVENT_SCHEMA, '.', EVENT_NAME) AS a, CONCAT(STATUS, ' ', EVENT_DEFINITION) AS b FROM information_schema.EVENTS"},
	{"routine", "SELECT CONCAT(ROUTINE_TYPE, ' ', ROUTINE_SCHEMA, '.', ROUTINE_NAME) AS a, '' AS b FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA <> 'sys'"},
	{"account", "SELECT CONCAT(User, '@', Host) AS a, '' AS b FROM mysql.user"},
	{"plug-in", "SELECT PLUGIN_NAME AS a, PLUGIN_STATUS AS b FROM information_schema.PLUGINS"},
}

// changing are tables of the schema mysql that servers write to by themselves. What they hold is compared by other means:
// replication and GTIDs by the server's own words.
var changing = regexp.MustCompile(`^mysql\.(slave_.*|gtid_.*|innodb_.*_stats|.*_stats|help_.*|time_zone.*|transaction_registry|general_log|slow_log|ndb_.*)$`)

// changingStatus are columns of a replica's status that say how far it has come, and not how it is set.
var changingStatus = regexp.MustCompile(`(?i)(pos|state|log_file|space|behind.*|timestamp|time|time_diff|heartbeats|groups|entries|gtid_set|retried.*)$`)

// fingerprint reads a node. Its own session must be the only one.
func fingerprint(ctx context.Context, t *topology.Topology, n *topology.Node) (Fingerprint, error) {
	f := Fingerprint{}
	for _, read := range []func(context.Context, *topology.Node, Fingerprint) error{variables, objects, contents, replication, logs} {
		if err := read(ctx, n, f); err != nil {
			return nil, err
		}
	}
	return f, files(t, n, f)
}

func variables(ctx context.Context, n *topology.Node, f Fingerprint) error {
	rows, err := n.Server.Rows(ctx, "SHOW GLOBAL VARIABLES")
	for _, row := range rows {
		f["global variable "+row["Variable_name"]] = row["Value"]
	}
	return err
}

func objects(ctx context.Context, n *topology.Node, f Fingerprint) error {
	for _, c := range catalog {
		rows, err := n.Server.Rows(ctx, c.query)
		if err != nil {
			return err
		}
		for _, row := range rows {
			f[c.noun+" "+row["a"]] = row["b"]
		}
	}
	prepared, err := n.Server.Rows(ctx, "XA RECOVER")
	for _, row := range prepared {
		f["prepared transaction "+row["data"]] = ""
	}
	return err
}

// contents are checksums of the tables that every server has: accounts and their privileges, and whatever else the schema
// mysql holds, and the table of the proof that replication works.
func contents(ctx context.Context, n *topology.Node, f Fingerprint) error {
	var names []string
	for what, kind := range f {
		if name, ok := strings.CutPrefix(what, "table "); ok && strings.HasPrefix(kind, "BASE TABLE") && !changing.MatchString(name) {
			schema, table, _ := strings.Cut(name, ".")
			names = append(names, server.Ident(schema)+"."+server.Ident(table))
		}
	}
	slices.Sort(names)
	rows, err := n.Server.Rows(ctx, "CHECKSUM TABLE "+strings.Join(names, ", "))
	for _, row := range rows {
		f["contents of "+row["Table"]] = row["Checksum"]
	}
	return err
}

func replication(ctx context.Context, n *topology.Node, f Fingerprint) error {
	statuses, err := n.Server.ReplicaStatus(ctx)
	for _, s := range statuses {
		for column, value := range s.Raw {
			if !changingStatus.MatchString(column) {
				f[strings.TrimSpace("replication "+s.Channel)+": "+column] = value
			}
		}
	}
	return err
}

// logs are the names of the binary logs. With the GTID variables they tell a log that was purged.
func logs(ctx context.Context, n *topology.Node, f Fingerprint) error {
	list, err := n.Server.BinaryLogs(ctx)
	for _, l := range list {
		f["binary log "+l.Name] = ""
	}
	return err
}

// changingFiles are files in a data directory that servers make and remove by themselves.
var changingFiles = regexp.MustCompile(`^data/(mysql-(bin|relay).*|.*\.err|#innodb_.*|ib_logfile.*|ibtmp.*|ib_buffer_pool|undo.*|aria_log.*|ddl_.*log|.*\.info|relay-log.*|auto\.cnf|tc\.log|#ib_.*|mysqld-auto\.cnf.*backup|sys/.*|performance_schema/.*|.*-slow\.log)$`)

// files are names of what lies in the data directory, and everything beside it with its size and time of change.
func files(t *topology.Topology, n *topology.Node, f Fingerprint) error {
	root := n.Sandbox.Dir()
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // the server has removed it meanwhile
		}
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || changingFiles.MatchString(name) {
			return err
		}
		how := ""
		if !strings.HasPrefix(name, "data/") {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			how = fmt.Sprintf("%d bytes of %s", info.Size(), info.ModTime().UTC().Format("15:04:05.000"))
		}
		f["file "+name] = how
		return nil
	})
}
