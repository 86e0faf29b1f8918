package migration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
)

// NameGhost is gh-ost's name in matrix.yaml.
const NameGhost = "gh-ost"

const (
	// ghostRetries bounds gh-ost's attempts at the cut-over and the like, each a second and up to three of
	// locking. Its own default is 60, which is longer than a spec may take.
	ghostRetries = 20
	// ghostSocket is relative to the working folder, which is the tool's own: a socket's absolute path must
	// not be longer than 107 bytes (unix(7)).
	ghostSocket = "gh-ost.sock"
)

var _ = register(&Descriptor{
	Name:         NameGhost,
	Modes:        []Mode{ModeReplica, ModePrimary, ModeTestOnReplica, ModeMigrateOnReplica},
	PrimaryModes: []Mode{ModePrimary, ModeReplica},
	Migrate:      migrateGhost,
	Knows:        ghostKnows,
	CountsEvents: true,
	Objects: Objects{
		NewTable: func(table string) string { return SafeName(table, "gho") },
		// It makes its ghost table when it reads the binary log already.
		Follows: func(database, table string) string {
			return "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = " + server.Quote(database) +
				" AND table_name = " + server.Quote(SafeName(table, "gho"))
		},
		// doc/command-line-flags.md, initially-drop-old-table: a failed run may leave them. _del is the placeholder of
		// the cut-over. The flags that the driver gives have the next run drop them.
		Left: func(_, table string) []string {
			return []string{"table " + SafeName(table, "gho"), "table " + SafeName(table, "ghc"), "table " + SafeName(table, "del")}
		},
		Removed: true,
		// It looks for keys once the ghost table is made.
		LeftByRefusal: func(table string) []string { return []string{SafeName(table, "gho"), SafeName(table, "ghc")} },
	},
	Copy: Copying{Slow: []string{"--nice-ratio=4"}, Chunks: []string{"--chunk-size=100"}, Progress: regexp.MustCompile(`Copy: \d+/`)},
	CutOver: CutOver{
		Ways: []Exchange{{Name: "atomic", Flags: []string{"--cut-over=default"}}, {Name: "two-step", Flags: []string{"--cut-over=two-step"}, Gap: true}},
		Lock: "lock /* gh-ost */ tables%", Counter: "Com_lock_tables",
		// It copies with NOWAIT (MySQL 8.0.1), and retries each second: until it has seen that it is to pause, which it looks for
		// once a second, it must bear that a row is locked.
		GiveUp:   []string{"--cut-over-lock-timeout-seconds=1", "--default-retries=6"},
		Retry:    []string{"--cut-over-lock-timeout-seconds=1", "--default-retries=60"},
		WaitLong: []string{"--cut-over-lock-timeout-seconds=10"},
		Unlocked: "Tables unlocked",
	},
	Commands: &Commands{
		Socket: ghostSocket, Pause: "throttle", Paused: "State: throttled, commanded by user", Continue: "no-throttle", FullSpeed: "nice-ratio=0",
	},
	Throttle: Throttle{
		On: func(replica string) []string {
			return []string{"--throttle-control-replicas=" + replica, "--max-lag-millis=1000"}
		},
		// It sleeps for 100 times what a chunk took, the most there is: a quick server must not have copied all before
		// the lag is seen.
		Slow:    []string{"--chunk-size=50", "--nice-ratio=100"},
		Waiting: "State: throttled, lag=",
	},
	Postpone: &Postpone{Flag: "--postpone-cut-over-flag-file=", Waiting: "State: postponing cut-over"},
	Resume: &Resume{
		Known: "--resume",
		// Ten seconds is the least that it takes, and 100 the most.
		First: []string{"--checkpoint", "--checkpoint-seconds=10", "--chunk-size=50", "--nice-ratio=100"},
		Saved: "checkpoint success at",
		// Without the flags that drop what the first run left.
		Again:    []string{"--resume", "--initially-drop-ghost-table=false", "--initially-drop-old-table=false"},
		Resumed:  "Resuming from checkpoint",
		Left:     []string{"table _orders_ghk"},
		HooksDir: "--hooks-path=", Hook: "gh-ost-on-validated",
	},
	// doc/revert.md: the old table and the table of checkpoints have to stay.
	Revert: &Revert{
		Known: "--revert",
		First: []string{"--checkpoint", "--checkpoint-seconds=10", "--ok-to-drop-table=false"},
		Again: func(table string) []string {
			return []string{"--revert", "--old-table=" + SafeName(table, "del"), "--checkpoint", "--checkpoint-seconds=10",
				"--ok-to-drop-table=false", "--initially-drop-ghost-table=false", "--initially-drop-old-table=false"}
		},
		Reverted: "Done reverting",
		Left: func(table string) []string {
			return []string{"table " + SafeName(table, "rev_del"), "table " + SafeName(table, "ghk")}
		},
	},
	Instant: &Instant{Flag: "--attempt-instant-ddl", Done: "migrated instantly"},
	Flags: Flags{
		FewRetries:    []string{"--default-retries=6"}, // see GiveUp
		ReadTimeout:   []string{"--mysql-timeout=5"},
		FewReconnects: []string{"--binlogsyncer-max-reconnect-attempts=3"},
		OtherPort:     []string{"--skip-port-validation"},
		Ring:          []string{"--allow-master-master"},
		GTID:          []string{"--gtid"},
	},
	KeepTriggers: []string{"--include-triggers", "--trigger-suffix=_gho", "--remove-trigger-suffix-if-exists"},
	Cases: map[Case]ToolCase{
		CaseNoKey:                  {Refusal: "(?i)no PRIMARY nor UNIQUE key found in table"},
		CaseNullableKey:            {Refusal: "has nullable columns"},
		CaseNullableKeyWithoutNull: {Flags: []string{"--allow-nullable-unique-key"}},
		CaseFloatKey:               {Refusal: "(?i)no shared unique key can be found"},
		// It compares keys by their columns' names, before it looks at renames.
		CaseRenamedKey:        {Refusal: "(?i)no shared unique key can be found"},
		CaseInvalidDates:      {Flags: []string{"--allow-zero-in-date", "--skip-strict-mode"}},
		CaseLargeTransactions: {Flags: []string{"--dml-batch-size=100"}},
		CaseReferenced:        {Refusal: "(?i)found 1 parent-side foreign keys"},
		CaseForeignKey:        {Refusal: "(?i)found 1 child-side foreign keys"},
		CaseTrigger:           {Refusal: "(?i)found triggers on|Tables with triggers are not supported"},
		CasePartialRowImage:   {Refusal: "(?i)only 'FULL' is supported"},
		CaseStatementFormat:   {Refusal: "(?i)you must be using ROW binlog format"},
		CaseFewPrivileges:     {Refusal: "(?i)user has insufficient privileges"},
		CaseExistingNewTable:  {Flags: []string{"--initially-drop-ghost-table=false"}, Refusal: "(?i)table `_orders_gho` already exists. Panicking"},
	},
	// MariaDB shows REPLICATION CLIENT as BINLOG MONITOR, which it does not take for it.
	InsteadOfReplicationClient: []string{"SUPER"},
	HasLocaltests:              true,
	Failure:                    []*regexp.Regexp{ghostFatal},
	Begun:                      regexp.MustCompile(`Copy: \d+/`),
	Reserved:                   ghostReserved,
})

