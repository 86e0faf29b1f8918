// Package results reads and writes the folder of a run: its events, run.json, the page and the other reports, and the
// evidence of its failures.
package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/report"
)

// The names of the files in a run's folder.
const (
	runFile      = "run.json"
	eventsFile   = "events.jsonl"
	junitFile    = "junit.xml"
	summaryFile  = "summary.md"
	pageFile     = "page.html"
	evidencePath = "evidence"
)

// Read reads the run.json of a run's folder, or the file itself. A run that was killed has none, but events.
func Read(path string) (*report.Run, error) {
	if !strings.HasSuffix(path, ".json") {
		events := filepath.Join(path, eventsFile)
		if _, err := os.Stat(filepath.Join(path, runFile)); errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(events); err == nil {
				return readKilled(events)
			}
		}
		folder := path
		if _, err := os.Stat(folder); err != nil {
			return nil, fmt.Errorf("results: %w", err)
		}
		path = filepath.Join(folder, runFile)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("results: %s holds no run, neither %s nor %s: %w: name the folder that a run's last line names",
				folder, runFile, eventsFile, fs.ErrNotExist)
		}
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

// Folder is the folder of a run that is named by it or by its run.json.
func Folder(path string) string {
	if strings.HasSuffix(path, ".json") {
		return filepath.Dir(path)
	}
	return path
}
