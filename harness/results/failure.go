package results

import (
	"fmt"
	"path/filepath"
	"strings"

	"mysqlmatrix/harness/report"
)

// Failure is one failure of a run.
type Failure struct {
	Folder string
	Run    *report.Run
	Cell   *report.Cell
	Spec   string // empty for the cell as a whole
	*report.Outcome
}

// failuresShown bounds the list in the error of FindFailure.
const failuresShown = 20

// FindFailure finds what RUN/ID names; an error lists what the run has.
func FindFailure(ref string) (*Failure, error) {
	folder, id := filepath.Split(strings.TrimRight(ref, "/"))
	if folder == "" {
		return nil, fmt.Errorf("%q: want RUN/ID, the folder of a run and the id of a failure in it", ref)
	}
	folder = filepath.Clean(folder)
	run, err := Read(folder)
	if err != nil {
		return nil, err
	}
	var there []string
	for _, f := range failuresOf(folder, run) {
		if f.Failure == id {
			return &f, nil
		}
		there = append(there, f.Failure+"  "+strings.TrimSpace(report.OneLine(f.Cell.ID.String())+"  "+report.OneLine(f.Spec)))
	}
	if len(there) == 0 {
		return nil, fmt.Errorf("%s has no failure %q, and no other", folder, id)
	}
	more := ""
	if len(there) > failuresShown {
		more = fmt.Sprintf("\n  and %d more", len(there)-failuresShown)
		there = there[:failuresShown]
	}
	return nil, fmt.Errorf("%s has no failure %q; it has\n  %s%s", folder, id, strings.Join(there, "\n  "), more)
}

// failuresOf are the failures of a run that have an id: those of specs before that of their cell.
func failuresOf(folder string, run *report.Run) []Failure {
	var all []Failure
	for i := range run.Cells {
		c := &run.Cells[i]
		for j := range c.Specs {
			if s := &c.Specs[j]; s.Failure != "" {
				all = append(all, Failure{folder, run, c, s.Text, &s.Outcome})
			}
		}
		if c.Failure != "" {
			all = append(all, Failure{folder, run, c, "", &c.Outcome})
		}
	}
	return all
}

// ToolFlag is the --tool argument that chooses the tool of the failure's cell, for runs that did not record it as well.
func (f *Failure) ToolFlag() string {
	if f.Cell.ToolFlag != "" {
		return f.Cell.ToolFlag
	}
	return f.Cell.ID.Tool + "=" + f.Cell.ID.Version
}
