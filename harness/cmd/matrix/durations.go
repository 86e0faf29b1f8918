package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/results"
)

// durationsFile lies beside matrix.yaml; plans are balanced by it where no runs are named.
const durationsFile = "fixtures/durations.json"

// readDurations reads runs and files of durations, the later ones counting more; without any, the file beside matrix.yaml,
// which need not be there.
func readDurations(m *matrix.Matrix, paths []string) (matrix.Durations, error) {
	if len(paths) == 0 {
		path := filepath.Join(projectDir(m), durationsFile)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		paths = []string{path}
	}
	all := matrix.Durations{}
	for _, path := range paths {
		one, err := durationsIn(path)
		if err != nil {
			return nil, unfit(fmt.Errorf("durations: %w", err))
		}
		all.Add(one)
	}
	return all, nil
}

func durationsIn(path string) (matrix.Durations, error) {
	if text, err := os.ReadFile(path); err == nil {
		var recorded matrix.Durations
		if json.Unmarshal(text, &recorded) == nil {
			return recorded, nil
		}
	}
	r, err := results.Read(path)
	if err != nil {
		return nil, err
	}
	return matrix.DurationsOf(r), nil
}

func (a *app) reportDurationsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "durations RUN…", Short: "Print how long each cell took, as matrix plan balances shards by it",
		Long:    "durations prints the seconds of each cell that came to its end; of several runs, or files of it, the last counts.",
		Example: "  matrix report durations build/runs/20261123-180000.000 >" + durationsFile,
		RunE: func(c *cobra.Command, args []string) error {
			all := matrix.Durations{}
			for _, path := range args {
				one, err := durationsIn(path)
				if err != nil {
					return unfit(err)
				}
				all.Add(one)
			}
			if len(all) == 0 {
				return usageError{errors.New("name the folder of a run in which a cell came to its end")}
			}
			return printJSON(c.OutOrStdout(), all)
		},
	}
}
