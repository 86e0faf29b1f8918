package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"mysqlmatrix/harness/matrix"
)

func (a *app) planCommand() *cobra.Command {
	var selection matrix.Selection
	var tier, format string
	var shards int
	var runs []string
	c := &cobra.Command{
		Use: "plan", Short: "Print the jobs of a CI matrix", Args: exactArgs(0, "no argument"),
		Long: `plan prints one job for each entry that the selection leaves, or as many as --shards says, balanced by how long
their cells took: in the runs that --durations names, or as fixtures/durations.json beside matrix.yaml has it. A cell of
which nothing is recorded is taken for the median of the same suite and tool on other entries. github is a line for
$GITHUB_OUTPUT, gitlab a child pipeline. A plan of more jobs than GitHub runs is refused.`,
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
			recorded, err := readDurations(m, runs)
			if err != nil {
				return err
			}
			jobs, err := matrix.Jobs(cells, shards, recorded.Expected)
			if err != nil {
				return unfit(err)
			}
			return printPlan(c.OutOrStdout(), jobs, selection.Tier, format)
		},
	}
	f := c.Flags()
	namesVar(f, &selection.Entries, "entry", nil, "entries, parted by commas or repeated")
	namesVar(f, &selection.Suites, "suite", nil, "suites, parted by commas or repeated")
	namesVar(f, &selection.Tools, "tool", nil, "tools, parted by commas or repeated: tool=version or tool=/path")
	f.StringVar(&tier, "tier", "", "pr or full")
	f.StringVar(&format, "format", "json", "json, github or gitlab")
	f.IntVar(&shards, "shards", 0, "how many jobs; 0 is one for each entry")
	f.StringArrayVar(&runs, "durations", nil, "a run, or a file that report durations wrote, by which to balance; may be repeated, later ones count more")
	return c
}

// ciJob is a job as CI services get it: texts that an environment variable holds.
type ciJob struct {
	Name    string `json:"name"`
	Key     string `json:"key"`
	Entries string `json:"entries"` // parted by blanks
	Cells   string `json:"cells"`   // likewise
}

func printPlan(w io.Writer, jobs []matrix.Job, tier matrix.Tier, format string) error {
	var list []ciJob
	for _, j := range jobs {
		list = append(list, ciJob{j.Name, j.Key, strings.Join(j.Entries, " "), strings.Join(j.Cells, " ")})
	}
	switch format {
	case "json":
		return printJSON(w, map[string]any{"include": jobs})
	case "github":
		text, err := include(list)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "matrix=%s\n", text)
		return err
	case "gitlab":
		return printGitLab(w, list, cmp.Or(tier, matrix.TierFull))
	}
	return usageError{fmt.Errorf("--format %q: want json, github or gitlab", format)}
}

// include is the plan as report merge --plan takes it, and GitHub as a matrix.
func include(jobs []ciJob) (string, error) {
	text, err := json.Marshal(map[string]any{"include": jobs})
	return string(text), err
}

// printGitLab prints a child pipeline: one job for each of the plan, which extends .entry of .gitlab/entry.yml, and the
// plan itself for the gate there.
func printGitLab(w io.Writer, jobs []ciJob, tier matrix.Tier) error {
	plan, err := include(jobs)
	if err != nil {
		return err
	}
	pipeline := map[string]any{
		"include":   []map[string]string{{"local": ".gitlab/entry.yml"}},
		"variables": map[string]string{"MATRIX_TIER": string(tier)},
		"gate":      map[string]any{"variables": map[string]string{"MATRIX_PLAN": plan}},
	}
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
