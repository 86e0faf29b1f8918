package devtopology

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/topology"
)

// FaultKind is a fault that a person can inject into a topology that is up.
type FaultKind struct {
	Name  string
	Short string // what it does
	Long  string // more of it; may be ""
	Nodes int    // how many it concerns
	By    string // what its amount is, "" for one without
	Least time.Duration
	// order says when it is healed among several: a server has to run before its links and threads can be seen to work.
	order int
	make  func(context.Context, place) (fault.Fault, error)
}

// The steps of healing.
const (
	healProcesses = iota
	healLinks
	healRest
)

// place is where a fault is injected.
type place struct {
	up    *Topology
	nodes []*topology.Node // nil for the manager
	names []string
	by    time.Duration
}

// FaultKinds are all that there are.
var FaultKinds = []FaultKind{
	{Name: "kill", Nodes: 1, order: healProcesses, Short: "End a server as a crash does, by SIGKILL; healing starts it again",
		make: func(_ context.Context, p place) (fault.Fault, error) { return fault.Kill{Node: p.nodes[0]}, nil }},
	{Name: "pause", Nodes: 1, order: healProcesses, Short: "Make a server hang by SIGSTOP: its connections stay open, and nobody answers",
		make: func(_ context.Context, p place) (fault.Fault, error) { return fault.Pause{Node: p.nodes[0]}, nil }},
	{Name: "cut", Nodes: 2, order: healLinks, Short: "Close all connections between two nodes, and refuse new ones", Long: linksHelp, make: onLinks("cut")},
	{Name: "drop", Nodes: 2, order: healLinks, Short: "Let everything vanish that two nodes send one another; no connection is closed", Long: linksHelp, make: onLinks("drop")},
	{Name: "delay", Nodes: 2, By: "how much later everything arrives, such as 200ms", Least: time.Millisecond, order: healLinks,
		Short: "Delay everything that two nodes send one another, each way", Long: linksHelp, make: onLinks("delay")},
	{Name: "lag", Nodes: 1, By: "how much later than its source it applies, in whole seconds, such as 30s", Least: time.Second, order: healRest,
		Short: "Have a replica apply everything later than its source did",
		make: func(_ context.Context, p place) (fault.Fault, error) {
			return fault.Delay{Node: p.nodes[0], By: p.by}, nil
		}},
	{Name: "stop-applier", Nodes: 1, order: healRest, Short: "Stop the SQL threads of a replica: it receives, and applies nothing", make: onThread(fault.SQLThread)},
	{Name: "stop-receiver", Nodes: 1, order: healRest, Short: "Stop the I/O threads of a replica: it receives nothing", make: onThread(fault.IOThread)},
	{Name: "fill-disk", Nodes: 1, order: healRest, Short: "Take all the space that a server has for its tables: writes fail as on a full disk",
		Long: "The topology has to be one of `matrix up ENTRY --small-disk`, where the tables of each server get 24 MiB.",
		make: func(_ context.Context, p place) (fault.Fault, error) {
			return smallDisk{fault.FullSpace{Node: p.nodes[0]}}, nil
		}},
}

// SmallDisk are option lines by which fill-disk is possible.
var SmallDisk = fault.LimitedSpace

const linksHelp = "The topology has to be one of `matrix up ENTRY --links`. One of the nodes may be `manager`."

// FindFaultKind is the kind of a name.
func FindFaultKind(name string) (FaultKind, bool) {
	i := slices.IndexFunc(FaultKinds, func(k FaultKind) bool { return k.Name == name })
	if i < 0 {
		return FaultKind{}, false
	}
	return FaultKinds[i], true
}

// onThread makes the fault that stops a thread on each channel.
func onThread(thread fault.Thread) func(context.Context, place) (fault.Fault, error) {
	return func(ctx context.Context, p place) (fault.Fault, error) {
		n := p.nodes[0]
		if err := fault.Answering(n); err != nil {
			return nil, err
		}
		statuses, err := n.Server.ReplicaStatus(ctx)
		if err != nil {
			return nil, err
		}
		var list several
		for _, s := range statuses {
			if s.SourceHost != "" {
				list = append(list, fault.StopThread{Node: n, Thread: thread, Channel: s.Channel})
			}
		}
		if len(list) == 0 {
			return nil, &pointlessError{fmt.Sprintf("%s replicates from nobody", n.Name)}
		}
		return list, nil
	}
}

// pointlessError is a fault that a server cannot have now, and so has no more if it had it.
type pointlessError struct{ text string }

func (e *pointlessError) Error() string { return e.text }

// several are faults that are one.
type several []fault.Fault

// String names them all.
func (f several) String() string {
	var names []string
	for _, one := range f {
		names = append(names, one.String())
	}
	return strings.Join(names, " and ")
}

// Inject injects them in order.
func (f several) Inject(ctx context.Context) error { return fault.InjectAll(ctx, f) }

// Heal heals them in the other order.
func (f several) Heal(ctx context.Context) error { return fault.HealAll(ctx, f) }

// Available is the first answer that is no.
func (f several) Available(ctx context.Context) error {
	for _, one := range f {
		if err := fault.Available(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

// smallDisk says how a topology comes by limited space.
type smallDisk struct{ fault.FullSpace }

// Available wants a topology that was brought up so.
func (f smallDisk) Available(ctx context.Context) error {
	if err := f.FullSpace.Available(ctx); err != nil {
		return fmt.Errorf("%w: bring up one with --small-disk", err)
	}
	return nil
}

// onLinks makes a fault that the process of the links carries out.
func onLinks(name string) func(context.Context, place) (fault.Fault, error) {
	return func(_ context.Context, p place) (fault.Fault, error) { return onLink{name, p}, nil }
}

// onLink is a fault on the links between two nodes.
type onLink struct {
	kind string
	place
}

// String is the kind and the names.
func (f onLink) String() string { return f.kind + " " + strings.Join(f.names, " ") }

// Inject returns when it is in force.
func (f onLink) Inject(ctx context.Context) error { return f.ask(ctx, false) }

// Heal returns when the links carry questions and answers again, where the servers can give any.
func (f onLink) Heal(ctx context.Context) error { return f.ask(ctx, true) }

func (f onLink) ask(ctx context.Context, heal bool) error {
	return askLinks(ctx, filepath.Join(f.up.Dir, linksDir), order{Fault: f.kind, A: f.names[0], B: f.names[1], By: f.by, Heal: heal})
}

// Available wants links, and servers that answer.
func (f onLink) Available(context.Context) error {
	if !f.up.Links {
		return fmt.Errorf("topology %s has no links that can be broken: bring up one with --links", f.up.Name)
	}
	for _, n := range f.nodes {
		switch {
		case n == nil && f.up.Manager == nil:
			return fmt.Errorf("topology %s has no manager", f.up.Name)
		case n == nil:
		default:
			if err := fault.Answering(n); err != nil {
				return err
			}
		}
	}
	return nil
}
