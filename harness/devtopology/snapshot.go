package devtopology

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"mysqlmatrix/harness/failover/process"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

// Snapshot is what a topology is at one moment.
type Snapshot struct {
	At       time.Time  `json:"at"`
	Name     string     `json:"name"`
	Topology string     `json:"topology"`
	Server   string     `json:"server"`
	Nodes    []NodeSeen `json:"nodes"`
	Faults   []Injected `json:"faults,omitempty"`
	Manager  string     `json:"manager,omitempty"`
	API      string     `json:"api,omitempty"`
	Page     string     `json:"page,omitempty"`
	// Decisions are the manager's, oldest first. ManagerError is why it did not say.
	Decisions    []process.Decision `json:"decisions,omitempty"`
	ManagerError string             `json:"manager_error,omitempty"`
}

// NodeSeen is what a server says of itself.
type NodeSeen struct {
	Name string `json:"name"`
	// Role is primary, replica, intermediate, ring partner, alone, or why it has none: down, paused, silent.
	Role        string        `json:"role"`
	ReadOnly    bool          `json:"read_only"`
	GTID        string        `json:"gtid"`        // executed; on MariaDB gtid_current_pos
	Coordinates string        `json:"coordinates"` // where its next event goes
	Channels    []ChannelSeen `json:"channels,omitempty"`
	SemiSync    string        `json:"semi_sync,omitempty"` // "waits for 1 of 2 replicas", "acknowledges"
	Error       string        `json:"error,omitempty"`     // why it does not answer
}

// ChannelSeen is one source of a replica.
type ChannelSeen struct {
	Source   string `json:"source"` // name of the node, or its address
	IO       string `json:"io"`
	SQL      string `json:"sql"`
	Lag      *int   `json:"lag_seconds"` // null when the server does not know
	Delay    int    `json:"delay_seconds,omitempty"`
	Executed string `json:"executed"` // in the source's logs
	Error    string `json:"error,omitempty"`
}

// Watcher looks at one topology again and again. It keeps its connections.
type Watcher struct {
	store   Store
	name    string
	dir     string
	servers map[string]*topology.Node
}

// answerLimit is how long a server may take to say something of itself.
const answerLimit = time.Second

// Watch begins to look at a topology; Close ends it.
func (l Store) Watch(t *Topology) (*Watcher, error) {
	servers, err := t.load(answerLimit)
	return &Watcher{store: l, name: t.Name, dir: t.Dir, servers: servers}, err
}

// Close gives the connections up.
func (w *Watcher) Close() error {
	var errs []error
	for _, n := range w.servers {
		errs = append(errs, n.Server.Close())
	}
	return errors.Join(errs...)
}

// Look is what the topology is now. One that was taken down meanwhile is an *AbsentError.
func (w *Watcher) Look(ctx context.Context) (*Snapshot, error) {
	t, err := w.store.Find(w.name)
	if err == nil && t.Dir != w.dir {
		err = &AbsentError{Name: w.name}
	}
	if err != nil {
		return nil, err
	}
	s := &Snapshot{At: time.Now(), Name: t.Name, Topology: t.Topology, Server: t.Server, Faults: t.Faults, Nodes: make([]NodeSeen, len(t.Nodes))}
	var asking sync.WaitGroup
	for i, n := range t.Nodes {
		asking.Go(func() { s.Nodes[i] = t.see(ctx, n.Name, w.servers[n.Name]) })
	}
	if m := t.Manager; m != nil {
		s.Manager, s.API, s.Page = m.Manager, m.API, m.Page
		if s.Decisions, err = m.Decisions(ctx); err != nil {
			s.ManagerError = err.Error()
		}
	}
	asking.Wait()
	s.giveRoles()
	return s, nil
}

