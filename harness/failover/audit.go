package failover

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Audit is one recovery, refusal or alert: what was seen, what was decided, what was done, and when.
type Audit struct {
	Plan  Plan  `json:"plan"`
	State State `json:"state"` // that the plan was made from
	// Phases are when the recovery reached each stage; zero where it did not.
	Phases Phases `json:"phases"`
	Steps  []Step `json:"steps,omitempty"`
	// Followers replicate from the new primary; Apart do not, and are stopped where they answer.
	Followers []string `json:"followers,omitempty"`
	Apart     []Apart  `json:"apart,omitempty"`
	// Error is why a recovery has failed; "" when it has not, or is under way.
	Error string `json:"error,omitempty"`
	Done  bool   `json:"done"`
}

// Phases are the stages of a recovery.
type Phases struct {
	Suspected time.Time `json:"suspected,omitzero"` // the first poll of the primary that failed began
	Detected  time.Time `json:"detected,omitzero"`  // the replicas agree: it is dead
	Frozen    time.Time `json:"frozen,omitzero"`    // no replica receives anything any more
	Applied   time.Time `json:"applied,omitzero"`   // the new primary has applied what it had received
	Writable  time.Time `json:"writable,omitzero"`  // the new primary takes writes
	Following time.Time `json:"following,omitzero"` // all that can replicate from it
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
	return a.Done && (a.Plan.Action == Promote || a.Plan.Action == Relocate) && a.Error == "" && len(a.Followers) == len(a.Plan.Rewire)
}

// Hooks are called during a recovery, in order; a hook's error is entered into the audit and stops nothing.
type Hooks struct {
	Detected func(context.Context, Audit) error // before anything is touched
	Promoted func(context.Context, Audit) error // the new primary takes writes
	Finished func(context.Context, Audit) error // also after a recovery that has failed
}

// journal keeps the audits; the last one may be under way.
type journal struct {
	mu     sync.Mutex
	audits []Audit
}

// begin adds an audit and returns its number.
func (j *journal) begin(a Audit) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.audits = append(j.audits, a)
	return len(j.audits) - 1
}

func (j *journal) change(i int, change func(*Audit)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.audits[i])
}

func (j *journal) get(i int) Audit {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.audits[i].clone()
}

func (j *journal) all() []Audit {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]Audit, len(j.audits))
	for i, a := range j.audits {
		list[i] = a.clone()
	}
	return list
}

// clone shares nothing that a recovery under way still appends to.
func (a Audit) clone() Audit {
	a.Steps, a.Followers, a.Apart = slices.Clone(a.Steps), slices.Clone(a.Followers), slices.Clone(a.Apart)
	return a
}

// note enters a step with its outcome.
func (j *journal) note(i int, begin time.Time, name, what string, err error) {
	step := Step{At: begin, Took: time.Since(begin), Server: name, What: what}
	if err != nil {
		step.Error = err.Error()
	}
	j.change(i, func(a *Audit) { a.Steps = append(a.Steps, step) })
}
