// Package topology wires sandboxes into replication, proves that it works, waits for replicas, and
// gathers what every node says of itself.
package topology

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
)

// metaFile is where a topology's folder says what it is, for a later process.
const metaFile = "topology.json"

// Options describe a topology to deploy.
type Options struct {
	Shape    Shape
	GTID     bool             // replicate by GTID; otherwise by binary log coordinates
	Format   string           // binlog_format: ROW (when empty), STATEMENT or MIXED
	SemiSync bool             // the primary's commits wait for one replica's acknowledgement
	Server   []string         // option lines for every node
	PerNode  map[int][]string // option lines for one node, by index
	// LogDisk gives the binary logs of single nodes (by index) a file system of so many kilobytes, for fault.FullDisk.
	LogDisk map[int]int
	// Golden overrides the golden sandbox of single nodes (by index), for mixed versions.
	Golden map[int]*sandbox.Golden
	// Evidence is a folder for what the nodes say of themselves when the deployment fails; "" is none.
	Evidence string
	// Fronts is called when the servers run, before they are wired: it may give nodes a Front. Nil gives them none.
	Fronts func(context.Context, *Topology) error
}

// Topology is a set of running, wired servers. Nodes[0] is the primary (of a ring or fan-in, the first).
type Topology struct {
	Nodes    []*Node
	Flavor   flavor.Flavor // of the primary
	Profile  sandbox.Profile
	Shape    Shape
	GTID     bool
	SemiSync bool
	Dir      string
}

// Node is one server of a topology.
type Node struct {
	Name    string // primary, replica1, …
	Sources []int  // indices of the nodes that it was wired to replicate from
	Sandbox *sandbox.Sandbox
	Server  *server.Server // connections of an administrator
	// Front is a port of this machine by which replicas and managers reach the server, a proxy's; 0 is the server's own.
	Front int
}

// Endpoint is where a manager connects.
func (n *Node) Endpoint() server.Endpoint { return n.front(n.Sandbox.Endpoint()) }

// Replication is where replicas connect.
func (n *Node) Replication() server.Endpoint { return n.front(n.Sandbox.ReplicationEndpoint()) }

func (n *Node) front(e server.Endpoint) server.Endpoint {
	if n.Front != 0 {
		e.Port = n.Front
	}
	return e
}

// Primary is the first node.
func (t *Topology) Primary() *Node { return t.Nodes[0] }

// Replicas are the nodes that were wired to replicate, in order; both primaries of a ring are among them.
func (t *Topology) Replicas() []*Node {
	var list []*Node
	for _, n := range t.Nodes {
		if len(n.Sources) > 0 {
			list = append(list, n)
		}
	}
	return list
}

// Node finds a node by name.
func (t *Topology) Node(name string) (*Node, error) {
	var names []string
	for _, n := range t.Nodes {
		if n.Name == name {
			return n, nil
		}
		names = append(names, n.Name)
	}
	return nil, fmt.Errorf("no node %q; there are %v", name, names)
}

// Channel is the replication channel from a source: the default one but where there are several sources.
func (t *Topology) Channel(n *Node, source int) string {
	if len(n.Sources) > 1 {
		return t.Nodes[source].Name
	}
	return ""
}

// Deploy starts, wires and proves a topology in dir. On failure nothing is left running, and the error
// says which node, which thread, which error.
func Deploy(ctx context.Context, golden *sandbox.Golden, o Options, dir, scope string) (_ *Topology, err error) {
	if err := o.check(golden); err != nil {
		return nil, err
	}
	t := &Topology{Flavor: golden.Flavor, Profile: golden.Profile, Shape: o.Shape, GTID: o.GTID, SemiSync: o.SemiSync, Dir: dir}
	defer func() {
		if err != nil {
			err = fmt.Errorf("topology %s of %s: %w", o.Shape, golden.Entry, err)
			if o.Evidence != "" {
				err = errors.Join(err, t.Evidence(ctx, o.Evidence))
			}
			err = errors.Join(err, t.Close())
		}
	}()
	roles := o.Shape.roles()
	t.Nodes = make([]*Node, len(roles))
	for i, p := range roles {
		t.Nodes[i] = &Node{Name: p.name, Sources: p.sources}
	}
	if err := t.each(ctx, func(ctx context.Context, i int, n *Node) error {
		g := golden
		if own := o.Golden[i]; own != nil {
			g = own
		}
		spec := sandbox.Spec{ServerID: 101 + i, Options: o.lines(g.Flavor, i, len(n.Sources) > 0), Scope: scope, LogDisk: o.LogDisk[i]}
		return n.start(ctx, g, filepath.Join(dir, n.Name), spec)
	}); err != nil {
		return nil, err
	}
	if o.Fronts != nil {
		if err := o.Fronts(ctx, t); err != nil {
			return nil, err
		}
	}
	if err := t.Rewire(ctx); err != nil {
		return nil, err
	}
	return t, t.save()
}

