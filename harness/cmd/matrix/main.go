// Command matrix tests tools for MySQL replication against every server version in matrix.yaml.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

// Exit codes beside those of report.ExitCode.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitErrored     = 3
	exitInterrupted = 130
)

func main() { os.Exit(Main()) }

// Main runs the command line and returns the exit code.
func Main() int {
	syscall.Umask(proc.Umask)
	ctx, stop := untilSignal()
	defer stop()
	ctx, gone := context.WithCancel(ctx)
	defer gone()
	a := &app{}
	root := newRoot(a)
	root.SetOut(output{os.Stdout, gone})
	return exitCode(ctx, errors.Join(root.ExecuteContext(ctx), a.close()))
}

// codeError is an outcome that was told already and has an exit code of its own.
type codeError struct{ code int }

func (e codeError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(ctx context.Context, err error) int {
	var code codeError
	var usage usageError
	var problems matrix.Problems
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return code.code
	}
	if !errors.Is(err, syscall.EPIPE) {
		fmt.Fprintln(os.Stderr, "matrix:", err)
	}
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &problems):
		return exitUsage
	default:
		return exitErrored
	}
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "matrix",
		Short: "Test MySQL tools against every server version",
		Long: `matrix obtains the MySQL, Percona Server and MariaDB versions that matrix.yaml lists, deploys
replication topologies of real servers with dbdeployer, runs the migration, failover and Pseudo-GTID
suites against each, and reports per version.`,
		Example: `  matrix list                                   what can be tested here
  matrix run --tier pr                          the short tier, on every available server
  matrix run --entry mariadb-10.11 --suite failover
  matrix run --tool gh-ost=/path/to/my/gh-ost   your own build, everywhere
  matrix migrate --entry mysql-9.7 --schema dump.sql   your own tables, by gh-ost
  matrix up mysql-9.7 --manager embedded        a running topology to look at, break (fault) and watch
  matrix use replica1 -- 'SHOW REPLICA STATUS'`,
		Version:       version(),
		SilenceErrors: true, SilenceUsage: true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("no command %q: see matrix help", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetVersionTemplate("matrix {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w: see %s --help", err, c.CommandPath())}
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.matrixPath, "matrix", "", "matrix file (default: matrix.yaml here or in a folder above)")
	flags.StringVar(&a.cacheDir, "cache", "", "folder for servers, golden sandboxes and tools (default: $MATRIX_CACHE, else $XDG_CACHE_HOME/mysql-matrix)")
	flags.StringVar(&a.runDir, "run-dir", "", "folder for running servers (default: mysql-matrix-<uid> in $TMPDIR)")
	flags.StringArrayVar(&a.env, "env", nil, "a variable (NAME=VALUE) for servers, clients and tools, which do not get yours: their zone is UTC, their locale C.UTF-8; may be repeated")
	root.PersistentPreRunE = func(c *cobra.Command, args []string) error {
		if err := noEmpty(c, args); err != nil || len(a.env) == 0 {
			return err
		}
		return unfit(proc.Vary(a.env))
	}
	root.AddCommand(a.listCommand(), a.doctorCommand(), a.fetchCommand(), a.upCommand(), a.statusCommand(), a.useCommand(),
		a.downCommand(), a.faultCommand(), a.watchCommand(), a.runCommand(), a.migrateCommand(), a.upgradeCommand(), a.pgtidCommand(), a.reproCommand(), a.attributeCommand(), a.bisectCommand(),
		a.bundleCommand(), a.cleanCommand(), a.planCommand(), a.newCommand(), a.issueCommand(), a.reportCommand(), a.schemaCommand())
	root.AddCommand(a.serveCommands()...)
	root.CompletionOptions.DisableDefaultCmd = true
	return root
}

// exactArgs is cobra.ExactArgs with an error that says what is missing.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("%s wants %s, got %d: see %s --help", c.CommandPath(), what, len(args), c.CommandPath())}
		}
		return nil
	}
}
