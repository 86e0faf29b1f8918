// Package devtopology keeps topologies that stand on their own: brought up for a person, with a failover manager if wanted,
// or left by a failed spec, to be looked at, used, broken, healed and taken down by later commands.
package devtopology

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mysqlmatrix/harness/failover/process"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/topology"
)

const (
	descriptionFile = "devtopology.json"
	// The folders of a topology that was brought up.
	topologyDir = "t"       // servers
	managerDir  = "manager" // a failover manager's
	linksDir    = "links"
)

// Topology is one topology that stays up.
type Topology struct {
	Name     string `json:"name"` // unique among those that stand
	Entry    string `json:"entry"`
	Topology string `json:"topology"`
	Profile  string `json:"profile"`
	Server   string `json:"server"` // flavor and version
	Why      string `json:"why"`    // who asked for it
	Dir      string `json:"dir"`
	Nodes    []Node `json:"nodes"`
	// Manager is the failover manager that looks after it; nil is none.
	Manager *process.Running `json:"manager,omitempty"`
	// Links says that replicas and manager reach the servers by proxies, so that a link between two of them can be broken.
	Links  bool       `json:"links,omitempty"`
	Faults []Injected `json:"faults,omitempty"` // in force, oldest first
}

// Node is how to reach one server.
type Node struct {
	Name     string   `json:"name"`
	Running  bool     `json:"running"`
	PID      int      `json:"pid,omitempty"`
	Host     string   `json:"host"`
	Port     int      `json:"port"`
	Socket   string   `json:"socket"`
	User     string   `json:"user"`
	Password string   `json:"password"`
	DSN      string   `json:"dsn"` // for Go's MySQL driver
	Dir      string   `json:"dir"` // dbdeployer's scripts: use, stop, status …
	Sources  []string `json:"sources,omitempty"`
	ErrorLog string   `json:"error_log"`
	Front    int      `json:"front,omitempty"` // port by which replicas and manager reach it, where that is another one
}

// Store is the set of standing topologies of one user.
type Store struct{ Root *rundir.Root }

// Request is a topology to bring up.
type Request struct {
	topology.Options
	// Links puts a proxy before every server; see Topology.Links.
	Links bool
	// Manager is the failover manager to run beside it; nil is none.
	Manager *tool.Program
	// Self is this program, which runs links and manager as processes of their own.
	Self Self
}

// Up deploys a topology that outlives this process. When it fails or ctx ends, nothing is left.
func (l Store) Up(ctx context.Context, golden *sandbox.Golden, o Request) (_ *Topology, err error) {
	short := shortName(golden.Entry, golden.Flavor)
	dir, err := l.Root.Create(ctx, "up-"+short)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dir.Remove(context.WithoutCancel(ctx)))
		}
	}()
	name, err := l.freeName(short)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(Topology{Name: name})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir.Path, descriptionFile), text, 0o644); err != nil {
		return nil, fmt.Errorf("topology %s: %w", name, err)
	}
	if o.Links {
		free, err := o.addLinks(dir.Path)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, free()) }()
	}
	t, err := topology.Deploy(ctx, golden, o.Options, filepath.Join(dir.Path, topologyDir), dir.Path)
	if err != nil {
		return nil, err
	}
	err = o.startManager(ctx, dir.Path, t)
	if err := errors.Join(err, ctx.Err(), t.Disconnect()); err != nil {
		return nil, err
	}
	if err := dir.Keep("matrix up"); err != nil {
		return nil, err
	}
	return l.open(rundir.Kept{Path: dir.Path, Why: "matrix up"})
}

// shortName names a topology after its entry, or after vendor and version where the entry is no name of matrix.yaml, such
// as dir:/opt/mysql-8.0. The path of a socket is limited, so that a path is no name for a folder.
func shortName(entry string, f flavor.Flavor) string {
	if strings.ContainsAny(entry, ":/@") {
		return f.Vendor.String() + "-" + f.Version.String()
	}
	return entry
}

func (l Store) freeName(entry string) (string, error) {
	list, err := l.List()
	if err != nil {
		return "", err
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(list, func(one Topology) bool { return one.Name == name })
	}
	name := entry
	for i := 2; taken(name); i++ {
		name = entry + "." + strconv.Itoa(i)
	}
	return name, nil
}

