package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/run"
	"mysqlmatrix/harness/trackrecord"
)

func (a *app) issueCommand() *cobra.Command {
	var o runFlags
	var all, record bool
	c := &cobra.Command{
		Use: "issue [NAME]", Short: "Show a bug of the track record on a real server",
		Long: `issue obtains the server and the tool of a row of fixtures/track-record.yaml, runs its specs, and checks that the bug shows.
Without a name it lists the rows.

Exit codes: 0 the bug shows; 1 it does not; 2 bad usage; 3 the harness failed; 130 interrupted.`,
		Example: "  matrix issue\n  matrix issue gh-ost-set-reordered\n  matrix issue --all",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && all {
				return usageError{errors.New("matrix issue wants one NAME, or --all: see matrix issue")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			m, err := a.loadMatrix()
			if err != nil {
				return err
			}
			list, err := trackrecord.Read(trackRecord(m))
			if err != nil {
				return unfit(err)
			}
			if len(args) == 0 && !all {
				return printIssues(c.OutOrStdout(), list)
			}
			if len(args) == 1 {
				one, err := trackrecord.Find(list, args[0])
				if err != nil {
					return unfit(err)
				}
				list = []trackrecord.Issue{one}
			}
			return a.showIssues(c.Context(), c.OutOrStdout(), m, list, o, record)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all rows, one after the other")
	c.Flags().BoolVar(&record, "record", false, "write the day and the server of each row that shows into fixtures/track-record.yaml")
	o.registerRunning(c.Flags(), run.DefaultLimit)
	return c
}

func trackRecord(m *matrix.Matrix) string {
	return filepath.Join(projectDir(m), "fixtures", "track-record.yaml")
}

func printIssues(w io.Writer, list []trackrecord.Issue) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, one := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", one.Name, one.Tool, one.Entry, one.Bug)
	}
	return table.Flush()
}

// showIssues runs the specs of issues, and records those that show. It goes on after one that does not.
func (a *app) showIssues(ctx context.Context, w io.Writer, m *matrix.Matrix, list []trackrecord.Issue, o runFlags, record bool) error {
	var verdicts string
	failed := false
	for _, one := range list {
		cells, err := m.Plan(matrix.Selection{Entries: []string{one.Entry}, Suites: []string{one.Suite}, Tools: []string{one.Tool}, Tier: matrix.TierFull})
		if err != nil {
			return unfit(fmt.Errorf("issue %s: %w", one.Name, err))
		}
		each := o
		if o.out != "" {
			each.out = filepath.Join(o.out, one.Name)
		}
		result, _, err := a.runCells(ctx, w, m, cells, one.Matches(), each)
		if err != nil {
			return fmt.Errorf("issue %s: %w", one.Name, err)
		}
		text, shown := one.Shown(result)
		failed = failed || !shown
		if record && shown {
			if err := trackrecord.Record(trackRecord(m), one.Name, one.SeenIn(result)); err != nil {
				return unfit(err)
			}
		}
		verdicts += fmt.Sprintf("%s: %s\n", one.Name, text)
	}
	if _, err := fmt.Fprintf(w, "\n%s", verdicts); err != nil {
		return err
	}
	if failed {
		return codeError{exitFailed}
	}
	return nil
}
