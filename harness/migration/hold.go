package migration

import (
	"fmt"
	"os"
	"path/filepath"
)

// holdFile is in the working folder: while it exists, the tool copies and follows writes, and does not
// exchange the tables.
const holdFile = "hold"

// Hold keeps the tool of a job from exchanging the tables, from before it starts until Release, so that what
// is to be written while it works has been written when it ends.
func (j *Job) Hold() error {
	if err := os.MkdirAll(j.Workdir, 0o755); err != nil {
		return fmt.Errorf("hold the cut-over: %w", err)
	}
	j.held = filepath.Join(j.Workdir, holdFile)
	if err := os.WriteFile(j.held, nil, 0o644); err != nil {
		return fmt.Errorf("hold the cut-over: %w", err)
	}
	return nil
}

// Release lets the tool go on. gh-ost makes the file anew when it is gone before gh-ost looks for it first,
// so it is to be called again until the tool has ended.
func (j *Job) Release() error {
	if err := os.Remove(j.held); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("release the cut-over: %w", err)
	}
	return nil
}
