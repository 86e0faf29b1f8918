package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

func (a *app) planCommand() *cobra.Command {
	var selection matrix.Selection
	var tier, format string
	var shards int
	var durations []string
	c := &cobra.Command{
		Use: "plan", Short: "Print the jobs of a CI matrix", Args: exactArgs(0, "no argument"),
		Long: `plan prints one job for each entry that the selection leaves, or as many as --shards says, balanced by how long
their cells took in the runs that --durations names. github is a line for $GITHUB_OUTPUT, gitlab a child pipeline.
A plan of more jobs than GitHub runs is refused.`,
		Example: `  matrix plan --tier pr
  matrix plan --tier pr --format github >>"$GITHUB_OUTPUT"
  matrix plan --shards 4 --durations build/runs/last --format gitlab >pipeline.yml`,
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
			expected, err := expectedSeconds(durations)
			if err != nil {
				return err
			}
			jobs, err := matrix.Jobs(cells, shards, expected)
			if err != nil {
				return unfit(err)
			}
			return printPlan(c.OutOrStdout(), jobs, format)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&selection.Entries, "entry", nil, "entries; may be repeated")
	f.StringArrayVar(&selection.Suites, "suite", nil, "suites; may be repeated")
	f.StringArrayVar(&selection.Tools, "tool", nil, "tool=version or tool=/path; may be repeated")
	f.StringVar(&tier, "tier", "", "pr or full")
	f.StringVar(&format, "format", "json", "json, github or gitlab")
	f.IntVar(&shards, "shards", 0, "how many jobs; 0 is one for each entry")
	f.StringArrayVar(&durations, "durations", nil, "a run by which to balance; may be repeated, later ones count more")
	return c
}

// guess is how long a cell takes of which nothing at all is known, in seconds.
const guess = 60

// expectedSeconds says how long a cell will take: as it did in the last of the runs, else as the same suite and tool did
// on other entries, else as the mean of all.
func expectedSeconds(paths []string) (func(matrix.Cell) float64, error) {
	exact := map[report.CellID]float64{}
	for _, path := range paths {
		r, err := readRun(path)
		if err != nil {
			return nil, unfit(err)
		}
		for i := range r.Cells {
			if c := &r.Cells[i]; c.State == report.StateFinished {
				exact[c.ID] = float64(c.Seconds)
			}
		}
	}
	return func(c matrix.Cell) float64 {
		if seconds, ok := exact[c.ID()]; ok {
			return seconds
		}
		alike, n, all := 0.0, 0, 0.0
		for id, seconds := range exact {
			all += seconds
			if id.Suite == c.Suite && strings.HasPrefix(id.Tool, c.Tool.Name+"@") {
				alike, n = alike+seconds, n+1
			}
		}
		switch {
		case n > 0:
			return alike / float64(n)
		case len(exact) > 0:
			return all / float64(len(exact))
		}
		return guess
	}, nil
}

// ciJob is a job as CI services get it: texts that an environment variable holds.
type ciJob struct {
	Name    string `json:"name"`
	Key     string `json:"key"`
	Entries string `json:"entries"` // parted by blanks
	Cells   string `json:"cells"`   // likewise
}

func printPlan(w io.Writer, jobs []matrix.Job, format string) error {
	var list []ciJob
	for _, j := range jobs {
		list = append(list, ciJob{j.Name, j.Key, strings.Join(j.Entries, " "), strings.Join(j.Cells, " ")})
	}
	switch format {
	case "json":
		return printJSON(w, map[string]any{"include": jobs})
	case "github":
		text, err := json.Marshal(map[string]any{"include": list})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "matrix=%s\n", text)
		return err
	case "gitlab":
		return printGitLab(w, list)
	}
	return usageError{fmt.Errorf("--format %q: want json, github or gitlab", format)}
}

// printGitLab prints a child pipeline: one job for each of the plan, which extends .entry of .gitlab/entry.yml.
func printGitLab(w io.Writer, jobs []ciJob) error {
	pipeline := map[string]any{"include": []map[string]string{{"local": ".gitlab/entry.yml"}}}
	for _, j := range jobs {
		pipeline["matrix "+j.Name] = map[string]any{"extends": ".entry",
			"variables": map[string]string{"MATRIX_NAME": j.Name, "MATRIX_KEY": j.Key, "MATRIX_ENTRIES": j.Entries, "MATRIX_CELLS": j.Cells}}
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(pipeline); err != nil {
		return err
	}
	return encoder.Close()
}
