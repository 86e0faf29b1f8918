// Package migration changes a table while it is written to, with the program under test: gh-ost or
// pt-online-schema-change behind one interface.
package migration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
)

// Tool is a program that changes tables online.
type Tool interface {
	// Name is the tool's name in matrix.yaml.
	Name() string
	// Modes are the ways in which the tool can be used, the most usual one first.
	Modes() []Mode
	// Migrate changes one table and returns when the tool has ended. The result is there in failure too,
	// with what the tool did until then. When ctx ends first the tool is stopped, and the error says so with
	// the last lines that it printed.
	Migrate(ctx context.Context, job Job) (*Result, error)
}

// The tools' names in matrix.yaml.
const (
	NameGhost = "gh-ost"
	NamePTOSC = "pt-online-schema-change"
)

// New is the driver for a program, by its name in matrix.yaml.
func New(p *tool.Program) (Tool, error) {
	switch p.Name {
	case NameGhost:
		return &Ghost{Program: p}, nil
	case NamePTOSC:
		return &PTOSC{Program: p}, nil
	default:
		return nil, fmt.Errorf("tool %q changes no tables: want %s or %s", p.Name, NameGhost, NamePTOSC)
	}
}

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
	// Extra are further arguments. They come last, so that they win, also over those that the driver gives.
	Extra []string
	// OnStart, when set, is called with the tool's process once it runs, for those who send it signals.
	OnStart func(*proc.Process)

	held string // the file that Hold made, "" without
}

// check refuses a job that no tool could do, and makes the working folder.
func (j *Job) check(t Tool) error {
	supported := false
	for _, mode := range t.Modes() {
		supported = supported || mode == j.Mode
	}
	switch {
	case !supported:
		return fmt.Errorf("%s has no mode %s", t.Name(), j.Mode)
	case j.Database == "" || j.Table == "" || j.Alter == "":
		return fmt.Errorf("%s: database, table and change must be given", t.Name())
	case j.Primary.Port == 0:
		return fmt.Errorf("%s: mode %s needs a primary", t.Name(), j.Mode)
	case j.Mode.NeedsReplica() && j.Replica.Port == 0:
		return fmt.Errorf("%s: mode %s needs a replica", t.Name(), j.Mode)
	}
	if !filepath.IsAbs(j.Workdir) {
		return fmt.Errorf("%s: working folder %q: want an absolute path", t.Name(), j.Workdir)
	}
	if j.Scope == "" {
		j.Scope = j.Workdir
	}
	if err := os.MkdirAll(j.Workdir, 0o755); err != nil {
		return fmt.Errorf("%s: working folder: %w", t.Name(), err)
	}
	return nil
}

// Result is what a tool did, by what it said.
type Result struct {
	Target   Target // where the changed table is, if the tool succeeded
	Log      string // path of everything that the tool printed
	Output   string // the same as text
	ExitCode int    // -1 when it did not start or was ended by a signal
	Duration time.Duration
	Usage    proc.Usage // of the tool's process and what it ran
	// RowsCopied counts rows copied from the old table, -1 when the tool did not say. Rows that were
	// inserted while it copied may or may not be among them.
	RowsCopied int64
	// DMLApplied counts the writes that gh-ost took from the binary log, -1 for tools that work by triggers
	// and do not know.
	DMLApplied int64
	// CutOver is how long the table was locked for the exchange, as the tool measured it; 0 when it does not
	// say.
	CutOver time.Duration
}
