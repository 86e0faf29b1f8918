package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

func (a *app) reproCommand() *cobra.Command {
	var o runFlags
	var shell bool
	c := &cobra.Command{
		Use: "repro RUN/ID", Short: "Run one failed spec again: same server, topology, options, tool and seed", Args: exactArgs(1, "RUN/ID"),
		Long: `repro runs just the spec that failed, with its seed. RUN is the folder of a run, ID stands with each failure.
With --shell its servers are left as they were when it failed: matrix status and matrix use then lead to them.`,
		Example: "  matrix repro build/runs/20261123-180000.000/25d71237\n  matrix repro out/25d71237 --shell && matrix use primary",
		RunE: func(c *cobra.Command, args []string) error {
			f, err := findFailure(args[0])
			if err != nil {
				return err
			}
			o.keep = shell
			return a.repro(c.Context(), c.OutOrStdout(), f, o)
		},
	}
	c.Flags().BoolVar(&shell, "shell", false, "leave the servers up at the point of failure")
	o.registerRunning(c.Flags())
	return c
}

// again plans a failure's cell anew, with the focus that leaves its spec alone.
func (a *app) again(f *failure) (*matrix.Matrix, []matrix.Cell, *regexp.Regexp, error) {
	m, err := a.loadMatrix()
	if err != nil {
		return nil, nil, nil, err
	}
	cells, err := m.Plan(matrix.Selection{Entries: []string{f.cell.ID.Entry}, Suites: []string{f.cell.ID.Suite}, Tools: []string{toolFlag(f.cell)}})
	if err != nil {
		return nil, nil, nil, unfit(fmt.Errorf("%s cannot be planned any more: %w", f.cell.ID, err))
	}
	if sum, err := digest(m.Path); err == nil && f.run.MatrixDigest != "" && sum != f.run.MatrixDigest {
		logLine("matrix.yaml has changed since that run: what it declares and where servers come from may differ")
	}
	if f.spec == "" {
		return m, cells, nil, nil
	}
	return m, cells, regexp.MustCompile("^" + regexp.QuoteMeta(f.spec) + "$"), nil
}

func (a *app) repro(ctx context.Context, w io.Writer, f *failure, o runFlags) error {
	m, cells, focus, err := a.again(f)
	if err != nil {
		return err
	}
	o.seed = f.cell.Seed
	result, _, err := a.runCells(ctx, w, m, cells, focus, o)
	if err != nil && (ctx.Err() == nil || result == nil) {
		return err
	}
	now := verdictOf(result, f.spec)
	word := "it did not fail again"
	if now.Broken() {
		word = "it failed again"
	}
	fmt.Fprintf(w, "\nthen %s, now %s: %s\n", f.Verdict, now, word)
	if o.keep {
		if err := a.printLabs(ctx, w); err != nil {
			return err
		}
	}
	if code := report.ExitCode(result, report.ExitRules{Strict: true}); code != 0 {
		return codeError{code}
	}
	return nil
}

// verdictOf is how a spec of a run's only cell ended, or the cell itself.
func verdictOf(run *report.Run, spec string) report.Verdict {
	if len(run.Cells) == 0 {
		return report.VerdictUnknown
	}
	c := &run.Cells[0]
	for i := range c.Specs {
		if c.Specs[i].Text == spec {
			return c.Specs[i].Verdict
		}
	}
	return c.Verdict
}

func (a *app) printLabs(ctx context.Context, w io.Writer) error {
	labs, err := a.labs(ctx)
	if err != nil {
		return err
	}
	list, err := labs.List()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("its servers are not up: only those of a spec that fails are left")
	}
	for _, one := range list {
		if err := printLab(w, one); err != nil {
			return err
		}
	}
	return nil
}

// probeLimit is the time limit of one spec where no flag gives it.
const probeLimit = 5 * time.Minute