// see asks one server. A role that is not "" is why it has none.
func (t *Topology) see(ctx context.Context, name string, n *topology.Node) NodeSeen {
	seen := NodeSeen{Name: name}
	if !n.Sandbox.Running() {
		seen.Role = "down"
		return seen
	}
	if fault.Answering(n) != nil {
		seen.Role = "paused"
		return seen
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if err := t.ask(ctx, n.Server, &seen); err != nil {
		seen = NodeSeen{Name: name, Role: "silent", Error: err.Error()}
	}
	return seen
}

func (t *Topology) ask(ctx context.Context, s *server.Server, seen *NodeSeen) (err error) {
	if seen.ReadOnly, err = s.ReadOnly(ctx); err != nil {
		return err
	}
	at, _, err := s.BinaryLogStatus(ctx)
	if err != nil {
		return err
	}
	seen.Coordinates = at.String()
	variable := map[flavor.GTIDStyle]string{flavor.GTIDMySQL: "gtid_executed", flavor.GTIDMariaDB: "gtid_current_pos"}[s.Dialect.GTID]
	if variable != "" {
		if seen.GTID, err = s.Variable(ctx, variable); err != nil {
			return err
		}
		seen.GTID = strings.Join(strings.Fields(seen.GTID), "")
	}
	statuses, err := s.ReplicaStatus(ctx)
	if err != nil {
		return err
	}
	for _, status := range statuses {
		if status.SourceHost != "" {
			seen.Channels = append(seen.Channels, t.channel(status))
		}
	}
	seen.SemiSync, err = semiSync(ctx, s)
	return err
}

func (t *Topology) channel(status server.ReplicaStatus) ChannelSeen {
	c := ChannelSeen{Source: net.JoinHostPort(status.SourceHost, strconv.Itoa(status.SourcePort)), IO: status.IORunning, SQL: status.SQLRunning,
		Lag: status.SecondsBehind, Executed: status.Executed.String()}
	for _, n := range t.Nodes {
		if status.SourcePort == n.Port || status.SourcePort == n.Front {
			c.Source = n.Name
		}
	}
	c.Delay, _ = strconv.Atoi(status.Raw["SQL_Delay"]) // not every server has it
	for _, one := range []struct {
		number int
		text   string
	}{{status.SQLErrno, status.SQLError}, {status.IOErrno, status.IOError}} {
		if one.number != 0 {
			c.Error = fmt.Sprintf("error %d: %s", one.number, one.text)
			break
		}
	}
	return c
}

// semiSync says what a server does for semi-synchronous replication; "" is nothing.
func semiSync(ctx context.Context, s *server.Server) (string, error) {
	d := s.Dialect.SemiSync
	names := []string{server.Quote(d.SourceEnabled), server.Quote(d.ReplicaEnabled)}
	if d.WaitCount != "" {
		names = append(names, server.Quote(d.WaitCount))
	}
	rows, err := s.Rows(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ("+strings.Join(names, ", ")+")")
	if err != nil {
		return "", err
	}
	values := map[string]string{d.WaitCount: "1"}
	for _, row := range rows {
		values[row["Variable_name"]] = row["Value"]
	}
	var does []string
	if values[d.SourceEnabled] == "ON" {
		clients, err := s.StatusVariable(ctx, d.StatusClients)
		if err != nil {
			return "", err
		}
		active, err := s.StatusVariable(ctx, d.StatusActive)
		if err != nil {
			return "", err
		}
		text := "waits for " + values[d.WaitCount] + " of " + clients
		if active != "ON" {
			text = "asynchronous"
		}
		does = append(does, text)
	}
	if values[d.ReplicaEnabled] == "ON" {
		does = append(does, "acknowledges")
	}
	return strings.Join(does, ", "), nil
}

// giveRoles says of each server that answers what it is to the others.
func (s *Snapshot) giveRoles() {
	followed := map[string]bool{}
	for _, n := range s.Nodes {
		for _, c := range n.Channels {
			followed[c.Source] = true
		}
	}
	for i, n := range s.Nodes {
		if n.Role != "" {
			continue
		}
		switch {
		case len(n.Channels) > 0 && !n.ReadOnly && followed[n.Name]:
			s.Nodes[i].Role = "ring partner"
		case len(n.Channels) > 0 && followed[n.Name]:
			s.Nodes[i].Role = "intermediate"
		case len(n.Channels) > 0:
			s.Nodes[i].Role = "replica"
		case followed[n.Name] || len(s.Nodes) == 1:
			s.Nodes[i].Role = "primary"
		default:
			s.Nodes[i].Role = "alone"
		}
	}
}