// migrateGhost runs gh-ost with the flags that its own localtests/test.sh passes, less those that serve only
// that script.
func migrateGhost(ctx context.Context, p *tool.Program, job Job) (*Result, error) {
	args, err := ghostArguments(ctx, p, job)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go cancelOnStalledBinlog(ctx, logPath(job, p.Name), ownEventLimit, cancel)
	result, err := run(ctx, p, job, args)
	parseGhost(result)
	return result, err
}

// ghostKnows asks gh-ost by its --check-flag, which answers by the exit code.
func ghostKnows(ctx context.Context, p *tool.Program, scope, flag string) bool {
	_, err := proc.Run(ctx, proc.Cmd{Path: p.Path, Args: []string{"--check-flag", flag}, Env: p.Env, Scope: scope})
	return err == nil
}

// ghostApplier is where gh-ost builds the new table, and asks for metadata locks.
func ghostApplier(job Job) server.Endpoint {
	if job.Mode.Target(job.Table).Node == NodeReplica {
		return job.Replica
	}
	return job.Primary
}

func ghostArguments(ctx context.Context, p *tool.Program, job Job) ([]string, error) {
	host := job.Primary
	if job.Mode.NeedsReplica() {
		host = job.Replica
	}
	conf, err := writeCredentials(job.Workdir, host)
	if err != nil {
		return nil, err
	}
	args := []string{
		"--conf=" + conf,
		"--host=" + host.Host, "--port=" + strconv.Itoa(host.Port),
		"--database=" + job.Database, "--table=" + job.Table, "--alter=" + job.Alter,
		"--assume-rbr", // otherwise it restarts the replica to be sure of its format
		"--exact-rowcount",
		"--approve-renamed-columns",
		"--initially-drop-old-table", "--initially-drop-ghost-table", "--ok-to-drop-table",
		"--cut-over=default",
		"--default-retries=" + strconv.Itoa(ghostRetries),
		"--heartbeat-interval-millis=100",
		"--serve-socket-file=" + ghostSocket,
		// Its default is one file for all of the machine.
		"--throttle-additional-flag-file=" + filepath.Join(job.Workdir, "gh-ost.throttle"),
		"--verbose", "--execute",
	}
	if host.TLS {
		args = append(args, "--ssl", "--ssl-allow-insecure")
	}
	switch job.Mode {
	case ModePrimary:
		args = append(args, "--allow-on-master")
	case ModeTestOnReplica:
		args = append(args, "--test-on-replica")
	case ModeMigrateOnReplica:
		args = append(args, "--migrate-on-replica")
	}
	if job.AssumePrimary && job.Mode.NeedsReplica() {
		args = append(args, "--assume-master-host="+job.Primary.Addr())
	}
	if job.ChunkSize > 0 {
		args = append(args, "--chunk-size="+strconv.Itoa(job.ChunkSize))
	}
	if job.held != "" {
		args = append(args, "--postpone-cut-over-flag-file="+job.held)
	}
	skip, err := ghostSkipLockCheck(ctx, p, job)
	if err != nil {
		return nil, err
	}
	return append(append(args, skip...), job.Extra...), nil
}

