package migration

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/wait"
)

// NameSpirit is spirit's name in matrix.yaml.
const NameSpirit = "spirit"

const (
	// spiritSentinel is the table that spirit makes with --defer-cutover: it cuts over once somebody has dropped it
	// (sentinelTableName in its pkg/migration/runner.go).
	spiritSentinel = "_spirit_sentinel"
	releasePoll    = 20 * time.Millisecond
	// noPrimaryKeySpirit is how it refuses a table that it cannot read in chunks, SetInfo in its pkg/table/tableinfo.go.
	noPrimaryKeySpirit = "no primary key found"
)

var _ = register(&Descriptor{
	Name:         NameSpirit,
	Modes:        []Mode{ModeBinaryLog},
	PrimaryModes: []Mode{ModeBinaryLog},
	Migrate:      migrateSpirit,
	Unsupported: func(f flavor.Flavor) string {
		if f.Dialect().DataDictionary {
			return ""
		}
		return "spirit wants MySQL 8.0 or later"
	},
	Objects: Objects{
		NewTable: func(table string) string { return "_" + table + "_new" },
		// It notes the binary log's position after it has made the table, and before it copies the first row.
		Follows: func(database, table string) string {
			return "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = " + server.Quote(database) +
				" AND table_name = " + server.Quote("_"+table+"_new")
		},
		Left: func(_, table string) []string {
			return []string{"table _" + table + "_new", "table _" + table + "_chkpnt", "table _" + table + "_old", "table " + spiritSentinel}
		},
		Removed: true, // or it resumes from its checkpoint
		// It looks for what it refuses in a new table once that is made.
		LeftByRefusal: func(table string) []string {
			return []string{"_" + table + "_new", "_" + table + "_chkpnt", spiritSentinel}
		},
	},
	Copy: Copying{
		Chunks:    []string{"--threads=1", "--skip-force-kill"},
		LockFirst: true,
		Rebuild:   ", ENGINE=InnoDB",
	},
	CutOver: CutOver{
		Ways: []Exchange{{Name: "rename under lock"}},
		Lock: "LOCK TABLES%", Counter: "Com_lock_tables",
		GiveUp:   []string{"--lock-wait-timeout=1s", "--skip-force-kill"},
		Retry:    []string{"--lock-wait-timeout=10s", "--skip-force-kill"},
		WaitLong: []string{"--lock-wait-timeout=30s", "--skip-force-kill"},
	},
	Cases: map[Case]ToolCase{
		CaseNoKey:                  {Refusal: noPrimaryKeySpirit},
		CaseNullableKey:            {Refusal: noPrimaryKeySpirit},
		CaseNullableKeyWithoutNull: {Refusal: noPrimaryKeySpirit},
		CaseSwappedUniqueKeys:      {Refusal: noPrimaryKeySpirit},
		CaseRenamedKey:             {Refusal: "renames are not supported"},
		CaseSwappedColumns:         {Refusal: "renames are not supported"},
		CaseReplacedPrimaryKey:     {Refusal: "dropping primary key is not supported"},
		CaseReorderedMembers:       {Refusal: "unsafe SET value reorder"},
		CaseReferenced:             {Refusal: "existing foreign key constraints are not supported"},
		CaseForeignKey:             {Refusal: "existing foreign key constraints are not supported"},
		CaseTrigger:                {Refusal: "tables with triggers associated are not supported"},
		CaseStatementFormat:        {Refusal: "binlog_format must be ROW"},
		CaseFewPrivileges:          {Refusal: "(?i)insufficient privileges|denied"},
	},
	Privileges: []string{"RELOAD"},
})

// migrateSpirit runs spirit on the primary. It says how many chunks it has copied, and not how many rows.
func migrateSpirit(ctx context.Context, p *tool.Program, job Job) (*Result, error) {
	conf, err := writeCredentials(job.Workdir, job.Primary)
	if err != nil {
		return nil, err
	}
	tlsMode := "DISABLED"
	if job.Primary.TLS {
		tlsMode = "REQUIRED"
	}
	args := []string{
		"migrate", "--conf=" + conf,
		"--host=" + job.Primary.Host + ":" + strconv.Itoa(job.Primary.Port),
		"--database=" + job.Database, "--table=" + job.Table, "--alter=" + job.Alter,
		"--threads=2", "--target-chunk-time=100ms",
		"--tls-mode=" + tlsMode, // a sandbox's certificate is nobody's
		"--lock-wait-timeout=10s",
	}
	if job.held != "" {
		args = append(args, "--defer-cutover")
		var cancel context.CancelFunc
		held, cancel := context.WithCancel(ctx)
		defer cancel()
		released := make(chan error, 1)
		go func() { released <- releaseSpirit(held, job) }()
		result, err := run(ctx, p, job, append(args, job.Extra...))
		cancel()
		return result, errors.Join(err, <-released)
	}
	return run(ctx, p, job, append(args, job.Extra...))
}

// releaseSpirit drops the table that spirit waits for once the file that holds the job is gone. It returns with the tool.
func releaseSpirit(ctx context.Context, job Job) (err error) {
	err = wait.State{What: "the cut-over is released", Poll: releasePoll}.Until(ctx, func(context.Context) (string, bool, error) {
		_, err := os.Stat(job.held)
		return "", errors.Is(err, os.ErrNotExist), nil
	})
	if err != nil {
		return nil // the tool has ended before
	}
	s, err := server.Open(ctx, job.Primary)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	// It may not have made the table yet, when it is released as soon as it starts.
	made := "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = " + server.Quote(job.Database) + " AND table_name = " + server.Quote(spiritSentinel)
	err = wait.State{What: "the table that the cut-over waits for", Poll: releasePoll}.Until(ctx, func(ctx context.Context) (string, bool, error) {
		var n int
		err := s.DB.QueryRowContext(ctx, made).Scan(&n)
		return "", n > 0, err
	})
	if ctx.Err() != nil {
		return nil // the tool has ended, and has not made it
	}
	if err != nil {
		return err
	}
	return s.Exec(ctx, "DROP TABLE IF EXISTS "+server.Ident(job.Database)+"."+server.Ident(spiritSentinel))
}
