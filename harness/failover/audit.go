package failover

import (
	"context"
	"slices"
	"time"
)

// Audit is one recovery, refusal or alert: what was seen, decided and done, and when.
type Audit struct {
	Plan  Plan  `json:"plan"`
	State State `json:"state"` // the plan was made from it
	// Phases are when the recovery reached each stage; zero where it did not.
	Phases Phases `json:"phases"`
	Steps  []Step `json:"steps,omitempty"`
	// Followers replicate from the new primary. Excluded servers do not; their replication is stopped where they answer.
	Followers []string    `json:"followers,omitempty"`
	Excluded  []Exclusion `json:"excluded,omitempty"`
	// Error is why a recovery has failed; "" when it has not, or is under way.
	Error string `json:"error,omitempty"`
	Done  bool   `json:"done"`
}

// Phases are the stages of a recovery.
type Phases struct {
	Suspected time.Time `json:"suspected,omitzero"` // the first poll of the primary that failed began
	Detected  time.Time `json:"detected,omitzero"`  // the replicas agree: it is dead
	// ReceiversStopped is when no replica received anything any more.
	ReceiversStopped time.Time `json:"receivers_stopped,omitzero"`
	Applied          time.Time `json:"applied,omitzero"`   // the new primary has applied what it had received
	Writable         time.Time `json:"writable,omitzero"`  // the new primary takes writes
	Following        time.Time `json:"following,omitzero"` // all that can replicate from it
}

// Step is one thing that was done to one server.
type Step struct {
	At     time.Time     `json:"at"`
	Took   time.Duration `json:"took"`
	Server string        `json:"server"`
	What   string        `json:"what"`
	Error  string        `json:"error,omitempty"`
}

// Succeeded says that a server was promoted, or replicas moved, and every server that was to follow does.
func (a Audit) Succeeded() bool {
	return a.Done && (a.Plan.Action == Promote || a.Plan.Action == Relocate) && a.Error == "" && len(a.Followers) == len(a.Plan.Repoint)
}

// Hooks are called during a recovery, in order; a hook's error is entered into the audit and stops nothing.
type Hooks struct {
	Detected func(context.Context, Audit) error // before anything is touched
	Promoted func(context.Context, Audit) error // the new primary takes writes
	Finished func(context.Context, Audit) error // also after a recovery that has failed
}

// Clone shares nothing that a recovery under way still appends to.
func (a Audit) Clone() Audit {
	a.Steps, a.Followers, a.Excluded = slices.Clone(a.Steps), slices.Clone(a.Followers), slices.Clone(a.Excluded)
	return a
}
