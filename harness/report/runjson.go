package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes run.json: the whole Run, indented, in the form that doc.go describes.
func WriteJSON(w io.Writer, run *Run) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(run); err != nil {
		return fmt.Errorf("write run.json: %w", err)
	}
	return nil
}

// ReadRun reads what WriteJSON wrote. A file of a newer version is refused with a *VersionError.
func ReadRun(r io.Reader) (*Run, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read run.json: %w", err)
	}
	data = bytes.TrimSpace(data) // so that a file that was cut off ends unexpectedly, and in nothing else
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("read run.json: %w", err)
	}
	if err := checkVersion(head.Version); err != nil {
		return nil, fmt.Errorf("read run.json: %w", err)
	}
	var run Run
	if err := json.Unmarshal(data, &run); err != nil {
		return nil, fmt.Errorf("read run.json: %w", err)
	}
	if err := run.validate(); err != nil {
		return nil, fmt.Errorf("read run.json: %w", err)
	}
	run.nameAll()
	run.Version = Version // its cells were read into this version's form
	return &run, nil
}

// nameAll gives their ids to failures of a file that was written before there were ids.
func (r *Run) nameAll() {
	for i := range r.Cells {
		c := &r.Cells[i]
		if c.beyondSpecs() {
			c.name(c.ID, "")
		}
		for j := range c.Specs {
			c.Specs[j].name(c.ID, c.Specs[j].Text)
		}
	}
}

// validate refuses what no Aggregate makes, so that an edited or damaged file cannot pass for a good run.
func (r *Run) validate() error {
	if r.Status == RunUnknown {
		return fmt.Errorf("no status: want one of %q", runStatuses[1:])
	}
	seen := map[CellID]bool{}
	for i := range r.Cells {
		c := &r.Cells[i]
		switch {
		case c.ID.Entry == "" || c.ID.Suite == "":
			return fmt.Errorf("cell %d has no entry or no suite", i)
		case seen[c.ID]:
			return fmt.Errorf("cell %s is there twice", c.ID)
		case r.Status == RunComplete && c.State != StateFinished:
			return fmt.Errorf("cell %s is %s in a complete run", c.ID, c.State)
		}
		seen[c.ID] = true
		if err := c.validate(); err != nil {
			return fmt.Errorf("cell %s: %w", c.ID, err)
		}
		for j := range c.Specs {
			s := &c.Specs[j]
			if err := s.validate(); err != nil {
				return fmt.Errorf("cell %s: spec %q: %w", c.ID, s.Text, err)
			}
			if s.State == StateFinished && c.State == StateFinished && Worst(c.Verdict, s.Verdict) != c.Verdict {
				return fmt.Errorf("cell %s is %s, but its spec %q is %s", c.ID, c.Verdict, s.Text, s.Verdict)
			}
		}
	}
	return nil
}

func (o *Outcome) validate() error {
	switch {
	case o.State == StateUnknown:
		return fmt.Errorf("no state: want one of %q", states[1:])
	case o.State == StateFinished && o.Verdict == VerdictUnknown:
		return fmt.Errorf("finished without a verdict")
	case o.State != StateFinished && o.Verdict != VerdictUnknown:
		return fmt.Errorf("%s, and yet %s", o.State, o.Verdict)
	}
	return nil
}
