package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/devtopology"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
	"mysqlmatrix/harness/run"
)

func (a *app) reproCommand() *cobra.Command {
	var o runFlags
	var shell bool
	c := &cobra.Command{
		Use: "repro RUN/ID", Short: "Run one failed spec again: same server, topology, options, tool and seed", Args: exactArgs(1, "RUN/ID"),
		Long: `repro runs just the spec that failed, with its seed and time limit. RUN is the folder of a run, ID stands with
each failure. With --shell its servers are left as they were when it failed: matrix status and matrix use then lead to them.`,
		Example: "  matrix repro build/runs/20261123-180000.000/25d71237\n  matrix repro out/25d71237 --shell && matrix use primary",
		RunE: func(c *cobra.Command, args []string) error {
			f, err := results.FindFailure(args[0])
			if err != nil {
				return unfit(err)
			}
			o.keep = shell
			return a.repro(c.Context(), c.OutOrStdout(), f, o)
		},
	}
	c.Flags().BoolVar(&shell, "shell", false, "leave the servers up at the point of failure")
	o.registerRunning(c.Flags(), 0)
	return c
}

// baselineOf is the --baseline by which a failure's cell was judged; a run of before there was one had none.
func baselineOf(c *report.Cell) string {
	if c.ID.Version != report.LocalVersion {
		return ""
	}
	return cmp.Or(c.Baseline, matrix.NoBaseline)
}

// again plans a failure's cell anew, on the terms of its run, with the focus that leaves its spec alone.
func (a *app) again(f *results.Failure, o *runFlags) (*matrix.Matrix, []matrix.Cell, *regexp.Regexp, error) {
	m, err := a.loadMatrix()
	if err != nil {
		return nil, nil, nil, err
	}
	cells, err := m.Plan(matrix.Selection{Entries: []string{f.Cell.ID.Entry}, Suites: []string{f.Cell.ID.Suite}, Tools: []string{f.ToolFlag()}, Baseline: baselineOf(f.Cell)})
	if err != nil {
		return nil, nil, nil, unfit(fmt.Errorf("%s cannot be planned any more: %w", f.Cell.ID, err))
	}
	o.seed, o.limit = f.Cell.Seed, cmp.Or(o.limit, f.Cell.Limit.Duration(), run.DefaultLimit)
	o.checksum, o.trust = f.Cell.Checksum, f.Cell.TrustFirstUse
	if err := proc.Vary(append(slices.Clone(f.Cell.Env), proc.Varied()...)); err != nil {
		return nil, nil, nil, unfit(err)
	}
	if err := o.trustCells(cells); err != nil {
		return nil, nil, nil, err
	}
	if f.Run.MatrixDigest != "" && m.Digest != f.Run.MatrixDigest {
		logLine("matrix.yaml or a file of known failures has changed since that run: its declarations and sources may differ")
	}
	if f.Spec == "" {
		return m, cells, nil, nil
	}
	return m, cells, regexp.MustCompile("^" + regexp.QuoteMeta(f.Spec) + "$"), nil
}

func (a *app) repro(ctx context.Context, w io.Writer, f *results.Failure, o runFlags) error {
	m, cells, focus, err := a.again(f, &o)
	if err != nil {
		return err
	}
	result, _, err := a.runCells(ctx, w, m, cells, focus, o)
	if err != nil && (ctx.Err() == nil || result == nil) {
		return err
	}
	now := result.VerdictOf(f.Cell.ID, f.Spec)
	fmt.Fprintf(w, "\nthen %s, now %s: %s\n", f.Verdict, now, whatOf(now))
	if o.keep {
		if err := a.printLeft(ctx, w, f); err != nil {
			return err
		}
	}
	if code := report.ExitCode(result, report.ExitRules{Strict: true}); code != 0 {
		return codeError{code}
	}
	return nil
}

// whatOf says what it means that a failure's spec ended so when it ran once more.
func whatOf(now report.Verdict) string {
	switch {
	case now.Broken():
		return "it failed again"
	case now == report.VerdictUnknown || now == report.VerdictUnavailable || now == report.VerdictUnsupported:
		return "that tells nothing"
	}
	return "it did not fail again"
}

// printLeft prints the servers that a failure's spec has left up.
func (a *app) printLeft(ctx context.Context, w io.Writer, f *results.Failure) error {
	store, err := a.store(ctx)
	if err != nil {
		return err
	}
	list, err := store.List()
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(one devtopology.Topology) bool { return !strings.HasPrefix(one.Why, f.Cell.ID.String()+" "+f.Spec) })
	if len(list) == 0 {
		return errors.New("its servers are not up: only those of a spec that fails are left")
	}
	for _, one := range list {
		if err := printTopology(w, one); err != nil {
			return err
		}
	}
	return nil
}
