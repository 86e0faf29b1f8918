package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/usertables"
)

// migrateFlags are the options of matrix migrate.
type migrateFlags struct {
	entry, schema, alter, tool, mode string
	tables, options                  []string
	jobs                             int
	limit                            time.Duration
	asJSON, keep                     bool
	out                              string
	checksum                         string
	trust                            bool
}

func (a *app) migrateCommand() *cobra.Command {
	var o migrateFlags
	c := &cobra.Command{
		Use:   "migrate --entry ENTRY --schema DIR|FILE --alter CHANGE",
		Short: "Change your own tables on a server version, and compare each before and after",
		Long: `migrate brings up a primary and a replica of a server, loads your tables, changes each of them with gh-ost
(or pt-online-schema-change), compares all rows and the structure with what the server's own ALTER TABLE makes,
and reports for every table: migrated, differs, refused or failed.

--schema is a dump of mysqldump or mariadb-dump (plain or .gz), or a folder of *.sql files, which are loaded in
the order of their names, *-schema.sql first. Several databases may be in it; tables of a dump that names none go
into the database "own". Users, system databases and events play no part.

The default is what gh-ost's own production tests do: --test-on-replica, which leaves the primary alone, with a
change that changes nothing (engine=innodb). With --jobs N, N topologies share the tables.

ENTRY is a name of matrix.yaml, a release (mysql@8.0.21), or an installation of your own (dir:/path).

Exit codes: 0 every table was migrated and is the same; 1 a table differs, was refused or failed; 2 bad usage, a
dump that the server does not take or a change that is no SQL; 3 the harness failed; 130 interrupted.`,
		Example: `  matrix migrate --entry mariadb-11.8 --schema dump.sql --alter engine=innodb
  matrix migrate --entry mysql@8.0.21 --trust-first-use --schema dump.sql.gz --table 'shop.order*' --jobs 4
  matrix migrate --entry mysql-9.7 --schema ./schema --alter 'ADD COLUMN note INT' --tool gh-ost=/path/to/gh-ost
  matrix migrate --entry mysql-5.6 --schema dump.sql --tool pt-online-schema-change --json >result.json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error { return a.migrate(c.Context(), c.OutOrStdout(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.entry, "entry", "", "server: a name of matrix.yaml, vendor@release or dir:/path")
	f.StringVar(&o.schema, "schema", "", "SQL file, plain or .gz, or a folder of them")
	f.StringVar(&o.alter, "alter", "engine=innodb", "what follows ALTER TABLE t")
	f.StringVar(&o.tool, "tool", migration.NameGhost, "tool, tool=version or tool=/path of your own build")
	f.StringVar(&o.mode, "mode", "", "gh-ost: test-on-replica (default), replica, allow-on-master, migrate-on-replica")
	f.StringArrayVar(&o.tables, "table", nil, "only tables whose name, or database.name, matches this pattern; may be repeated")
	f.StringArrayVar(&o.options, "option", nil, "a line for the servers' my.cnf; may be repeated")
	f.IntVar(&o.jobs, "jobs", min(2, runtime.NumCPU()), "tables changed at once, each on a topology of its own")
	f.DurationVar(&o.limit, "limit", time.Hour, "time limit of one table")
	f.BoolVar(&o.asJSON, "json", false, "print the report as JSON")
	f.BoolVar(&o.keep, "keep", false, "leave the servers running: see matrix status")
	f.StringVar(&o.out, "out", "", "folder for migrate.json and the tool's logs (default: build/migrate/<time>)")
	trustFlags(f, &o.checksum, &o.trust)
	return c
}

// check finds what is wrong before anything is obtained.
func (o *migrateFlags) check() (*usertables.Schema, error) {
	for _, flag := range []struct{ name, value string }{{"--entry", o.entry}, {"--schema", o.schema}, {"--alter", o.alter}} {
		if flag.value == "" {
			return nil, fmt.Errorf("matrix migrate wants %s: see matrix migrate --help", flag.name)
		}
	}
	if o.jobs < 1 {
		return nil, fmt.Errorf("--jobs %d: want 1 or more", o.jobs)
	}
	if o.limit <= 0 {
		return nil, fmt.Errorf("--limit %s: want a time", o.limit)
	}
	if err := checkFolder(o.out); err != nil {
		return nil, err
	}
	return usertables.OpenSchema(o.schema)
}

func (a *app) migrate(ctx context.Context, w io.Writer, o migrateFlags) error {
	schema, err := o.check()
	if err != nil {
		return unfit(err)
	}
	c := usertables.Config{Schema: schema, Alter: o.alter, Tables: o.tables, Jobs: o.jobs, Limit: o.limit, Options: o.options,
		Keep: o.keep, Progress: logLine}
	if err := a.subjects(ctx, o, &c); err != nil {
		return err
	}
	if c.Logs, err = a.migrateDir(o.out); err != nil {
		return err
	}
	root, err := a.openRoot(ctx)
	if err != nil {
		return err
	}
	dir, err := root.Create(ctx, "migrate")
	if err != nil {
		return err
	}
	c.Dir = dir.Path
	report, err := usertables.Run(ctx, c)
	if ctx.Err() != nil {
		err = errors.New("interrupted: the tables under way are not judged")
	}
	err = errors.Join(err, letGo(ctx, dir, o.keep))
	var mistake *usertables.Mistake
	if errors.As(err, &mistake) {
		return unfit(err)
	}
	if len(report.Tables) > 0 || err == nil {
		err = errors.Join(err, tell(w, report, o.asJSON, c.Logs))
	}
	if err == nil && !report.Good() {
		return codeError{exitFailed}
	}
	return err
}

// subjects obtains the server and the tool.
func (a *app) subjects(ctx context.Context, o migrateFlags, c *usertables.Config) error {
	m, err := a.loadMatrix()
	if err != nil {
		return err
	}
	entry, err := m.Resolve(o.entry)
	if err != nil {
		return unfit(err)
	}
	if entry, err = trusting(entry, o.checksum, o.trust); err != nil {
		return unfit(err)
	}
	ref, err := m.ResolveTool(o.tool)
	if err != nil {
		return unfit(err)
	}
	if err := present([]matrix.Cell{{Entry: entry, Tool: ref}}); err != nil {
		return unfit(err)
	}
	cache, err := a.openCache(ctx)
	if err != nil {
		return err
	}
	program, err := a.tools(cache).Obtain(ctx, ref)
	if err != nil {
		return err
	}
	if c.Tool, err = migration.New(program); err != nil {
		return unfit(err)
	}
	if c.Mode, err = migration.ParseMode(c.Tool, o.mode); err != nil {
		return unfit(err)
	}
	c.Version = program.Version
	c.Golden, err = a.golden(ctx, m, cache, entry, sandbox.ProfileFast)
	return err
}

func (a *app) migrateDir(out string) (string, error) {
	if out == "" {
		m, err := a.loadMatrix()
		if err != nil {
			return "", err
		}
		out = filepath.Join(projectDir(m), "build", "migrate", time.Now().Format("20060102-150405.000"))
	}
	return resultFolder(out)
}

// letGo ends what a run has left in its folder, or keeps it for later commands.
func letGo(ctx context.Context, dir *rundir.Dir, keep bool) error {
	if keep && ctx.Err() == nil {
		return dir.Keep("matrix migrate")
	}
	return dir.Remove(context.WithoutCancel(ctx))
}

// tell writes the report to the folder of results, and prints it.
func tell(w io.Writer, report *usertables.Report, asJSON bool, out string) error {
	file, err := os.Create(filepath.Join(out, "migrate.json"))
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := errors.Join(report.WriteJSON(file), file.Close()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if asJSON {
		return report.WriteJSON(w)
	}
	if err := report.WriteText(w); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "report and logs: %s\n", out)
	return err
}
