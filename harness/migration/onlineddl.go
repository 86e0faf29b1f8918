package migration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
)

// NameOnlineDDL is the name of the server's own ALTER TABLE in matrix.yaml.
const NameOnlineDDL = "online-ddl"

// algorithms are what the server's own ALTER TABLE is asked for, by mode. It refuses what it cannot do in that way.
var algorithms = map[Mode]string{
	ModeCopy:    ", ALGORITHM=COPY",
	ModeInplace: ", ALGORITHM=INPLACE, LOCK=NONE",
	ModeInstant: ", ALGORITHM=INSTANT",
}

var _ = register(&Descriptor{
	Name:         NameOnlineDDL,
	Modes:        []Mode{ModeCopy, ModeInplace, ModeInstant},
	PrimaryModes: []Mode{ModeCopy, ModeInplace, ModeInstant},
	Migrate:      alterTable,
	Immediate:    true,
	CutOver:      CutOver{Ways: []Exchange{{Name: "ALTER TABLE"}}},
	// MySQL's errors 1845 and 1846, and MariaDB's of the same numbers.
	Unable: `(ALGORITHM|LOCK)=\w+ is not supported|Unknown ALGORITHM 'INSTANT'`,
})

// killLimit is how long it may take to end the session of an ALTER TABLE that is given up.
const killLimit = 10 * time.Second

// alterTable has the server change the table. What it says is the output; the exit code is 1 when it refuses.
func alterTable(ctx context.Context, p *tool.Program, job Job) (_ *Result, err error) {
	result := &Result{Target: job.Mode.Target(job.Table), Log: logPath(job, p.Name), ExitCode: -1, RowsCopied: -1, DMLApplied: -1}
	statement := "ALTER TABLE " + server.Ident(job.Database) + "." + server.Ident(job.Table) + " " + job.Alter + algorithms[job.Mode]
	s, err := server.Open(ctx, job.Primary)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, closed(conn.Close())) }()
	var id int64
	if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		return result, err
	}
	begin := time.Now()
	_, alterErr := conn.ExecContext(ctx, statement)
	result.Duration = time.Since(begin)
	if ctx.Err() != nil {
		alterErr = errors.Join(context.Cause(ctx), killSession(ctx, s, id))
	} else {
		result.ExitCode = 0
	}
	result.Output = statement + ";\n"
	if alterErr != nil {
		result.Output += alterErr.Error() + "\n"
		if result.ExitCode == 0 {
			result.ExitCode = 1
		}
		alterErr = fmt.Errorf("%s, mode %s: %s: %w", p.Name, job.Mode, statement, alterErr)
	}
	return result, errors.Join(alterErr, os.WriteFile(filepath.Join(job.Workdir, filepath.Base(result.Log)), []byte(result.Output), 0o644))
}

// closed is nil for a connection that was closed already, by a statement that was given up.
func closed(err error) error {
	if errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}

// killSession ends a session whose statement was given up: the server goes on with it otherwise.
func killSession(ctx context.Context, s *server.Server, id int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killLimit)
	defer cancel()
	rows, err := s.Rows(ctx, fmt.Sprintf("SELECT id FROM information_schema.processlist WHERE id = %d", id))
	if err != nil || len(rows) == 0 {
		return err
	}
	return s.Exec(ctx, fmt.Sprintf("KILL %d", id))
}