// Rewire has nodes that replicate from nobody replicate as the shape wants it, from the first events of their sources, and
// proves it.
func (t *Topology) Rewire(ctx context.Context) error {
	if err := t.each(ctx, func(ctx context.Context, _ int, n *Node) error { return t.wire(ctx, n) }); err != nil {
		return err
	}
	return t.Prove(ctx)
}

// Reconnect replaces the connections to the nodes.
func (t *Topology) Reconnect(ctx context.Context) error {
	err := t.Disconnect()
	return errors.Join(err, t.each(ctx, func(ctx context.Context, _ int, n *Node) (err error) {
		n.Server, err = server.Open(ctx, n.Sandbox.Endpoint())
		return err
	}))
}

// Unconnected gives the nodes a Server each without connecting: what they are is known from their sandboxes. So servers
// that do not answer can be looked at and healed. limit bounds each read and write of their connections.
func (t *Topology) Unconnected(limit time.Duration) error {
	for _, n := range t.Nodes {
		endpoint := n.Sandbox.Endpoint()
		endpoint.Limit = limit
		db, err := endpoint.OpenDB("")
		if err != nil {
			return err
		}
		n.Server = &server.Server{DB: db, Endpoint: endpoint, Flavor: n.Sandbox.Flavor(), Dialect: n.Sandbox.Flavor().Dialect()}
	}
	return nil
}

// UnsupportedError is a server that lacks a capability that was asked for.
type UnsupportedError struct {
	Flavor     flavor.Flavor
	Capability flavor.Capability
}

// Error names the server and what it lacks.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s has no %s", e.Flavor, e.Capability)
}

func (o Options) check(g *sandbox.Golden) error {
	needs := map[flavor.Capability]bool{
		flavor.CapGTID: o.GTID, flavor.CapSemiSync: o.SemiSync, flavor.CapMultiSource: o.Shape.severalSources(),
	}
	for capability, needed := range needs {
		if needed && !g.Capabilities[capability] {
			return &UnsupportedError{g.Flavor, capability}
		}
	}
	if !slices.Contains([]string{"", "ROW", "STATEMENT", "MIXED"}, o.Format) {
		return fmt.Errorf("binary log format %q: want ROW, STATEMENT or MIXED", o.Format)
	}
	return nil
}

// lines are a node's option lines.
func (o Options) lines(f flavor.Flavor, index int, replica bool) []string {
	d := f.Dialect()
	format := o.Format
	if format == "" {
		format = "ROW"
	}
	lines := []string{
		"log-bin=mysql-bin", "relay-log=mysql-relay", "loose-binlog_format=" + format, d.LogUpdates + "=1",
		d.ReplicaNetTime + "=2", // seconds: a silent source is noticed
		// Circular and multi-source topologies would collide on generated keys.
		"auto_increment_increment=" + fmt.Sprint(o.increment()), "auto_increment_offset=" + fmt.Sprint(o.offset(index)),
	}
	if o.GTID && d.GTID == flavor.GTIDMySQL {
		lines = append(lines, "gtid_mode=ON", "enforce_gtid_consistency=ON")
	}
	if !o.GTID && d.GTID == flavor.GTIDMySQL && len(o.Golden) > 0 {
		// A receiver refuses a source of another mode, and the default differs: ON since 9.7, OFF before.
		lines = append(lines, "gtid_mode=OFF")
	}
	if d.GTID == flavor.GTIDMariaDB {
		// Where several servers write, each needs a domain of its own for its sequence to be ordered.
		domain := 0
		if o.Shape.Primaries() > 1 {
			domain = o.Shape.set(index) + 1
		}
		lines = append(lines, fmt.Sprintf("gtid_domain_id=%d", domain))
	}
	if replica && o.Shape.Kind != Ring {
		lines = append(lines, "read_only=1")
	}
	if o.SemiSync {
		lines = append(lines, semiSyncLines(d.SemiSync, replica)...)
	}
	return append(append(lines, o.Server...), o.PerNode[index]...)
}

func (o Options) increment() int {
	return max(1, o.Shape.Primaries())
}

func (o Options) offset(index int) int { return o.Shape.set(index)%o.increment() + 1 }

// semiSyncTimeout, in milliseconds, is longer than any spec: a primary without replicas blocks rather than
// falling back to asynchronous replication unseen.
const semiSyncTimeout = 600_000

func semiSyncLines(s flavor.SemiSync, replica bool) []string {
	var lines []string
	if s.SourcePlugin != "" {
		lines = append(lines, "plugin-load-add="+s.SourcePlugin+"="+s.SourceLibrary,
			"plugin-load-add="+s.ReplicaPlugin+"="+s.ReplicaLibrary)
	}
	// A replica may be promoted: its source side is ready and off.
	source, follower := 1, 0
	if replica {
		source, follower = 0, 1
	}
	return append(lines, fmt.Sprintf("loose-%s=%d", s.SourceEnabled, source),
		fmt.Sprintf("loose-%s=%d", s.ReplicaEnabled, follower), fmt.Sprintf("loose-%s=%d", s.Timeout, semiSyncTimeout))
}

