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
// which need not be there. One that cannot be read is told, and the others are used: they only balance.
func readDurations(m *matrix.Matrix, paths []string) (matrix.Durations, error) {
	if len(paths) == 0 {
		path := filepath.Join(projectDir(m), durationsFile)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		paths = []string{path}
	}
	all, lost := allDurations(paths)
	if len(lost) == len(paths) {
		return nil, unfit(fmt.Errorf("durations: %w", errors.Join(lost...)))
	}
	for _, err := range lost {
		logLine("durations: without those of " + err.Error())
	}
	return all, nil
}

// allDurations joins those that can be read, and says why the others cannot.
func allDurations(paths []string) (all matrix.Durations, lost []error) {
	all = matrix.Durations{}
	for _, path := range paths {
		one, err := durationsIn(path)
		if err != nil {
			lost = append(lost, err)
			continue
		}
		all.Add(one)
	}
	return all, lost
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
			all, lost := allDurations(args)
			if len(all) == 0 {
				return unfit(errors.Join(append(lost, errors.New("name the folder of a run in which a cell came to its end"))...))
			}
			return errors.Join(append(lost, printJSON(c.OutOrStdout(), all))...)
		},
	}
}
