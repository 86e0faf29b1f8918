package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/report"
)

// readRun reads the run.json of a run's folder, or the file itself. A run that was killed has none, but events.
func readRun(path string) (*report.Run, error) {
	if !strings.HasSuffix(path, ".json") {
		events := filepath.Join(path, "events.jsonl")
		if _, err := os.Stat(filepath.Join(path, "run.json")); errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(events); err == nil {
				return readKilled(events)
			}
		}
		path = filepath.Join(path, "run.json")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	defer file.Close()
	result, err := report.ReadRun(file)
	if err != nil {
		return nil, fmt.Errorf("results %s: %w", path, err)
	}
	return result, nil
}

// readKilled folds what a killed run had written; a last line that was cut off is lost.
func readKilled(path string) (*report.Run, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	defer file.Close()
	events, err := report.ReadEvents(file)
	var line *report.LineError
	if err != nil && !(errors.As(err, &line) && line.Truncated) {
		return nil, fmt.Errorf("results %s: %w", path, err)
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("results %s: no events", path)
	}
	return report.Fold(events), nil
}

// folderOf is the folder of a run that is named by it or by its run.json.
func folderOf(path string) string {
	if strings.HasSuffix(path, ".json") {
		return filepath.Dir(path)
	}
	return path
}

// failure is what RUN/ID names.
type failure struct {
	folder string
	run    *report.Run
	cell   *report.Cell
	spec   string // empty for the cell as a whole
	*report.Outcome
}

// findFailure finds what RUN/ID names; an error lists what the run has.
func findFailure(ref string) (*failure, error) {
	folder, id := filepath.Split(strings.TrimRight(ref, "/"))
	if folder == "" {
		return nil, unfit(fmt.Errorf("%q: want RUN/ID, the folder of a run and the id of a failure in it", ref))
	}
	folder = filepath.Clean(folder)
	run, err := readRun(folder)
	if err != nil {
		return nil, unfit(err)
	}
	var there []string
	for i := range run.Cells {
		c := &run.Cells[i]
		for j := range c.Specs {
			s := &c.Specs[j]
			if s.Failure == "" {
				continue
			}
			if s.Failure == id {
				return &failure{folder, run, c, s.Text, &s.Outcome}, nil
			}
			there = append(there, s.Failure+"  "+report.OneLine(c.ID.String())+"  "+report.OneLine(s.Text))
		}
		if c.Failure != "" {
			if c.Failure == id {
				return &failure{folder, run, c, "", &c.Outcome}, nil
			}
			there = append(there, c.Failure+"  "+report.OneLine(c.ID.String()))
		}
	}
	if len(there) == 0 {
		return nil, unfit(fmt.Errorf("%s has no failure %q, and no other", folder, id))
	}
	const shown = 20
	more := ""
	if len(there) > shown {
		more = fmt.Sprintf("\n  and %d more", len(there)-shown)
		there = there[:shown]
	}
	return nil, unfit(fmt.Errorf("%s has no failure %q; it has\n  %s%s", folder, id, strings.Join(there, "\n  "), more))
}

// toolFlag is the --tool argument that chooses a cell's tool, for runs that did not record it as well.
func toolFlag(c *report.Cell) string {
	if c.ToolFlag != "" {
		return c.ToolFlag
	}
	return strings.Replace(c.ID.Tool, "@", "=", 1)
}
