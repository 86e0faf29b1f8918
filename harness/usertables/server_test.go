package usertables_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/usertables"
)

var (
	entryNames = flag.String("entries", "mysql-9.7", "servers, separated by commas")
	alters     = flag.Int("alters", 0, "how many random changes are tried on each server; 0 leaves the test out")
	alterSeed  = flag.Int64("seed", 1, "of the random changes")
	alterTools = flag.String("alter-tools", "", "tools of matrix.yaml that random changes are tried with as well, separated by commas")
)

// project is matrix.yaml, and the cache that commands use.
func project(t *testing.T) (*matrix.Matrix, *cache.Cache) {
	t.Helper()
	m, err := matrix.Load("../../matrix.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := cache.DefaultDir(os.Getenv("MATRIX_CACHE"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m, c
}

// golden obtains a server as the commands do.
func golden(t *testing.T, name string) *sandbox.Golden {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real servers")
	}
	m, c := project(t)
	entry, err := m.Resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Dir(m.Path)
	b, err := (&basedir.Store{Cache: c, LockFile: filepath.Join(root, "basedirs.lock")}).Obtain(t.Context(), entry, root)
	if err != nil {
		t.Fatal(err)
	}
	farm := sandbox.Farm{Cache: c, Dbdeployer: func(context.Context) (string, error) {
		path, err := exec.Command("go", "tool", "-n", "dbdeployer").Output()
		return strings.TrimSpace(string(path)), err
	}}
	g, err := farm.Golden(t.Context(), b, sandbox.ProfileFast)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// obtainTool obtains a tool as the commands do, with the options that matrix.yaml has for it.
func obtainTool(t *testing.T, name string) (migration.Tool, []string) {
	t.Helper()
	m, c := project(t)
	ref, err := m.ResolveTool(name)
	if err != nil {
		t.Fatal(err)
	}
	program, err := (&tool.Store{Cache: c}).Obtain(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	driver, err := migration.New(program)
	if err != nil {
		t.Fatal(err)
	}
	return driver, m.ToolOptions(name)
}

// byServer is a tool that copies a table by the server's own statements, as a tool without faults would, and then
// does to the copy what it is told.
type byServer struct {
	spoil func(table string) (onPrimary, onReplica []string)
}

func (b *byServer) Name() string { return "the server's own statements" }

func (b *byServer) Describe() *migration.Descriptor {
	return &migration.Descriptor{Name: b.Name(), Modes: []migration.Mode{migration.ModeTriggers}, Immediate: true}
}

// Migrate changes the table in place, which is what a copy without faults comes to.
func (b *byServer) Migrate(ctx context.Context, job migration.Job) (*migration.Result, error) {
	result := &migration.Result{Target: job.Mode.Target(job.Table), Log: filepath.Join(job.Workdir, "log"), ExitCode: 1, RowsCopied: -1, DMLApplied: -1}
	begin := time.Now()
	defer func() { result.Duration = time.Since(begin) }()
	if err := errors.Join(os.MkdirAll(job.Workdir, 0o755), os.WriteFile(result.Log, nil, 0o644)); err != nil {
		return nil, err
	}
	var onPrimary, onReplica []string
	if b.spoil != nil {
		onPrimary, onReplica = b.spoil(job.Table)
	}
	for _, step := range []struct {
		at         server.Endpoint
		statements []string
	}{{job.Primary, append([]string{"ALTER TABLE " + server.Ident(job.Table) + " " + job.Alter}, onPrimary...)}, {job.Replica, onReplica}} {
		if err := run(ctx, step.at, job.Database, step.statements); err != nil {
			result.Output = err.Error()
			return result, err
		}
	}
	result.ExitCode = 0
	return result, nil
}

func run(ctx context.Context, at server.Endpoint, database string, statements []string) (err error) {
	s, err := server.Open(ctx, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, statement := range append([]string{"USE " + server.Ident(database)}, statements...) {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// change runs a dump's tables through a tool.
func change(t *testing.T, g *sandbox.Golden, text string, c usertables.Config) *usertables.Report {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dump.sql")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := dump.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	// Where the next command of matrix ends what an interrupted test leaves.
	root, err := rundir.Open(rundir.DefaultDir())
	if err != nil {
		t.Fatal(err)
	}
	dir, err := root.Create(t.Context(), "ut")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := proc.Find(dir.Path)
		if err := errors.Join(err, dir.Remove(context.Background())); err != nil {
			t.Error(err)
		}
		for _, one := range left {
			t.Errorf("left a process behind: %d %s", one.PID, one.Command)
		}
	})
	c.Golden, c.Schema, c.Limit, c.Jobs = g, source, time.Minute, 1
	if c.Mode, err = migration.ParseMode(c.Tool, ""); err != nil {
		t.Fatal(err)
	}
	c.Dir, c.Logs = dir.Path, t.TempDir()
	report, err := usertables.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return report
}
