package report

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Merge joins the runs of several machines into one, their cells in the order given. It refuses a cell that two runs
// have, and runs of different matrix.yaml files, all such faults at once. The whole is interrupted if a part is, and
// took from the first start to the last end. Evidence folders stay as they are: copy the parts' output folders into
// one, where no two cells share a folder.
func Merge(runs ...*Run) (*Run, error) {
	if len(runs) == 0 {
		return nil, errors.New("merge: no runs given")
	}
	whole := &Run{Version: Version, Status: RunComplete, MatrixDigest: runs[0].MatrixDigest, Seed: runs[0].Seed}
	var ended time.Time
	var faults []error
	from := map[CellID]int{}
	for i, r := range runs {
		if r.MatrixDigest != whole.MatrixDigest {
			faults = append(faults, fmt.Errorf("merge: run %d is of another matrix.yaml (digest %q) than run 1 (%q): plan and run all parts at one commit",
				i+1, r.MatrixDigest, whole.MatrixDigest))
		}
		for _, c := range r.Cells {
			if first, ok := from[c.ID]; ok {
				faults = append(faults, fmt.Errorf("merge: cell %s is in run %d and in run %d", c.ID, first, i+1))
				continue
			}
			from[c.ID] = i + 1
			whole.Cells = append(whole.Cells, c)
		}
		if r.Status != RunComplete {
			whole.Status = RunInterrupted
		}
		if r.Seed != whole.Seed {
			whole.Seed = 0
		}
		if whole.Started.IsZero() || !r.Started.IsZero() && r.Started.Before(whole.Started) {
			whole.Started = r.Started
		}
		if end := r.Started.Add(r.Seconds.Duration()); end.After(ended) {
			ended = end
		}
		for _, h := range r.Hosts {
			if !slices.Contains(whole.Hosts, h) {
				whole.Hosts = append(whole.Hosts, h)
			}
		}
		whole.Notes = append(whole.Notes, r.Notes...)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	whole.Seconds = elapsed(0, whole.Started, ended)
	slices.SortStableFunc(whole.Notes, func(a, b Note) int { return a.Time.Compare(b.Time) })
	return whole, nil
}
