package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/bundle"
	"mysqlmatrix/harness/results"
)

func (a *app) bundleCommand() *cobra.Command {
	var out string
	var logs int64
	c := &cobra.Command{
		Use: "bundle RUN/ID", Short: "Pack what a bug report wants: configurations, logs, binary logs, versions, commands", Args: exactArgs(1, "RUN/ID"),
		Long: `bundle packs a failure's evidence without passwords into a .tar.gz. Binary logs are in it when the run kept data
directories (matrix run --keep-failed), the newest first, up to --binlogs.`,
		Example: "  matrix bundle build/runs/20261123-180000.000/25d71237\n  matrix bundle out/25d71237 --out report.tar.gz --binlogs 64",
		RunE: func(c *cobra.Command, args []string) error {
			f, err := results.FindFailure(args[0])
			if err != nil {
				return unfit(err)
			}
			if out == "" {
				out = "matrix-" + f.Failure + ".tar.gz"
			}
			what := bundle.Failure{Run: f.Run, Cell: f.Cell, Spec: f.Spec, Outcome: f.Outcome}
			if f.Evidence != "" {
				what.Folders = append(what.Folders, f.Evidence)
			}
			for _, attempt := range f.Attempts {
				if attempt.Evidence != "" && attempt.Evidence != f.Evidence {
					what.Folders = append(what.Folders, attempt.Evidence)
				}
			}
			const textLimit = 4 << 20
			if err := results.WriteFile(out, func(w io.Writer) error {
				return bundle.Pack(w, f.Folder, what, bundle.Limits{BinaryLogs: logs << 20, Text: textLimit})
			}); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), out)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "file (default: matrix-ID.tar.gz)")
	c.Flags().Int64Var(&logs, "binlogs", 32, "how many MiB of binary logs to pack")
	return c
}
