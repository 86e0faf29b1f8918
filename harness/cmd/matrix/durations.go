package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

// durationsFile lies beside matrix.yaml; plans are balanced by it where no runs are named.
const durationsFile = "fixtures/durations.json"

// guess is how long a cell takes of whose like nothing is known, in seconds.
const guess = 60

// durations are how long cells took, in seconds, by their names: entry/suite/tool@version.
type durations map[string]float64

// expected says how long a cell will take: as recorded; else the median of the same suite and tool on other entries, of the
// same version where that was recorded; else guess.
func (d durations) expected(c matrix.Cell) float64 {
	if seconds, ok := d[c.ID().String()]; ok {
		return seconds
	}
	version := "/" + c.Suite + "/" + c.ID().Tool
	tool, _, _ := strings.Cut(version, "@")
	for _, alike := range []func(string) bool{
		func(name string) bool { return strings.HasSuffix(name, version) },
		func(name string) bool { return strings.Contains(name, tool+"@") },
	} {
		var like []float64
		for name, seconds := range d {
			if alike(name) {
				like = append(like, seconds)
			}
		}
		if len(like) > 0 {
			slices.Sort(like)
			return like[len(like)/2]
		}
	}
	return guess
}

// readDurations reads runs and files of durations, the later ones counting more; without any, the file beside matrix.yaml,
// which need not be there.
func readDurations(m *matrix.Matrix, paths []string) (durations, error) {
	if len(paths) == 0 {
		path := filepath.Join(projectDir(m), durationsFile)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		paths = []string{path}
	}
	all := durations{}
	for _, path := range paths {
		one, err := durationsIn(path)
		if err != nil {
			return nil, unfit(fmt.Errorf("durations: %w", err))
		}
		maps.Copy(all, one)
	}
	return all, nil
}

func durationsIn(path string) (durations, error) {
	if text, err := os.ReadFile(path); err == nil {
		var recorded durations
		if json.Unmarshal(text, &recorded) == nil {
			return recorded, nil
		}
	}
	r, err := readRun(path)
	if err != nil {
		return nil, err
	}
	return durationsOf(r), nil
}

// durationsOf are those of a run's cells that came to their end; one that was unavailable would be no measure.
func durationsOf(r *report.Run) durations {
	d := durations{}
	for i := range r.Cells {
		if c := &r.Cells[i]; c.State == report.StateFinished && c.Verdict != report.VerdictErrored && len(c.Specs) > 0 {
			d[c.ID.String()] = math.Ceil(float64(c.Seconds))
		}
	}
	return d
}

func (a *app) reportDurationsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "durations RUN…", Short: "Print how long each cell took, as matrix plan balances shards by it",
		Long:    "durations prints the seconds of each cell that came to its end; of several runs, or files of it, the last counts.",
		Example: "  matrix report durations build/runs/20261123-180000.000 >" + durationsFile,
		RunE: func(c *cobra.Command, args []string) error {
			all := durations{}
			for _, path := range args {
				one, err := durationsIn(path)
				if err != nil {
					return unfit(err)
				}
				maps.Copy(all, one)
			}
			if len(all) == 0 {
				return usageError{errors.New("name the folder of a run in which a cell came to its end")}
			}
			return printJSON(c.OutOrStdout(), all)
		},
	}
}