func (n *Node) start(ctx context.Context, g *sandbox.Golden, dir string, spec sandbox.Spec) (err error) {
	if n.Sandbox, err = g.Clone(dir, spec); err != nil {
		return err
	}
	if err := n.Sandbox.Start(ctx); err != nil {
		return err
	}
	n.Server, err = server.Open(ctx, n.Sandbox.Endpoint())
	return err
}

// wire points a node at its sources and starts replication.
func (t *Topology) wire(ctx context.Context, n *Node) error {
	for _, index := range n.Sources {
		if err := t.follow(ctx, n, t.Nodes[index], t.Channel(n, index)); err != nil {
			return err
		}
	}
	return nil
}

// follow has a fresh node replicate from another one's first event.
func (t *Topology) follow(ctx context.Context, n, from *Node, channel string) error {
	src := server.Source{Endpoint: from.Replication(), Channel: channel, GTID: t.GTID, Heartbeat: heartbeat}
	if !t.GTID {
		logs, err := from.Server.BinaryLogs(ctx)
		if err != nil {
			return err
		}
		// 4 is the length of a binary log's magic number.
		src.At = server.Coordinates{File: logs[0].Name, Pos: 4}
	}
	if err := n.Server.PointTo(ctx, src); err != nil {
		return err
	}
	return n.Server.StartReplica(ctx, channel)
}

// Provision starts a node anew that has lost its data, from the golden sandbox, below a source whose binary logs still
// hold everything: it replicates from their first event. It returns when replication was started.
func (t *Topology) Provision(ctx context.Context, n *Node, golden *sandbox.Golden, source *Node) error {
	if err := golden.Provision(n.Sandbox); err != nil {
		return err
	}
	if err := n.Sandbox.Start(ctx); err != nil {
		return err
	}
	return t.follow(ctx, n, source, "")
}

// each does something for all nodes at once.
func (t *Topology) each(ctx context.Context, do func(context.Context, int, *Node) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range t.Nodes {
		group.Go(func() error {
			if err := do(ctx, i, n); err != nil {
				return fmt.Errorf("node %s: %w", n.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// Close kills the servers and deletes the topology's folder.
func (t *Topology) Close() error {
	errs := []error{t.Disconnect()}
	for _, n := range t.Nodes {
		if n != nil && n.Sandbox != nil {
			errs = append(errs, n.Sandbox.Remove())
		}
	}
	return errors.Join(append(errs, os.RemoveAll(t.Dir))...)
}

// Disconnect closes the connections and leaves the servers running.
func (t *Topology) Disconnect() error {
	var errs []error
	for _, n := range t.Nodes {
		if n != nil && n.Server != nil {
			errs = append(errs, n.Server.Close())
		}
	}
	return errors.Join(errs...)
}

// saved is a topology in its folder.
type saved struct {
	Profile  string      `json:"profile"`
	Shape    string      `json:"shape"`
	GTID     bool        `json:"gtid"`
	SemiSync bool        `json:"semi_sync"`
	Nodes    []savedNode `json:"nodes"`
}

type savedNode struct {
	Name    string `json:"name"`
	Dir     string `json:"dir"`
	Sources []int  `json:"sources,omitempty"`
	Front   int    `json:"front,omitempty"`
}

func (t *Topology) save() error {
	s := saved{Profile: string(t.Profile), Shape: t.Shape.String(), GTID: t.GTID, SemiSync: t.SemiSync}
	for _, n := range t.Nodes {
		s.Nodes = append(s.Nodes, savedNode{n.Name, n.Sandbox.Dir(), n.Sources, n.Front})
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(t.Dir, metaFile), text, 0o644)
}

// Load finds a topology that another process deployed, without connecting to its servers: every node's
// Server is nil.
func Load(dir string) (*Topology, error) {
	text, err := os.ReadFile(filepath.Join(dir, metaFile))
	if err != nil {
		return nil, fmt.Errorf("topology: %w", err)
	}
	var s saved
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("topology %s: %w", dir, err)
	}
	shape, err := ParseShape(s.Shape)
	if err != nil {
		return nil, fmt.Errorf("topology %s: %w", dir, err)
	}
	t := &Topology{Profile: sandbox.Profile(s.Profile), Shape: shape, GTID: s.GTID, SemiSync: s.SemiSync, Dir: dir}
	for _, one := range s.Nodes {
		n := &Node{Name: one.Name, Sources: one.Sources, Front: one.Front}
		if n.Sandbox, err = sandbox.Open(one.Dir); err != nil {
			return nil, fmt.Errorf("topology %s: %w", dir, err)
		}
		t.Nodes = append(t.Nodes, n)
	}
	if len(t.Nodes) == 0 {
		return nil, fmt.Errorf("topology %s: it has no nodes", dir)
	}
	t.Flavor = t.Nodes[0].Sandbox.Flavor()
	return t, nil
}
