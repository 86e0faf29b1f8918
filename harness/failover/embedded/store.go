package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/server"
)

// memory is what a manager must still know when it is started again: which primaries it has replaced, and what a recovery
// that was under way had done.
type memory struct {
	Replaced map[string]replacement `json:"replaced,omitempty"`
	// Primary is the primary, and how many replicas its commits wait for: a manager that is started when it is dead cannot ask it.
	Primary  string `json:"primary,omitempty"`
	WaitsFor int    `json:"waits_for,omitempty"`
	// Stopped are replicas whose receivers the recovery under way has stopped.
	Stopped []string `json:"stopped,omitempty"`
	// Promoting is the replica that the recovery under way promotes, in place of Old.
	Promoting string `json:"promoting,omitempty"`
	Old       string `json:"old,omitempty"`
	SemiSync  bool   `json:"semi_sync,omitempty"` // the old primary's commits waited for replicas
	GTID      bool   `json:"gtid,omitempty"`      // it replicated by GTID
	// Switching is the primary that the takeover under way makes read-only.
	Switching string `json:"switching,omitempty"`
	// Touched are replicas that a takeover or a rejoin under way may have stopped. Unlike those of Stopped they had not lost
	// their source.
	Touched []string `json:"touched,omitempty"`
	// Waits is the replica whose commits were made to wait for replicas, since it is to be promoted.
	Waits string `json:"waits,omitempty"`
}

// finish forgets the recovery that was under way.
func (m *memory) finish() {
	*m = memory{Replaced: m.Replaced, Primary: m.Primary, WaitsFor: m.WaitsFor}
}

// unfinished says whether a recovery was under way when the manager before this one ended.
func (m *memory) unfinished() bool {
	return m.Promoting != "" || m.Switching != "" || len(m.Stopped)+len(m.Touched) > 0
}

// stopped says whether a recovery under way may have stopped a replica.
func (m *memory) stopped(name string) bool {
	return slices.Contains(m.Stopped, name) || slices.Contains(m.Touched, name)
}

// started says that a replica is known to be started again.
func (m *memory) started(name string) {
	is := func(one string) bool { return one == name }
	m.Stopped, m.Touched = slices.DeleteFunc(slices.Clone(m.Stopped), is), slices.DeleteFunc(slices.Clone(m.Touched), is)
}

// replacement is a standing as it is stored.
type replacement struct {
	Status   status             `json:"status"`
	By       string             `json:"by"`
	GTID     bool               `json:"gtid"`
	Style    flavor.GTIDStyle   `json:"style"`
	Received string             `json:"received"`
	Read     server.Coordinates `json:"read"`
	Absent   []string           `json:"absent,omitempty"`
}

// remember stores the memory, changed, before what it speaks of is done. Without a file it is kept in the process only.
func (m *Manager) remember(change func(*memory)) error {
	if err := m.pass(); err != nil {
		return fmt.Errorf("failover manager: state file: %w", err)
	}
	if change != nil {
		change(&m.memory)
	}
	m.memory.Replaced = map[string]replacement{}
	for name, one := range m.members {
		m.memory.Replaced[name] = replacement{one.status, one.by, one.link.GTID, one.style, one.link.Received.Text(one.style), one.link.Read, one.absent}
	}
	if m.config.StateFile == "" {
		return nil
	}
	if err := writeDurably(m.config.StateFile, m.memory); err != nil {
		return fmt.Errorf("failover manager: state file: %w", err)
	}
	return nil
}

// writeDurably replaces a file by another one that is on the disk as a whole.
func writeDurably(path string, content any) error {
	text, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, text, 0o600, renameio.WithTempDir(filepath.Dir(path)))
}

// recall reads what a manager before this one has stored.
func (m *Manager) recall() error {
	if m.config.StateFile == "" || m.config.planted == forgetDemoted {
		return nil
	}
	text, err := os.ReadFile(m.config.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, &m.memory)
	}
	if err != nil {
		return fmt.Errorf("failover manager: state file %s: %w; correct it, or delete it if no primary was replaced", m.config.StateFile, err)
	}
	for name, one := range m.memory.Replaced {
		received, err := server.ParseGTIDSet(one.Style, one.Received)
		if err != nil {
			return fmt.Errorf("failover manager: state file %s: server %s: %w", m.config.StateFile, name, err)
		}
		m.members[name] = standing{status: one.Status, by: one.By, style: one.Style, absent: one.Absent, link: failover.Link{GTID: one.GTID, Received: received, Read: one.Read}}
	}
	return nil
}

// notePrimary stores what is known of the primary when that has changed.
func (m *Manager) notePrimary(s failover.State) {
	primary, ok := m.primaryOf(s)
	waits := primary.WaitsFor
	if !primary.SemiSync {
		waits = 0
	}
	if !ok || !hasReplicas(s, primary) || m.memory.Primary == primary.Name && m.memory.WaitsFor == waits {
		return
	}
	// When it cannot be stored, it is tried again after the next poll.
	if m.remember(func(m *memory) { m.Primary, m.WaitsFor = primary.Name, waits }) != nil {
		m.memory.Primary = ""
	}
}

// recallPrimary tells of a primary that this manager has never seen alive what one before it had seen.
func (m *Manager) recallPrimary(servers []failover.Observation) {
	for i, o := range servers {
		if !o.Reachable && o.At.IsZero() && o.Name == m.memory.Primary {
			servers[i].SemiSync, servers[i].WaitsFor = m.memory.WaitsFor > 0, m.memory.WaitsFor
		}
	}
}

// witnesses marks the receivers that a recovery has stopped which was not finished: they had lost their source.
func (m *Manager) witnesses(servers []failover.Observation) {
	for i, o := range servers {
		for j, l := range o.Links {
			if l.Fetch == failover.Stopped && slices.Contains(m.memory.Stopped, o.Name) {
				servers[i].Links[j].Lost = true
			}
		}
	}
}
