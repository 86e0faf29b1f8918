package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

// Conditional is a fault that a server need not be able to have now.
type Conditional interface {
	Fault
	// Available is an error that says why it cannot be injected; nil when it can.
	Available(ctx context.Context) error
}

// Available is the answer of a fault that is conditional; others can always be injected.
func Available(ctx context.Context, f Fault) error {
	if c, ok := f.(Conditional); ok {
		return c.Available(ctx)
	}
	return nil
}

// Available wants a server that runs.
func (f Kill) Available(context.Context) error { return running(f.Node) }

// Available wants a server that runs.
func (f Shutdown) Available(context.Context) error { return running(f.Node) }

// Available wants a server that runs, and is not paused.
func (f Pause) Available(context.Context) error { return Answering(f.Node) }

// Answering is an error for a server that cannot answer: its process is gone, or stopped by a signal.
func Answering(n *topology.Node) error {
	if err := running(n); err != nil {
		return err
	}
	state, err := processState(n.Sandbox.PID())
	if err == nil && state == "T" {
		err = fmt.Errorf("%s is paused", n.Name)
	}
	return err
}

func running(n *topology.Node) error {
	if !n.Sandbox.Running() {
		return fmt.Errorf("%s does not run", n.Name)
	}
	return nil
}

// Available wants a channel whose thread runs.
func (f StopThread) Available(ctx context.Context) error {
	statuses, err := replicates(ctx, f.Node)
	if err != nil {
		return err
	}
	for _, s := range statuses {
		if s.Channel == f.Channel && f.state(s) == "No" {
			return fmt.Errorf("the %s thread of %s is stopped already", f.Thread, f.Node.Name)
		}
	}
	return nil
}

// Available wants a replica of one source, on a server that can delay.
func (f Delay) Available(ctx context.Context) error {
	statuses, err := replicates(ctx, f.Node)
	if err != nil {
		return err
	}
	delay, able := statuses[0].Raw["SQL_Delay"]
	switch {
	case len(statuses) > 1:
		return fmt.Errorf("%s has several sources", f.Node.Name)
	case !able:
		return fmt.Errorf("%s: %s cannot delay a replica", f.Node.Name, f.Node.Server.Flavor)
	case delay != "0":
		return fmt.Errorf("%s applies %s s late already", f.Node.Name, delay)
	}
	return nil
}

// replicates are the channels of a node; it is an error when it has none.
func replicates(ctx context.Context, n *topology.Node) (list []server.ReplicaStatus, err error) {
	if err := Answering(n); err != nil {
		return nil, err
	}
	statuses, err := n.Server.ReplicaStatus(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range statuses {
		if s.SourceHost != "" {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s replicates from nobody", n.Name)
	}
	return list, nil
}

// Available wants a server whose space for tables is limited; see LimitedSpace.
func (f FullSpace) Available(ctx context.Context) error {
	if err := Answering(f.Node); err != nil {
		return err
	}
	path, err := f.Node.Server.Variable(ctx, "innodb_data_file_path")
	if err == nil && !strings.Contains(path, ":max:") {
		err = errors.New("the space for tables of " + f.Node.Name + " is not limited (innodb_data_file_path is " + path + ")")
	}
	return err
}
