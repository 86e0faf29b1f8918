package oracle

import (
	"fmt"
	"sync"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/server"
)

const (
	// SamplePoll is how often every server is asked what it has and whether it takes writes.
	SamplePoll = 40 * time.Millisecond
	// FenceLimit is how long an old primary may take writes beside the new one until it is fenced.
	FenceLimit = 5 * time.Second
)

// Sample is what one server has said of itself, or what the suite says of it: a server that does not answer says nothing.
type Sample struct {
	At       time.Time `json:"at"`
	Node     string    `json:"node,omitempty"`
	Writable bool      `json:"writable,omitempty"`
	// Received are all transactions that it has, applied or not; nil when it says the same as before, or was not asked.
	Received *string `json:"received,omitempty"`
	// Rebuilt says that its data is new from now on, AllWell that what was seen to be wrong until now was judged.
	Rebuilt bool `json:"rebuilt,omitempty"`
	AllWell bool `json:"all_well,omitempty"`
}

// Samples are what each server has said while a manager watched it, in order, and what follows from it.
type Samples struct {
	mu       sync.Mutex
	style    flavor.GTIDStyle
	list     []Sample
	text     map[string]string         // by node: what it last said that it has
	has      map[string]server.GTIDSet // the same
	received map[string]server.GTIDSet // by node: all that it was ever seen to have, applied or not
	lost     map[string]error          // by node: when it was first seen to have less
	writable map[string]time.Time      // by node: when it was last seen to take writes
	several  time.Duration             // for how long more than one server was seen to take writes
	last     time.Time                 // when they were last seen to
}

// NewSamples are none yet, of servers with a design of GTIDs.
func NewSamples(style flavor.GTIDStyle) *Samples {
	return &Samples{style: style, text: map[string]string{}, has: map[string]server.GTIDSet{}, received: map[string]server.GTIDSet{}, lost: map[string]error{}, writable: map[string]time.Time{}}
}

// Add adds a sample. It is an error when what the server has cannot be read.
func (m *Samples) Add(s Sample) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.text[s.Node]; ok && s.Received != nil && *s.Received == known {
		s.Received = nil
	}
	m.list = append(m.list, s)
	switch {
	case s.AllWell:
		m.several = 0
		clear(m.lost)
		return nil
	case s.Rebuilt:
		for _, known := range []map[string]server.GTIDSet{m.received, m.has} {
			delete(known, s.Node)
		}
		delete(m.lost, s.Node)
		delete(m.text, s.Node)
		return nil
	}
	m.noteWritable(s)
	return m.noteReceived(s)
}

func (m *Samples) noteReceived(s Sample) error {
	if s.Received != nil {
		set, err := server.ParseGTIDSet(m.style, *s.Received)
		if err != nil {
			return fmt.Errorf("sample of node %s: %w", s.Node, err)
		}
		m.text[s.Node], m.has[s.Node] = *s.Received, set
	}
	set, ok := m.has[s.Node]
	if !ok {
		return nil
	}
	if gone := m.received[s.Node].Minus(set); !gone.IsEmpty() && m.lost[s.Node] == nil {
		m.lost[s.Node] = fmt.Errorf("node %s had received %s, and has it no more", s.Node, gone)
	}
	m.received[s.Node] = m.received[s.Node].Union(set)
	return nil
}

// noteWritable counts the time in which two servers were each seen to take writes within two polls.
func (m *Samples) noteWritable(s Sample) {
	if !s.Writable {
		delete(m.writable, s.Node)
		return
	}
	m.writable[s.Node] = s.At
	fresh := 0
	for _, seen := range m.writable {
		if s.At.Sub(seen) <= 2*SamplePoll {
			fresh++
		}
	}
	if fresh < 2 {
		return
	}
	if gap := s.At.Sub(m.last); gap <= 2*SamplePoll {
		m.several += gap
	}
	m.last = s.At
}

// List are the samples until now.
func (m *Samples) List() []Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.list[:len(m.list):len(m.list)]
}

// LostBy is an error when the server has ever been seen to have less than before.
func (m *Samples) LostBy(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost[name]
}

// LackedBy is an error when a server that has the given transactions now lacks what it was seen to have received.
func (m *Samples) LackedBy(name, now string) error {
	set, err := server.ParseGTIDSet(m.style, now)
	if err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if gone := m.received[name].Minus(set); !gone.IsEmpty() {
		return fmt.Errorf("node %s had received %s, and lacks it at the end", name, gone)
	}
	return nil
}

// SeveralWritable is an error when more than one server took writes for longer than an old primary may until it is fenced.
func (m *Samples) SeveralWritable() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.several > FenceLimit {
		return fmt.Errorf("more than one server took writes for %s", m.several)
	}
	return nil
}
