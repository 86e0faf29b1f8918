package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/upgrade"
)

// upgradeFlags are the options of matrix upgrade.
type upgradeFlags struct {
	from, to, schema, queries, myCnf, way string
	seed                                  uint64
	asJSON, force                         bool
	out                                   string
	checksum                              string
	trust                                 bool
}

func (a *app) upgradeCommand() *cobra.Command {
	var o upgradeFlags
	c := &cobra.Command{
		Use:   "upgrade --from ENTRY --to ENTRY --schema DIR|FILE",
		Short: "Upgrade your own database from one server version to another, and compare everything before and after",
		Long: `upgrade loads your dump on the old version, goes to the new one by every way, and compares: structure, every row,
views, routines, triggers, events and accounts; with --queries the answers to your statements as well; with --my-cnf
it tries each line of your configuration on both versions. Every finding has the line of your file, the cause and
what to do. The plan is printed before it runs.

Ways: logical (the dump is loaded into the new version), in-place (the new version on the old one's data directory),
replica (a new server replicates from the old one and is promoted), rolling (replicas in place one by one,
switchover, the old primary last, under load). Without --way all are tried, and the report says which are safe.

--schema is a dump of mysqldump or mariadb-dump (plain, .gz or .zst), or a folder of *.sql files. --queries is a file of
SQL, a slow log or a general log; all of its statements run in one transaction that is rolled back. Statements that
would leave the sandbox (replication, files, other hosts, libraries) are not run, and listed.

ENTRY is a name of matrix.yaml, a release (mysql@8.0.21), or an installation of your own (dir:/path) or an archive of one (tarball:/path). Versions in
between are found by the vendors' rules, where they can be obtained.

Exit codes: 0 nothing differs; 1 something does; 2 bad usage; 3 the harness failed; 130 interrupted.`,
		Example: `  matrix upgrade --from mysql-5.7 --to mysql-8.0 --schema dump.sql
  matrix upgrade --from mariadb-10.5 --to mariadb-11.8 --schema dump.sql.gz --queries slow.log --way in-place
  matrix upgrade --from mysql-5.7 --to dir:/opt/mysql-8.0 --schema dump.sql --my-cnf /etc/my.cnf --json >result.json`,
		Args: exactArgs(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error { return a.upgrade(c.Context(), c.OutOrStdout(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "old server: a name of matrix.yaml, vendor@release, dir:/path or tarball:/path")
	f.StringVar(&o.to, "to", "", "new server, named as the old one")
	f.StringVar(&o.schema, "schema", "", "dump: an SQL file, plain or compressed, or a folder of them")
	f.StringVar(&o.queries, "queries", "", "statements to compare: a file of SQL, a slow log or a general log")
	f.StringVar(&o.myCnf, "my-cnf", "", "configuration file whose lines are tried on both versions")
	f.StringVar(&o.way, "way", "all", "logical, in-place, replica, rolling, several separated by commas, or all")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the plan: the order of replicas")
	f.BoolVar(&o.asJSON, "json", false, "print the report as JSON")
	f.StringVar(&o.out, "out", "", "folder for upgrade.json, upgrade.md and upgrade.html (default: build/upgrade/<time>)")
	forceFlag(f, &o.force)
	trustFlags(f, &o.checksum, &o.trust)
	return c
}

// config finds what is wrong before anything is obtained.
func (o *upgradeFlags) config() (c upgrade.Config, err error) {
	for _, flag := range []struct{ name, value string }{{"--from", o.from}, {"--to", o.to}, {"--schema", o.schema}} {
		if flag.value == "" {
			return c, fmt.Errorf("matrix upgrade wants %s: see matrix upgrade --help", flag.name)
		}
	}
	if o.out != "" {
		if err := checkFolder(o.out, o.force); err != nil {
			return c, err
		}
	}
	c = upgrade.Config{Queries: o.queries, MyCnf: o.myCnf, Seed: o.seed, Progress: logLine}
	if c.Ways, err = upgrade.ParseWays(o.way); err != nil {
		return c, err
	}
	for _, file := range []struct{ flag, path string }{{"--queries", o.queries}, {"--my-cnf", o.myCnf}} {
		if file.path == "" {
			continue
		}
		if info, err := os.Stat(file.path); err != nil || info.IsDir() {
			return c, fmt.Errorf("%s %s: there is no such file", file.flag, file.path)
		}
	}
	c.Source, err = dump.Open(o.schema)
	return c, err
}

func (a *app) upgrade(ctx context.Context, w io.Writer, o upgradeFlags) error {
	c, err := o.config()
	if err != nil {
		return unfit(err)
	}
	m, err := a.loadMatrix()
	if err != nil {
		return err
	}
	root, err := a.openRoot(ctx)
	if err != nil {
		return err
	}
	if c.Goldens, err = a.upgradePath(ctx, m, o); err != nil {
		return err
	}
	plan := c.Plan()
	if _, err := fmt.Fprint(os.Stderr, plan); err != nil {
		return err
	}
	out, err := upgradeDir(m, o.out, o.force)
	if err != nil {
		return err
	}
	dir, err := root.Create(ctx, "upgrade")
	if err != nil {
		return err
	}
	c.Dir = dir.Path
	report, err := upgrade.Run(ctx, c)
	if ctx.Err() != nil {
		err = errors.New("interrupted: what is under way is not judged")
	}
	err = errors.Join(err, dir.Remove(context.WithoutCancel(ctx)))
	if len(report.Ways) > 0 || err == nil {
		err = errors.Join(err, tellUpgrade(w, report, o.asJSON, out))
	}
	if err == nil && !report.Good() {
		return codeError{exitFailed}
	}
	return err
}

// upgradePath obtains the servers of the path: the two that are named, and those between them that the vendors' rules ask for and
// that can be obtained. Where one cannot be obtained the step is made directly, and marked as not supported.
func (a *app) upgradePath(ctx context.Context, m *matrix.Matrix, o upgradeFlags) ([]*sandbox.Golden, error) {
	store, err := a.openCache(ctx)
	if err != nil {
		return nil, err
	}
	from, err := a.upgradeServer(ctx, m, store, o.from, o)
	if err != nil {
		return nil, err
	}
	to, err := a.upgradeServer(ctx, m, store, o.to, o)
	if err != nil {
		return nil, err
	}
	steps, err := upgrade.Steps(from.Flavor, to.Flavor)
	if err != nil {
		return []*sandbox.Golden{from, to}, nil // the plan says so, and tries what can be tried
	}
	path := []*sandbox.Golden{from}
	for _, f := range upgrade.Between(steps) {
		g, err := a.upgradeServer(ctx, m, store, f.Vendor.String()+"-"+f.Version.Series(), o)
		if err != nil {
			logLine(fmt.Sprintf("%s lies between and cannot be obtained here: %v", f.Vendor.String()+" "+f.Version.Series(), err))
			return []*sandbox.Golden{from, to}, nil
		}
		path = append(path, g)
	}
	return append(path, to), nil
}

func (a *app) upgradeServer(ctx context.Context, m *matrix.Matrix, store *cache.Cache, name string, o upgradeFlags) (*sandbox.Golden, error) {
	entry, err := m.Resolve(name)
	if err != nil {
		return nil, unfit(err)
	}
	if entry, err = trusting(entry, o.checksum, o.trust); err != nil {
		return nil, unfit(err)
	}
	return a.golden(ctx, m, store, entry, sandbox.ProfileDurable)
}

func upgradeDir(m *matrix.Matrix, out string, force bool) (string, error) {
	if out == "" {
		out = filepath.Join(projectDir(m), "build", "upgrade", time.Now().Format("20060102-150405.000"))
	}
	return resultFolder(out, force)
}

// tellUpgrade writes the report to the folder of results, and prints it.
func tellUpgrade(w io.Writer, r *upgrade.Report, asJSON bool, out string) error {
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{{"upgrade.json", r.WriteJSON}, {"upgrade.md", r.WriteMarkdown}, {"upgrade.html", r.WriteHTML}} {
		f, err := os.Create(filepath.Join(out, file.name))
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		if err := errors.Join(file.write(f), f.Close()); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	if asJSON {
		return r.WriteJSON(w)
	}
	if err := r.WriteText(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nreport: %s\n", out)
	return err
}
