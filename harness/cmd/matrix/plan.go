package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/matrix"
)

// job is one job of a CI matrix: one entry with all its cells.
type job struct {
	Entry string `json:"entry"`
	// Key names the entry's sources by digest: a CI cache of its basedir is good as long as it stays.
	Key    string   `json:"key"`
	Suites []string `json:"suites"`
}

func (a *app) planCommand() *cobra.Command {
	var selection matrix.Selection
	var tier, format string
	c := &cobra.Command{
		Use: "plan", Short: "Print the jobs of a CI matrix", Args: exactArgs(0, "no argument"),
		Long:    "plan prints one job for each entry that the selection leaves. The format github is a line for $GITHUB_OUTPUT.",
		Example: "  matrix plan --tier pr\n  matrix plan --tier pr --format github >>\"$GITHUB_OUTPUT\"",
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := a.loadMatrix()
			if err != nil {
				return err
			}
			if tier != "" {
				if selection.Tier, err = matrix.ParseTier(tier); err != nil {
					return unfit(err)
				}
			}
			cells, err := m.Plan(selection)
			if err != nil {
				return unfit(err)
			}
			jobs := jobsOf(cells)
			switch format {
			case "json":
				return printJSON(c.OutOrStdout(), map[string]any{"include": jobs})
			case "github":
				text, err := json.Marshal(map[string]any{"include": jobs})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "matrix=%s\n", text)
				return err
			default:
				return usageError{fmt.Errorf("--format %q: want json or github", format)}
			}
		},
	}
	c.Flags().StringArrayVar(&selection.Entries, "entry", nil, "entries; may be repeated")
	c.Flags().StringArrayVar(&selection.Suites, "suite", nil, "suites; may be repeated")
	c.Flags().StringVar(&tier, "tier", "", "pr or full")
	c.Flags().StringVar(&format, "format", "json", "json or github")
	return c
}

func jobsOf(cells []matrix.Cell) []job {
	var jobs []job
	for _, c := range cells {
		i := slices.IndexFunc(jobs, func(j job) bool { return j.Entry == c.Entry.Name })
		if i < 0 {
			i = len(jobs)
			jobs = append(jobs, job{Entry: c.Entry.Name, Key: c.Entry.Digest()})
		}
		if !slices.Contains(jobs[i].Suites, c.Suite) {
			jobs[i].Suites = append(jobs[i].Suites, c.Suite)
		}
	}
	return jobs
}
