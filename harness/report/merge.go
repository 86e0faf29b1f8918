package report

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Part is one of the runs that are merged, by the name that its faults are told under.
type Part struct {
	Name string
	Run  *Run
}

// Expect adds an errored cell unless the run has it.
func (r *Run) Expect(id CellID, why string) {
	if slices.ContainsFunc(r.Cells, func(c Cell) bool { return c.ID == id }) {
		return
	}
	c := Cell{ID: id, Outcome: Outcome{State: StateFinished, Verdict: VerdictErrored, Error: why}}
	c.name(id, "")
	r.Cells = append(r.Cells, c)
}

// Merge joins the runs of several machines into one, their cells in the order given. It refuses a cell that two runs
// have, and runs of different matrix.yaml files, all such faults at once. The whole is interrupted if a part is, and
// took from the first start to the last end. Evidence folders stay as they are: copy the parts' output folders into
// one, where no two cells share a folder.
func Merge(parts ...Part) (*Run, error) {
	if len(parts) == 0 {
		return nil, errors.New("merge: no runs given")
	}
	whole := &Run{Version: Version, Status: RunComplete, MatrixDigest: parts[0].Run.MatrixDigest, Seed: parts[0].Run.Seed, Tier: parts[0].Run.Tier}
	var ended time.Time
	var faults []error
	var focuses []string
	from := map[CellID]string{}
	for _, p := range parts {
		r := p.Run
		if r.MatrixDigest != whole.MatrixDigest {
			faults = append(faults, fmt.Errorf("merge: %s is of another matrix.yaml (digest %q) than %s (%q): plan and run all parts at one commit",
				p.Name, r.MatrixDigest, parts[0].Name, whole.MatrixDigest))
		}
		for _, c := range r.Cells {
			if first, ok := from[c.ID]; ok {
				faults = append(faults, fmt.Errorf("merge: cell %s is in %s and in %s", c.ID, first, p.Name))
				continue
			}
			from[c.ID] = p.Name
			whole.Cells = append(whole.Cells, c)
		}
		if r.Status != RunComplete {
			whole.Status = RunInterrupted
		}
		if r.Seed != whole.Seed {
			whole.Seed = 0
		}
		if r.Tier != whole.Tier {
			whole.Tier = ""
		}
		if r.Focus != "" && !slices.Contains(focuses, r.Focus) {
			focuses = append(focuses, r.Focus)
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
		whole.Declarations = addDeclarations(whole.Declarations, r.Declarations)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	whole.Focus = strings.Join(focuses, "|")
	whole.Seconds = elapsed(0, whole.Started, ended)
	slices.SortStableFunc(whole.Notes, func(a, b Note) int { return a.Time.Compare(b.Time) })
	return whole, nil
}
