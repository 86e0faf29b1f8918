package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/attribution"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
)

func (a *app) attributeCommand() *cobra.Command {
	var o runFlags
	c := &cobra.Command{
		Use: "attribute RUN/ID", Short: "Find whose fault a failure is: the tool's version or the server's", Args: exactArgs(1, "RUN/ID"),
		Long: `attribute runs the failed spec again, with the neighbouring version of the tool on the same server, and with the same
tool on the neighbouring server version, and says which of the two changes the verdict. The finding is kept in the run's
folder, and its page shows it.`,
		Example: "  matrix attribute build/runs/20261123-180000.000/25d71237",
		RunE: func(c *cobra.Command, args []string) error {
			f, err := results.FindFailure(args[0])
			if err != nil {
				return unfit(err)
			}
			return a.attribute(c.Context(), c.OutOrStdout(), f, o)
		},
	}
	o.registerRunning(c.Flags(), 0)
	return c
}

func (a *app) attribute(ctx context.Context, w io.Writer, f *results.Failure, o runFlags) error {
	m, cells, focus, err := a.again(f, &o)
	if err != nil {
		return err
	}
	obtainable, err := a.obtainable(ctx, m)
	if err != nil {
		return err
	}
	n := attribution.Find(m, cells[0], obtainable)
	for _, neighbour := range []*matrix.Cell{n.Tool, n.Server} {
		if neighbour != nil {
			cells = append(cells, *neighbour)
		}
	}
	result, _, err := a.runCells(ctx, w, m, cells, focus, o)
	if err != nil {
		return err
	}
	finding := func(c *matrix.Cell) *attribution.Finding {
		if c == nil {
			return nil
		}
		return &attribution.Finding{Cell: c.ID(), Verdict: result.VerdictOf(c.ID(), f.Spec)}
	}
	conclusion := attribution.Conclude(*finding(&cells[0]), finding(n.Tool), finding(n.Server))
	fmt.Fprintf(w, "\n%s  %s\nwhose fault: %s\n", f.Cell.ID, report.OneLine(f.Spec), conclusion)
	return results.KeepAttribution(f, conclusion)
}

// obtainable asks which entries are available here, each only once.
func (a *app) obtainable(ctx context.Context, m *matrix.Matrix) (func(matrix.Entry) bool, error) {
	cache, err := a.openCache(ctx)
	if err != nil {
		return nil, err
	}
	store := a.basedirs(cache, m)
	return func(e matrix.Entry) bool {
		if _, cached := store.Cached(e); cached {
			return true
		}
		_, err := store.Obtainable(ctx, e)
		return err == nil
	}, nil
}
