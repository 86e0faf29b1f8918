package migration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/server"
)

// Job is one change of one table.
type Job struct {
	Mode     Mode
	Database string
	Table    string
	Alter    string // what follows ALTER TABLE t
	Primary  server.Endpoint
	// Replica is read in the modes that need one; see Mode.NeedsReplica. Its account is used on the primary
	// as well, as the tools do.
	Replica server.Endpoint
	// Workdir is an absolute folder for this job alone: the tool's log, credentials and socket go there.
	Workdir string
	// Scope tags the tool's process; see proc.Find. "" means Workdir.
	Scope string
	// ChunkSize is how many rows are copied at a time; 0 leaves it to the tool.
	ChunkSize int
	// AssumePrimary names the primary to gh-ost, which otherwise finds it by the replica's status.
	AssumePrimary bool
	// Extra are further arguments. They come last, so that they override those that the driver gives.
	Extra []string
	// OnStart, when set, is called with the tool's process once it runs, for those who send it signals.
	OnStart func(*proc.Process)

	held string // the file that Hold made, "" without
}

// check refuses a job that no tool could do, and makes the working folder.
func (j *Job) check(d *Descriptor) error {
	switch {
	case !slices.Contains(d.Modes, j.Mode):
		return fmt.Errorf("%s has no mode %s", d.Name, j.Mode)
	case j.Database == "" || j.Table == "" || j.Alter == "":
		return fmt.Errorf("%s: database, table and change must be given", d.Name)
	case j.Primary.Port == 0:
		return fmt.Errorf("%s: mode %s needs a primary", d.Name, j.Mode)
	case j.Mode.NeedsReplica() && j.Replica.Port == 0:
		return fmt.Errorf("%s: mode %s needs a replica", d.Name, j.Mode)
	}
	if !filepath.IsAbs(j.Workdir) {
		return fmt.Errorf("%s: working folder %q: want an absolute path", d.Name, j.Workdir)
	}
	if j.Scope == "" {
		j.Scope = j.Workdir
	}
	if err := os.MkdirAll(j.Workdir, 0o755); err != nil {
		return fmt.Errorf("%s: working folder: %w", d.Name, err)
	}
	return nil
}
