// Package cell is what the runner hands to a suite process, and how the process speaks back.
//
// The runner starts one process for each spec, with the description's path in the environment and two more
// file descriptors: on one the process writes report events, the other one ends when the runner is gone.
package cell

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/tool"
)

// Env is the environment variable that holds the path of the description.
const Env = "MATRIX_CELL"

// The file descriptors that a suite process inherits beside the standard ones.
const (
	EventsFD   = 3 // the process writes events, or its Catalog
	LifelineFD = 4 // reads end-of-file once the runner is gone
)

// Mode is what a suite process is started for.
type Mode string

// The modes.
const (
	ModeList Mode = "list specs" // the process writes its Catalog
	ModeRun  Mode = "run a spec" // the process runs Spec and writes events
)

// Description is one suite process's work.
type Description struct {
	Mode    Mode              `json:"mode"`
	ID      report.CellID     `json:"id"`
	Tool    tool.Program      `json:"tool"`
	Flavor  flavor.Flavor     `json:"flavor"`  // of the server
	Goldens map[string]string `json:"goldens"` // sandbox profile → folder of the golden sandbox
	// Older is the same of a server of an older series that the entry's can replicate from, for specs of LabelOlder.
	Older map[string]string `json:"older,omitempty"`
	// Earlier is the same of an earlier release of the entry's series, for specs of LabelEarlier.
	Earlier map[string]string `json:"earlier,omitempty"`
	Spec    string            `json:"spec"` // full text of the one spec to run, with ModeRun
	// Dir is the folder that the spec works in and the scope of every process that it starts.
	Dir string `json:"dir"`
	// Evidence is the folder for what a failing spec leaves to look at; the process makes it when it needs it.
	Evidence string        `json:"evidence"`
	Limit    time.Duration `json:"limit"` // how long the spec may take
	Seed     int64         `json:"seed"`
	// Histories is how many random histories a suite that has them tries; History is one to be tried instead.
	Histories int    `json:"histories,omitempty"`
	History   string `json:"history,omitempty"`
	// Cache is the root of the cache, for programs that a spec needs beside the tool.
	Cache string `json:"cache"`
	Keep  bool   `json:"keep"` // leave the servers of a failed spec running
	// Pool is the folder of topologies that specs use one after the other, "" for a fresh one for every spec; PoolIdle is how many
	// of them may wait for a spec.
	Pool     string `json:"pool,omitempty"`
	PoolIdle int    `json:"pool_idle,omitempty"`
	KeepData bool   `json:"keep_data"` // keep the data directories of a failed spec with its evidence
}

// Catalog is what a suite says of itself.
type Catalog struct {
	Profiles []string `json:"profiles"` // sandbox profiles that its specs use
	Specs    []Spec   `json:"specs"`
}

// Spec is one spec of a suite.
type Spec struct {
	Text   string   `json:"text"` // containers and leaf, joined by blanks
	Labels []string `json:"labels,omitempty"`
}

// The labels that the runner knows.
const (
	LabelFull = "full" // only the full tier runs it
	// LabelWaiting marks specs that wait for most of their time, so that several fit where one other does.
	LabelWaiting = "waiting"
	// LabelLong marks specs that do one thing many times, and get several times the time.
	LabelLong = "long"
	// LabelOlder marks specs that need a server of an older series beside the entry's.
	LabelOlder = "older"
	// LabelEarlier marks specs that need an earlier release of the entry's series beside the entry's.
	LabelEarlier = "earlier"
	// LabelOnOlder marks specs in which the tool works on the server of the older series: what is known of it there is expected.
	LabelOnOlder = "on older"
)

// LabelProfile stands before the name of a sandbox profile that only specs with this label use.
const LabelProfile = "profile "

// Write stores a description for the process to be started.
func (d Description) Write(path string) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("describe cell %s: %w", d.ID, err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("describe cell %s: %w", d.ID, err)
	}
	return nil
}

// Read loads a description.
func Read(path string) (Description, error) {
	var d Description
	text, err := os.ReadFile(path)
	if err != nil {
		return d, fmt.Errorf("cell description: %w", err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("cell description %s: %w", path, err)
	}
	return d, nil
}