// List is every standing topology, by name.
func (l Store) List() ([]Topology, error) {
	kept, err := l.Root.Kept()
	if err != nil {
		return nil, err
	}
	list := make([]Topology, 0, len(kept))
	for _, one := range kept {
		one, err := l.open(one)
		if err != nil {
			return nil, err
		}
		list = append(list, *one)
	}
	slices.SortFunc(list, func(a, b Topology) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

func (l Store) open(kept rundir.Kept) (*Topology, error) {
	one := &Topology{Name: filepath.Base(kept.Path)}
	text, err := os.ReadFile(filepath.Join(kept.Path, descriptionFile))
	if err == nil {
		err = json.Unmarshal(text, one)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("topology %s: %w", kept.Path, err)
	}
	one.Dir, one.Why = kept.Path, kept.Why
	plans, err := filepath.Glob(filepath.Join(kept.Path, "*", "topology.json"))
	if err != nil {
		return nil, err
	}
	for i, plan := range plans {
		t, err := topology.Load(filepath.Dir(plan))
		if err != nil {
			return nil, fmt.Errorf("topology %s: %w", one.Name, err)
		}
		one.Entry, one.Topology, one.Server, one.Profile = t.Nodes[0].Sandbox.Entry(), t.Shape.String(), t.Flavor.String(), string(t.Profile)
		one.Nodes = append(one.Nodes, nodes(t, prefix(i, len(plans)))...)
	}
	return one, one.extras()
}

// extras are what stands beside the servers.
func (t *Topology) extras() error {
	running, err := process.Find(filepath.Join(t.Dir, managerDir))
	switch {
	case err == nil:
		t.Manager = &running
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("topology %s: %w", t.Name, err)
	}
	if _, err := os.Stat(filepath.Join(t.Dir, linksDir)); err == nil {
		t.Links = true
	}
	t.Faults, err = readFaults(t.Dir)
	return err
}

// prefix tells the nodes of several topologies of one spec apart.
func prefix(i, of int) string {
	if of == 1 {
		return ""
	}
	return "t" + strconv.Itoa(i+1) + "."
}

func nodes(t *topology.Topology, prefix string) []Node {
	var list []Node
	for _, n := range t.Nodes {
		s := n.Sandbox
		endpoint := s.Endpoint()
		node := Node{Name: prefix + n.Name, PID: s.PID(), Host: endpoint.Host, Port: endpoint.Port, Socket: s.Socket(),
			User: endpoint.User, Password: endpoint.Password, DSN: endpoint.Config("").FormatDSN(), Dir: s.Dir(), ErrorLog: s.ErrorLogPath(), Front: n.Front}
		node.Running = node.PID != 0
		for _, source := range n.Sources {
			node.Sources = append(node.Sources, prefix+t.Nodes[source].Name)
		}
		list = append(list, node)
	}
	return list
}

// Find is the topology of a name, or the only one for "".
func (l Store) Find(name string) (*Topology, error) {
	list, err := l.List()
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range list {
		if list[i].Name == name || name == "" && len(list) == 1 {
			return &list[i], nil
		}
		names = append(names, list[i].Name)
	}
	switch {
	case len(list) == 0 && name == "":
		return nil, errNoneUp
	case name == "":
		return nil, fmt.Errorf("several topologies are up: name one of %s", strings.Join(names, ", "))
	}
	return nil, &AbsentError{Name: name, Up: names}
}

var errNoneUp = errors.New("no topology is up: bring one up with `matrix up ENTRY`")

// Node finds a node by "node" or "topology/node". An error lists what there is.
func (l Store) Node(name string) (*Topology, *Node, error) {
	list, err := l.List()
	if err != nil {
		return nil, nil, err
	}
	if len(list) == 0 {
		return nil, nil, errNoneUp
	}
	wantTopology, wantNode, qualified := strings.Cut(name, "/")
	if !qualified {
		wantTopology, wantNode = "", name
	}
	type found struct {
		topology *Topology
		node     *Node
	}
	var matches []found
	var all []string
	for i := range list {
		for j := range list[i].Nodes {
			full := list[i].Name + "/" + list[i].Nodes[j].Name
			all = append(all, full)
			if (wantTopology == "" || wantTopology == list[i].Name) && wantNode == list[i].Nodes[j].Name {
				matches = append(matches, found{&list[i], &list[i].Nodes[j]})
			}
		}
	}
	switch len(matches) {
	case 1:
		return matches[0].topology, matches[0].node, nil
	case 0:
		return nil, nil, fmt.Errorf("no node %q; there are %s", name, strings.Join(all, ", "))
	default:
		return nil, nil, fmt.Errorf("node %q is in several topologies: name one of %s", name, strings.Join(all, ", "))
	}
}

// managerGrace is how long a manager may take to end.
const managerGrace = 2 * time.Second

// Down stops and removes a topology by name, or every one for "". It returns the names of those removed.
func (l Store) Down(ctx context.Context, name string) ([]string, error) {
	list, err := l.List()
	if err != nil {
		return nil, err
	}
	var removed, names []string
	for _, one := range list {
		names = append(names, one.Name)
		if name != "" && name != one.Name {
			continue
		}
		// First of all the manager: it would take servers that are stopped for dead ones.
		_, err := proc.Sweep(ctx, filepath.Join(one.Dir, managerDir), managerGrace)
		if err := errors.Join(err, l.Root.RemoveKept(ctx, one.Dir)); err != nil {
			return removed, fmt.Errorf("take down %s: %w", one.Name, err)
		}
		removed = append(removed, one.Name)
	}
	if name != "" && len(removed) == 0 {
		return nil, &AbsentError{Name: name, Up: names}
	}
	return removed, nil
}

// AbsentError is a topology that is not up.
type AbsentError struct {
	Name string
	Up   []string // those that are
}

// Error says which are up.
func (e *AbsentError) Error() string {
	if len(e.Up) == 0 {
		return fmt.Sprintf("no topology %q is up; none is", e.Name)
	}
	return fmt.Sprintf("no topology %q is up; there are %s", e.Name, strings.Join(e.Up, ", "))
}
