package report

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Version is the version of the event stream and of run.json. It grows only when an older reader would
// misunderstand a newer file; added fields do not change it. Version 2 parts a tool from its version, and a server's
// version from its build; files of version 1 are read as well.
const Version = 2

// EventType says what happened.
type EventType uint8

const (
	EventUnknown      EventType = iota
	EventRunStarted             // Plan, Host, MatrixDigest, Seed, Tier, Focus, Terms
	EventCellStarted            // Cell, Total, Server, ToolVersion, ToolFlag, Baseline, Seed
	EventSpecStarted            // Cell, Spec, Labels, Attempt
	EventSpecFinished           // Cell, Spec, Verdict, Seconds, Attempt, and what belongs to the verdict
	EventCellFinished           // Cell, Seconds, ToolFlag, and Verdict where the runner has one beyond its specs'; not sent for a cell that an interrupt ended
	EventNote                   // Message, and Cell where it belongs to one
	EventRunFinished            // Seconds, Status, Declarations
)

var eventTypes = [...]string{"", "run-started", "cell-started", "spec-started", "spec-finished", "cell-finished", "note", "run-finished"}

// String is the type's word in the stream; EventUnknown's is "unknown".
func (t EventType) String() string { return enumString(eventTypes[:], uint8(t)) }

// MarshalText is String; it refuses EventUnknown.
func (t EventType) MarshalText() ([]byte, error) {
	return enumMarshal("event type", eventTypes[:], uint8(t))
}

// UnmarshalText reads what MarshalText writes.
func (t *EventType) UnmarshalText(text []byte) error {
	return enumUnmarshal("event type", eventTypes[:], text, (*uint8)(t))
}

// RunStatus says how far a run got.
type RunStatus uint8

const (
	RunUnknown     RunStatus = iota
	RunRunning               // events are still to come
	RunComplete              // every planned cell was given its turn
	RunInterrupted           // a signal, or the runner's death, ended it early
)

var runStatuses = [...]string{"", "running", "complete", "interrupted"}

// String is the status's word in every view and file; RunUnknown's is "unknown".
func (s RunStatus) String() string { return enumString(runStatuses[:], uint8(s)) }

// MarshalText is String; it refuses RunUnknown.
func (s RunStatus) MarshalText() ([]byte, error) {
	return enumMarshal("run status", runStatuses[:], uint8(s))
}

// UnmarshalText reads what MarshalText writes.
func (s *RunStatus) UnmarshalText(text []byte) error {
	return enumUnmarshal("run status", runStatuses[:], text, (*uint8)(s))
}

// Seconds is a length of time as the files carry it.
type Seconds float64

// SecondsOf rounds d to milliseconds, since nothing here is measured finer.
func SecondsOf(d time.Duration) Seconds { return Seconds(d.Round(time.Millisecond).Seconds()) }

// Duration is s as Go's own type.
func (s Seconds) Duration() time.Duration {
	return time.Duration(math.Round(float64(s)*1e3)) * time.Millisecond
}

// Measurement is one number that a spec (or a cell as a whole) took: a failover's time, a provisioning's.
type Measurement struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"` // as printed: "s", "MB", "rows/s"; empty for a count
	Value  float64 `json:"value"`
	Detail bool    `json:"detail,omitempty"` // true keeps it out of the final table; the files have it anyway
}

// Expectation is the declared failure by which a spec or a cell is known or fixed.
type Expectation struct {
	Error  string `json:"error"`            // the pattern that the error has to match
	Link   string `json:"link,omitempty"`   // where the defect is discussed
	Review string `json:"review,omitempty"` // the day to look again, YYYY-MM-DD
	Note   string `json:"note,omitempty"`
	// Blocks says that the tool cannot work on the server at all.
	Blocks bool `json:"blocks,omitempty"`
	// Sometimes says that a race decides whether it fails: a pass is a pass then, and neither of them news.
	Sometimes bool `json:"sometimes,omitempty"`
}

// Topologies are sets of servers that specs had: fresh ones, and ones that a spec before had left as it found them.
type Topologies struct {
	Started int      `json:"started"`           // fresh ones
	Reused  int      `json:"reused,omitempty"`  // ones that a spec before had returned
	Refused []string `json:"refused,omitempty"` // those that a spec did not leave as it found them: the node and what was left
}

func (t *Topologies) add(more *Topologies) {
	if more != nil {
		t.Started, t.Reused, t.Refused = t.Started+more.Started, t.Reused+more.Reused, append(t.Refused, more.Refused...)
	}
}

// Host describes the machine of a run.
type Host struct {
	GoVersion string `json:"go_version,omitempty"` // runtime.Version
	OS        string `json:"os,omitempty"`         // "linux/amd64", with the distribution's name where known
	CPUs      int    `json:"cpus,omitempty"`       // usable processors
	// Environment is what servers, clients and tools were given in place of the caller's variables.
	Environment string `json:"environment,omitempty"`
}