// ghostSkipLockCheck is the flag that lets gh-ost go on where the server has no metadata lock instrument to
// ask. Versions before 1.1.8 neither ask nor know the flag.
func ghostSkipLockCheck(ctx context.Context, p *tool.Program, job Job) ([]string, error) {
	const name = "--skip-metadata-lock-check"
	instrumented, err := metadataLocks(ctx, ghostApplier(job))
	if err != nil || instrumented {
		return nil, err
	}
	if !ghostKnows(ctx, p, job.Scope, name) {
		return nil, ctx.Err()
	}
	return []string{name}, nil
}

// metadataLocks says whether the server can tell who holds which metadata lock: performance_schema is on
// and its instrument enabled (the default since MySQL 8.0).
func metadataLocks(ctx context.Context, ep server.Endpoint) (enabled bool, err error) {
	s, err := server.Open(ctx, ep)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	able, err := s.Variable(ctx, "performance_schema")
	if err != nil || able == "0" {
		return false, err
	}
	var value string
	err = s.DB.QueryRowContext(ctx, "SELECT ENABLED FROM performance_schema.setup_instruments"+
		" WHERE NAME = 'wait/lock/metadata/sql/mdl'").Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("server %s: metadata lock instrument: %w", ep.Addr(), err)
	}
	return strings.EqualFold(value, "YES"), nil
}

var (
	// ghostStatus is the line that gh-ost prints every second or so, printStatus in its go/logic/migrator.go.
	ghostStatus = regexp.MustCompile(`Copy: (\d+)/\d+ [0-9.]+%; Applied: (\d+);`)
	// ghostLock is the line about the cut-over, in the same file.
	ghostLock = regexp.MustCompile(`Lock & rename duration: ([0-9.]+[a-zµ]+)`)
)

// parseGhost reads the last status line, which counts all that went before it.
func parseGhost(r *Result) {
	if all := ghostStatus.FindAllStringSubmatch(r.Output, -1); len(all) > 0 {
		last := all[len(all)-1]
		r.RowsCopied, r.DMLApplied = parseCount(last[1]), parseCount(last[2])
	}
	if lock := ghostLock.FindStringSubmatch(r.Output); lock != nil {
		if d, err := time.ParseDuration(lock[1]); err == nil {
			r.CutOver = d
		}
	}
}
