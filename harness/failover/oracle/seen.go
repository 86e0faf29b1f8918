package oracle

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/workload"
)

// Seen is what was seen of a cluster when it was judged: all that the verdict rests on.
type Seen struct {
	Style   flavor.GTIDStyle `json:"style"` // of GTIDs
	Primary string           `json:"primary"`
	Nodes   []Node           `json:"nodes"` // that run
	// Samples are what the servers said while the manager watched them. Sampled says that they are to be judged.
	Samples []Sample `json:"samples,omitempty"`
	Sampled bool     `json:"sampled"`
	Writes  Writes   `json:"writes"`
	// Recovery is the one that is judged; nil when the cluster alone is. Loss is what it has cost.
	Recovery *Recovery `json:"recovery,omitempty"`
	Loss     *Loss     `json:"loss,omitempty"`
	// Unasked is what could not be found out, by the check that needs it.
	Unasked map[Check][]string `json:"unasked,omitempty"`
}

// Part is what a server is to be in the cluster.
type Part string

// The parts.
const (
	Leads   Part = "leads"   // takes the writes
	Follows Part = "follows" // replicates, from the primary or from another server
	Apart   Part = "apart"   // takes no part, or follows by now
)

// Node is what one server that runs has said.
type Node struct {
	Name     string `json:"name"`
	Part     Part   `json:"part"`
	ReadOnly bool   `json:"read_only"`
	// Sources are the primary's replication statuses. In a ring it may have one.
	Sources []string `json:"sources,omitempty"`
	InRing  bool     `json:"in_ring,omitempty"`
	// Behind is why it does not follow its source, or not to the end. Differences are how its rows are unlike the primary's.
	Behind      string   `json:"behind,omitempty"`
	Differences []string `json:"differences,omitempty"`
	// Received are all transactions that it has, applied or not. Of a server that does not follow it was not asked.
	Received *string `json:"received,omitempty"`
}

// Writes are those of the application, and what the new primary has of them.
type Writes struct {
	Sent    workload.Sent        `json:"sent"`
	Journal map[int64]int64      `json:"journal"`          // of the new primary: keys by number
	Unlike  workload.Differences `json:"unlike,omitempty"` // rows there that are not as the ledger says
	// Lossless says that nothing that was acknowledged may be lost.
	Lossless bool `json:"lossless,omitempty"`
}

// Recovery is what a manager has said of one.
type Recovery struct {
	Done      bool                 `json:"done"`
	Error     string               `json:"error,omitempty"`
	Repoint   []string             `json:"repoint,omitempty"`
	Followers []string             `json:"followers,omitempty"`
	Excluded  []failover.Exclusion `json:"excluded,omitempty"`
	Phases    failover.Phases      `json:"phases"`
}

// RecoveryOf is an audit's.
func RecoveryOf(a failover.Audit) *Recovery {
	return &Recovery{a.Done, a.Error, a.Plan.Repoint, a.Followers, a.Excluded, a.Phases}
}

// Loss is what the dead primary has that the new one lacks.
type Loss struct {
	// Old are the numbers of the writes that are in the dead primary's journal.
	Old map[int64]int64 `json:"old"`
	// Unreceived are the transactions in its binary log after the last position that a survivor had received, which was From.
	Unreceived int    `json:"unreceived"`
	From       string `json:"from"`
}

// Judge is what the oracle finds in what was seen.
func Judge(s Seen) Findings {
	found := Findings{}
	for check, list := range s.Unasked {
		for _, why := range list {
			found.Note(check, errors.New(why))
		}
	}
	samples, err := Replay(s.Style, s.Samples)
	found.Note(CheckReceived, err)
	for _, n := range s.Nodes {
		judgeNode(found, n, samples)
	}
	if s.Sampled {
		found.Note(CheckReceived, samples.LostBy(s.Primary))
		found.Note(CheckWritable, samples.SeveralWritable())
	}
	if s.Recovery != nil {
		found.Note(CheckAudit, s.Recovery.complete())
	}
	if len(s.Unasked[CheckLedger]) == 0 {
		found.Note(CheckLedger, s.Writes.agree(s.Primary))
	}
	if s.Loss != nil {
		found.Note(CheckLoss, s.lostOnlyUnreceived())
	}
	return found
}