// Event is one thing that happened in a run: one JSON object on a line of its own. Which fields an event of a type
// carries stands with the EventType; all others are left out.
type Event struct {
	// Version stands on the first event of every stream; the Encoder puts it there.
	Version int       `json:"version,omitempty"`
	Time    time.Time `json:"time"`
	Type    EventType `json:"type"`
	Cell    CellID    `json:"cell,omitzero"`

	Spec    string   `json:"spec,omitempty"` // full text: containers and leaf, joined by blanks
	Labels  []string `json:"labels,omitempty"`
	Attempt int      `json:"attempt,omitempty"` // 2 and so on when a spec is repeated; the first has none
	Verdict Verdict  `json:"verdict,omitzero"`
	Seconds Seconds  `json:"seconds,omitempty"` // how long the spec, cell or run took

	Error        string        `json:"error,omitempty"`       // what went wrong, for failed, known, errored, timed-out
	Reason       string        `json:"reason,omitempty"`      // why unsupported or unavailable
	Expectation  *Expectation  `json:"expectation,omitempty"` // for known and fixed
	Evidence     string        `json:"evidence,omitempty"`    // folder relative to the run's output folder, slashes
	Repro        string        `json:"repro,omitempty"`       // one command line that repeats the failure
	NotRun       bool          `json:"not_run,omitempty"`     // known without having run: others of its cell showed that the tool cannot work there
	Measurements []Measurement `json:"measurements,omitempty"`
	Topologies   *Topologies   `json:"topologies,omitempty"` // that the spec had
	Message      string        `json:"message,omitempty"`    // of a note

	Total       int    `json:"total,omitempty"`        // specs that the cell will run
	Server      Server `json:"server,omitzero"`        // what the server says of itself
	ToolVersion string `json:"tool_version,omitempty"` // the tool's own words
	ToolFlag    string `json:"tool_flag,omitempty"`    // the --tool argument that chooses it, for a build of one's own its path
	Baseline    string `json:"baseline,omitempty"`     // the version whose known failures a build of one's own is judged by

	Plan         []CellID  `json:"plan,omitempty"`
	Host         *Host     `json:"host,omitempty"`
	MatrixDigest string    `json:"matrix_digest,omitempty"` // of matrix.yaml; runs of different ones are not merged
	Seed         int64     `json:"seed,omitempty"`
	Tier         string    `json:"tier,omitempty"`  // of run-started: pr or full, which says what specs were chosen
	Focus        string    `json:"focus,omitempty"` // of run-started: the regular expression that chose among those
	Status       RunStatus `json:"status,omitzero"` // of run-finished: complete (also when left out) or interrupted
	// Declarations are the known failures that the plan's cells speak of.
	Declarations []Declaration `json:"declarations,omitempty"`
	Terms
}

// Terms are what a run was told that a repetition of one of its specs has to be told again.
type Terms struct {
	Limit         Seconds `json:"limit,omitempty"`           // of one spec
	Checksum      string  `json:"checksum,omitempty"`        // of a release that matrix.yaml does not list
	TrustFirstUse bool    `json:"trust_first_use,omitempty"` // such a release was taken unverified
	// Env are variables (NAME=VALUE) that servers, clients and tools were given beyond the host's Environment.
	Env []string `json:"env,omitempty"`
}

// Validate says what an event lacks that its type needs.
func (e Event) Validate() error {
	inCell := e.Type >= EventCellStarted && e.Type <= EventCellFinished
	switch {
	case e.Type == EventUnknown || int(e.Type) >= len(eventTypes):
		return errors.New("event has no type")
	case e.Time.IsZero():
		return fmt.Errorf("%s event has no time", e.Type)
	case inCell && (e.Cell.Entry == "" || e.Cell.Suite == ""):
		return fmt.Errorf("%s event names no cell: entry and suite are needed", e.Type)
	case (e.Type == EventSpecStarted || e.Type == EventSpecFinished) && e.Spec == "":
		return fmt.Errorf("%s event of %s names no spec", e.Type, e.Cell)
	case e.Type == EventSpecFinished && !e.Verdict.Valid():
		return fmt.Errorf("spec-finished event of %s has no verdict: %s", e.Cell, e.Spec)
	case e.Type == EventSpecFinished && e.Verdict == VerdictUnavailable:
		return fmt.Errorf("spec-finished event of %s says unavailable, which only a cell can be: %s", e.Cell, e.Spec)
	}
	return nil
}

func enumString(words []string, v uint8) string {
	if v == 0 || int(v) >= len(words) {
		return "unknown"
	}
	return words[v]
}

func enumMarshal(noun string, words []string, v uint8) ([]byte, error) {
	if v == 0 || int(v) >= len(words) {
		return nil, fmt.Errorf("%s %d cannot be written", noun, v)
	}
	return []byte(words[v]), nil
}

func enumUnmarshal(noun string, words []string, text []byte, v *uint8) error {
	for i := 1; i < len(words); i++ {
		if words[i] == string(text) {
			*v = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("%s %q: want one of %q", noun, text, words[1:])
}
