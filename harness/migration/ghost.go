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

// Ghost drives github.com/github/gh-ost.
type Ghost struct{ Program *tool.Program }

// ghostRetries bounds gh-ost's attempts at the cut-over and the like, each a second and up to three of
// locking. Its own default is 60, which is longer than a spec may take.
const ghostRetries = 20

// ghostSocket is relative to the working folder, which is the tool's own: a socket's absolute path must
// not be longer than 107 bytes (unix(7)).
const ghostSocket = "gh-ost.sock"

// Name is "gh-ost".
func (g *Ghost) Name() string { return NameGhost }

// Modes are gh-ost's four.
func (g *Ghost) Modes() []Mode {
	return []Mode{ModeReplica, ModePrimary, ModeTestOnReplica, ModeMigrateOnReplica}
}

// Migrate runs gh-ost with the flags that its own localtests/test.sh passes, less those that serve only
// that script.
func (g *Ghost) Migrate(ctx context.Context, job Job) (*Result, error) {
	if err := job.check(g); err != nil {
		return nil, err
	}
	args, err := g.arguments(ctx, job)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go endWhenDeaf(ctx, logPath(job, g.Program.Name), ownEventLimit, cancel)
	result, err := run(ctx, g.Program, job, args)
	parseGhost(result)
	return result, err
}

// applier is where gh-ost builds the new table, and asks for metadata locks.
func (g *Ghost) applier(job Job) server.Endpoint {
	if job.Mode.Target(job.Table).Node == NodeReplica {
		return job.Replica
	}
	return job.Primary
}

func (g *Ghost) arguments(ctx context.Context, job Job) ([]string, error) {
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
	skip, err := g.skipLockCheck(ctx, job)
	if err != nil {
		return nil, err
	}
	return append(append(args, skip...), job.Extra...), nil
}

// skipLockCheck is the flag that lets gh-ost go on where the server has no metadata lock instrument to
// ask. Versions before 1.1.8 neither ask nor know the flag.
func (g *Ghost) skipLockCheck(ctx context.Context, job Job) ([]string, error) {
	const name = "--skip-metadata-lock-check"
	instrumented, err := metadataLocks(ctx, g.applier(job))
	if err != nil || instrumented {
		return nil, err
	}
	// gh-ost says by its exit code whether it knows the flags that follow --check-flag.
	_, err = proc.Run(ctx, proc.Cmd{Path: g.Program.Path, Args: []string{"--check-flag", name}, Env: g.Program.Env, Scope: job.Scope})
	if err != nil {
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

// parseCount reads digits; -1 for a number too large to be true.
func parseCount(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
