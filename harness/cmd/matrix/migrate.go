package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/migration"
)

// migrateFlags are the options of matrix migrate.
type migrateFlags struct {
	schema, alter, mode string
	entries, tools      []string
	allVersions         bool
	tables, options     []string
	jobs                int
	limit               time.Duration
	asJSON, keep, force bool
	out                 string
	checksum            string
	trust               bool
	writes              int
	rows                int64
	seed                int64
	toolOptions         []string
}

func (a *app) migrateCommand() *cobra.Command {
	var o migrateFlags
	c := &cobra.Command{
		Use:   "migrate --entry ENTRY --schema DIR|FILE --alter CHANGE [-- OPTION…]",
		Short: "Change your own tables on a server version, and compare each with what the server itself makes of it",
		Long: `migrate brings up a primary and two replicas of a server, loads your tables, and changes each of them with gh-ost
(or pt-online-schema-change) while rows are written to it. The second replica has the same statements in commit order,
and changes the table by the server's own ALTER TABLE. Structure and every row of the two are compared, and each table
is reported as

  migrated      the same as the server's own ALTER TABLE leaves
  differs       the tool says it is done, and something is not the same, or the server refuses the change
  refused       the tool did not take the table or the change, and had begun nothing
  failed        the tool ended in the middle, or the table could not be compared
  not compared  the structure is the same, and there was no row to compare

--schema is a dump of mysqldump or mariadb-dump (plain, .gz or .zst), or a folder: *.sql files in the order of their
names, or mydumper's. Several databases may be in it; tables of a dump that names none go into the database "own".
Nothing in a dump makes a server talk to another host, write files, load plug-ins, or change accounts or global state:
such statements are passed over, and listed.

The default is what gh-ost's own production tests do: --test-on-replica, which leaves the primary alone, with a
change that changes nothing (engine=innodb). Options after -- go to the tool, behind those of matrix.yaml. With --jobs N, N topologies share the tables.

ENTRY is a name of matrix.yaml, a release (mysql@8.0.21), or an installation of your own (dir:/path) or an archive of one (tarball:/path). With several entries
and tools, or --all-versions, there is one table of verdicts, in which the server itself is a contestant; what cannot be
had here is listed. --rows N gives tables without rows some, by their columns' types and constraints.

Exit codes: 0 every table was migrated; 1 a table was not; 2 bad usage, a dump that the server does not take or a
change that is no SQL; 3 the harness failed; 130 interrupted.`,
		Example: `  matrix migrate --entry mariadb-11.8 --schema dump.sql --alter engine=innodb
  matrix migrate --entry mysql@8.0.21 --trust-first-use --schema dump.sql.gz --table 'shop.order*' --jobs 4
  matrix migrate --entry mysql-9.7 --schema ./schema --alter 'ADD COLUMN note INT' --tool gh-ost=/path/to/gh-ost
  matrix migrate --all-versions --schema dump.sql --rows 1000 --tool gh-ost --tool pt-online-schema-change
  matrix migrate --entry mysql-5.6 --schema dump.sql --tool pt-online-schema-change -- --alter-foreign-keys-method=auto`,
		Args: optionsOnly,
		RunE: func(c *cobra.Command, args []string) error {
			o.toolOptions = args
			return a.migrate(c.Context(), c.OutOrStdout(), o)
		},
	}
	o.register(c.Flags())
	return c
}

// register adds the flags.
func (o *migrateFlags) register(f *pflag.FlagSet) {
	namesVar(f, &o.entries, "entry", nil, "servers, parted by commas or repeated: a name or pattern of matrix.yaml, vendor@release, dir:/path or tarball:/path")
	f.BoolVar(&o.allVersions, "all-versions", false, "every available server")
	f.StringVar(&o.schema, "schema", "", "SQL file, plain, .gz or .zst, or a folder of them")
	f.StringVar(&o.alter, "alter", "engine=innodb", "what follows ALTER TABLE t")
	namesVar(f, &o.tools, "tool", []string{migration.NameGhost}, "tools, parted by commas or repeated: tool, tool=version or tool=/path of your own build")
	f.StringVar(&o.mode, "mode", "", "gh-ost: test-on-replica (default), replica, allow-on-master, migrate-on-replica")
	f.StringArrayVar(&o.tables, "table", nil, "only tables whose name, or database.name, matches this pattern; may be repeated")
	f.StringArrayVar(&o.options, "option", nil, "a line for the servers' my.cnf; may be repeated")
	f.IntVar(&o.jobs, "jobs", min(2, runtime.NumCPU()), "tables changed at once, each on a topology of its own")
	f.DurationVar(&o.limit, "limit", time.Hour, "time limit of one table")
	f.IntVar(&o.writes, "writes", 200, "statements sent to each table while the tool works on it; 0: none")
	f.Int64Var(&o.rows, "rows", 0, "rows that each table without rows is given, by its columns' types and constraints")
	f.Int64Var(&o.seed, "seed", 1, "what written and made rows are drawn from")
	f.BoolVar(&o.asJSON, "json", false, "print the report as JSON")
	f.BoolVar(&o.keep, "keep", false, "leave the servers running: see matrix status")
	f.StringVar(&o.out, "out", "", "folder for migrate.json and the tool's logs (default: build/migrate/<time>)")
	forceFlag(f, &o.force)
	trustFlags(f, &o.checksum, &o.trust)
}

// optionsOnly takes arguments behind -- alone.
func optionsOnly(c *cobra.Command, args []string) error {
	if dash := c.ArgsLenAtDash(); len(args) > 0 && dash != 0 {
		return fmt.Errorf("matrix migrate wants no argument, and got %q: options for the tool stand after --", args[0])
	}
	return nil
}

// check finds what is wrong before anything is obtained.
func (o *migrateFlags) check() (*dump.Source, error) {
	if o.allVersions {
		o.entries = append(o.entries, "*")
	}
	for _, flag := range []struct{ name, value string }{{"--entry", strings.Join(o.entries, "")}, {"--schema", o.schema}, {"--alter", o.alter}} {
		if flag.value == "" {
			return nil, fmt.Errorf("matrix migrate wants %s: see matrix migrate --help", flag.name)
		}
	}
	if o.jobs < 1 {
		return nil, fmt.Errorf("--jobs %d: want 1 or more", o.jobs)
	}
	if o.writes < 0 {
		return nil, fmt.Errorf("--writes %d: want 0 or more", o.writes)
	}
	if o.rows < 0 {
		return nil, fmt.Errorf("--rows %d: want 0 or more", o.rows)
	}
	if o.limit <= 0 {
		return nil, fmt.Errorf("--limit %s: want a time", o.limit)
	}
	if o.out != "" {
		if err := checkFolder(o.out, o.force); err != nil {
			return nil, err
		}
	}
	return dump.Open(o.schema)
}