// Replay has samples say again what follows from them.
func Replay(style flavor.GTIDStyle, list []Sample) (*Samples, error) {
	samples := NewSamples(style)
	var errs []error
	for _, one := range list {
		errs = append(errs, samples.Add(one))
	}
	return samples, errors.Join(errs...)
}

func judgeNode(found Findings, n Node, samples *Samples) {
	if n.ReadOnly != (n.Part != Leads) {
		found.Note(CheckReadOnly, fmt.Errorf("node %s: read_only is %v", n.Name, n.ReadOnly))
	}
	if n.Part == Leads && !n.InRing && len(n.Sources) > 0 {
		found.Note(CheckReplication, fmt.Errorf("node %s is the primary and has a source: %s", n.Name, strings.Join(n.Sources, "; ")))
	}
	if n.Behind != "" {
		found.Note(CheckReplication, errors.New(n.Behind))
	}
	for _, text := range n.Differences {
		found.Note(CheckRows, errors.New(text))
	}
	if n.Received != nil {
		found.Note(CheckReceived, samples.LackedBy(n.Name, *n.Received))
	}
}

// complete is an error unless the recovery went to its end, every server follows or is named as excluded, and its times are
// in order. What a manager does not say is left out; when it knew and when the new primary took writes it must say.
func (r Recovery) complete() error {
	placed := !slices.ContainsFunc(r.Repoint, func(name string) bool {
		return !slices.Contains(r.Followers, name) && !slices.ContainsFunc(r.Excluded, func(one failover.Exclusion) bool { return one.Name == name })
	})
	if !r.Done || r.Error != "" || !placed {
		return fmt.Errorf("the recovery is not complete: error %q, to follow %v, following %v, excluded %v", r.Error, r.Repoint, r.Followers, r.Excluded)
	}
	p := r.Phases
	if p.Detected.IsZero() || p.Writable.IsZero() || p.Following.IsZero() {
		return fmt.Errorf("the phases are not complete: %+v", p)
	}
	phases := slices.DeleteFunc([]time.Time{p.Suspected, p.Detected, p.ReceiversStopped, p.Applied, p.Writable, p.Following}, time.Time.IsZero)
	if !slices.IsSortedFunc(phases, time.Time.Compare) {
		return fmt.Errorf("the phases are not in order: %+v", p)
	}
	return nil
}

// agree is an error unless the new primary's rows are as acknowledged, but for the rows of lost writes, and every row there was
// written.
func (w Writes) agree(primary string) error {
	account := w.Sent.Account(w.Journal)
	if len(account.Foreign) > 0 {
		return fmt.Errorf("node %s has writes that the application did not send: %v", primary, account.Foreign)
	}
	if w.Lossless && len(account.Lost) > 0 {
		return fmt.Errorf("acknowledged writes are lost: %s", account)
	}
	stated := map[int64]bool{}
	for _, lost := range account.Lost {
		stated[lost.Key] = true
	}
	unexplained := slices.DeleteFunc(slices.Clone(w.Unlike), func(d workload.Difference) bool { return d.Lost && stated[d.Key] })
	if len(unexplained) > 0 {
		return fmt.Errorf("node %s: %s", primary, unexplained)
	}
	return nil
}

// lostOnlyUnreceived holds the loss against the dead primary itself: what it committed and the new primary lacks must be as many
// transactions as its binary log has after the furthest position that any survivor had received.
func (s Seen) lostOnlyUnreceived() error {
	missing := 0
	for number := range s.Loss.Old {
		if _, ok := s.Writes.Journal[number]; !ok {
			missing++
		}
	}
	for _, lost := range s.Writes.Sent.Account(s.Writes.Journal).Lost {
		if _, ok := s.Loss.Old[lost.Number]; !ok {
			return fmt.Errorf("write %d was acknowledged, and the dead primary itself does not have it", lost.Number)
		}
	}
	if missing != s.Loss.Unreceived {
		return fmt.Errorf("the dead primary has %d transactions that the new one lacks, and %d that no survivor had received (from %s on)",
			missing, s.Loss.Unreceived, s.Loss.From)
	}
	return nil
}
