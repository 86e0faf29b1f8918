package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/attribution"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/run"
)

func (a *app) bisectCommand() *cobra.Command {
	var o runFlags
	c := &cobra.Command{
		Use: "bisect SPEC --entries PATTERN", Short: "Find the first server version where a spec's verdict changes", Args: exactArgs(1, "a regular expression on specs"),
		Long: `bisect runs the specs that SPEC matches on as few of the entries as it takes, in the order of their versions, and says
on which one they first end otherwise. Entries that cannot be obtained are stepped over. All must be of one vendor.`,
		Example: "  matrix bisect 'gh-ost allow-on-master: changes' --entries 'mariadb-*'\n  matrix bisect 'semi-sync' --entries 'mysql-*' --suite failover",
		RunE: func(c *cobra.Command, args []string) error {
			o.focus = args[0]
			return a.bisect(c.Context(), c.OutOrStdout(), o)
		},
	}
	namesVar(c.Flags(), &o.selection.Entries, "entries", nil, "entries: names or patterns, parted by commas")
	namesVar(c.Flags(), &o.selection.Suites, "suite", nil, "suites, parted by commas")
	namesVar(c.Flags(), &o.selection.Tools, "tool", nil, "tool=version or tool=/path; the default is each tool's first")
	c.Flags().Int64Var(&o.seed, "seed", 1, "seed of random workloads, the same on every entry")
	c.Flags().BoolVar(&o.trust, "trust-first-use", false, "take releases that matrix.yaml does not list unverified, and record their SHA-256 in basedirs.lock")
	o.registerRunning(c.Flags(), run.DefaultLimit)
	return c
}

func (a *app) bisect(ctx context.Context, w io.Writer, o runFlags) error {
	m, err := a.loadMatrix()
	if err != nil {
		return err
	}
	focus, err := compileFocus(o.focus)
	if err != nil {
		return err
	}
	o.selection.Tier = matrix.TierFull
	cells, err := m.Plan(o.selection)
	if err != nil {
		return unfit(err)
	}
	if err := o.trustCells(cells); err != nil {
		return err
	}
	series, err := attribution.InSeries(cells)
	if err != nil {
		return unfit(fmt.Errorf("%w: choose one vendor, such as --entries 'mysql-*'", err))
	}
	out, err := a.outDir(o.out, o.force, m)
	if err != nil {
		return err
	}
	change, err := attribution.Bisect(ctx, len(series), func(ctx context.Context, i int) (report.Verdict, error) {
		probe := o
		probe.out = filepath.Join(out, series[i].Entry.Name)
		v, said, err := a.probe(ctx, m, series[i], focus, probe)
		if err == nil {
			fmt.Fprintf(w, "%s %s: %s\n", v.Mark(false), series[i].Entry.Name, said)
		}
		return v, err
	})
	var none *attribution.NoChangeError
	if errors.As(err, &none) {
		fmt.Fprintln(w, none)
		return codeError{report.ExitFailed}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nit changes on %s: %s there, %s on %s\n", series[change.First].Entry.Name, change.New, change.Old, series[change.Before].Entry.Name)
	for _, i := range change.Skipped {
		fmt.Fprintf(w, "  %s is between them and tells nothing: the change may be there\n", series[i].Entry.Name)
	}
	return nil
}

// probe runs the cells of one entry, and returns the verdict of their specs and what to print of it.
func (a *app) probe(ctx context.Context, m *matrix.Matrix, s attribution.Step, focus *regexp.Regexp, o runFlags) (report.Verdict, string, error) {
	result, _, err := a.runCells(ctx, io.Discard, m, s.Cells, focus, o)
	if errors.Is(err, run.ErrNoSpecs) {
		return report.VerdictUnsupported, "no spec that matches", nil
	}
	if err != nil {
		return report.VerdictUnknown, "", err
	}
	v := result.Worst()
	return v, v.String(), ctx.Err()
}
