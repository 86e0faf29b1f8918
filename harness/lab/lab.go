// Package lab keeps topologies that stand on their own: brought up for a person, or left by a failed
// spec, to be looked at, used and taken down by later commands.
package lab

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

	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/topology"
)

const labFile = "lab.json"

// Lab is one standing topology.
type Lab struct {
	Name     string `json:"name"` // unique among those that stand
	Entry    string `json:"entry"`
	Topology string `json:"topology"`
	Profile  string `json:"profile"`
	Server   string `json:"server"` // flavor and version
	Why      string `json:"why"`    // who asked for it
	Dir      string `json:"dir"`
	Nodes    []Node `json:"nodes"`
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
}

// Labs is the set of standing topologies of one user.
type Labs struct{ Root *rundir.Root }

// Up deploys a topology that outlives this process. When it fails or ctx ends, nothing is left.
func (l Labs) Up(ctx context.Context, golden *sandbox.Golden, o topology.Options) (_ *Lab, err error) {
	dir, err := l.Root.Create(ctx, "up-"+shortName(golden.Entry))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dir.Remove(context.WithoutCancel(ctx)))
		}
	}()
	name, err := l.freeName(shortName(golden.Entry))
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(Lab{Name: name})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir.Path, labFile), text, 0o644); err != nil {
		return nil, fmt.Errorf("lab %s: %w", name, err)
	}
	t, err := topology.Deploy(ctx, golden, o, filepath.Join(dir.Path, "t"), dir.Path)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(ctx.Err(), t.Disconnect()); err != nil {
		return nil, err
	}
	if err := dir.Keep("matrix up"); err != nil {
		return nil, err
	}
	return l.open(rundir.Kept{Path: dir.Path, Why: "matrix up"})
}

// shortName makes a reference such as dir:/opt/mysql-8.0 a short folder name: sockets' paths are limited.
func shortName(entry string) string {
	name := strings.NewReplacer(":", "-", "/", "-", "@", "-").Replace(entry)
	return name[max(0, len(name)-20):]
}

func (l Labs) freeName(entry string) (string, error) {
	labs, err := l.List()
	if err != nil {
		return "", err
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(labs, func(one Lab) bool { return one.Name == name })
	}
	name := entry
	for i := 2; taken(name); i++ {
		name = entry + "." + strconv.Itoa(i)
	}
	return name, nil
}

// List is every standing topology.
func (l Labs) List() ([]Lab, error) {
	kept, err := l.Root.Kept()
	if err != nil {
		return nil, err
	}
	labs := make([]Lab, 0, len(kept))
	for _, one := range kept {
		lab, err := l.open(one)
		if err != nil {
			return nil, err
		}
		labs = append(labs, *lab)
	}
	return labs, nil
}

func (l Labs) open(kept rundir.Kept) (*Lab, error) {
	lab := &Lab{Name: filepath.Base(kept.Path)}
	text, err := os.ReadFile(filepath.Join(kept.Path, labFile))
	if err == nil {
		err = json.Unmarshal(text, lab)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("lab %s: %w", kept.Path, err)
	}
	lab.Dir, lab.Why = kept.Path, kept.Why
	plans, err := filepath.Glob(filepath.Join(kept.Path, "*", "topology.json"))
	if err != nil {
		return nil, err
	}
	for i, plan := range plans {
		t, err := topology.Load(filepath.Dir(plan))
		if err != nil {
			return nil, fmt.Errorf("lab %s: %w", lab.Name, err)
		}
		prefix := ""
		if len(plans) > 1 {
			prefix = "t" + strconv.Itoa(i+1) + "."
		}
		lab.Entry, lab.Topology, lab.Server, lab.Profile = t.Nodes[0].Sandbox.Entry(), t.Shape.String(), t.Flavor.String(), string(t.Profile)
		lab.Nodes = append(lab.Nodes, nodes(t, prefix)...)
	}
	return lab, nil
}

func nodes(t *topology.Topology, prefix string) []Node {
	var list []Node
	for _, n := range t.Nodes {
		s := n.Sandbox
		endpoint := s.Endpoint()
		node := Node{Name: prefix + n.Name, PID: s.PID(), Host: endpoint.Host, Port: endpoint.Port, Socket: s.Socket(),
			User: endpoint.User, Password: endpoint.Password, DSN: endpoint.Config("").FormatDSN(), Dir: s.Dir(), ErrorLog: s.ErrorLogPath()}
		node.Running = node.PID != 0
		for _, source := range n.Sources {
			node.Sources = append(node.Sources, prefix+t.Nodes[source].Name)
		}
		list = append(list, node)
	}
	return list
}

// Node finds a node by "node" or "lab/node". An error lists what there is.
func (l Labs) Node(name string) (*Lab, *Node, error) {
	labs, err := l.List()
	if err != nil {
		return nil, nil, err
	}
	if len(labs) == 0 {
		return nil, nil, errors.New("no topology is up: bring one up with `matrix up ENTRY`")
	}
	wantLab, wantNode, qualified := strings.Cut(name, "/")
	if !qualified {
		wantLab, wantNode = "", name
	}
	type found struct {
		lab  *Lab
		node *Node
	}
	var matches []found
	var all []string
	for i := range labs {
		for j := range labs[i].Nodes {
			full := labs[i].Name + "/" + labs[i].Nodes[j].Name
			all = append(all, full)
			if (wantLab == "" || wantLab == labs[i].Name) && wantNode == labs[i].Nodes[j].Name {
				matches = append(matches, found{&labs[i], &labs[i].Nodes[j]})
			}
		}
	}
	switch len(matches) {
	case 1:
		return matches[0].lab, matches[0].node, nil
	case 0:
		return nil, nil, fmt.Errorf("no node %q; there are %s", name, strings.Join(all, ", "))
	default:
		return nil, nil, fmt.Errorf("node %q is in several topologies: name one of %s", name, strings.Join(all, ", "))
	}
}

// Down stops and removes a lab by name, or every one for "". It returns the names of those removed.
func (l Labs) Down(ctx context.Context, name string) ([]string, error) {
	labs, err := l.List()
	if err != nil {
		return nil, err
	}
	var removed, names []string
	for _, lab := range labs {
		names = append(names, lab.Name)
		if name != "" && name != lab.Name {
			continue
		}
		if err := l.Root.RemoveKept(ctx, lab.Dir); err != nil {
			return removed, fmt.Errorf("take down %s: %w", lab.Name, err)
		}
		removed = append(removed, lab.Name)
	}
	if name != "" && len(removed) == 0 {
		if len(names) == 0 {
			return nil, fmt.Errorf("no topology %q is up; there is none at all", name)
		}
		return nil, fmt.Errorf("no topology %q is up; there are %s", name, strings.Join(names, ", "))
	}
	return removed, nil
}
