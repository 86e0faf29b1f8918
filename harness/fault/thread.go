package fault

import (
	"context"
	"fmt"

	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

// Thread is one of a replica's two kinds of replication threads.
type Thread uint8

// The threads. The zero value is invalid.
const (
	ThreadUnknown Thread = iota
	IOThread             // fetches from the source
	SQLThread            // applies what was fetched
)

// String is IO or SQL.
func (t Thread) String() string {
	switch t {
	case IOThread:
		return "IO"
	case SQLThread:
		return "SQL"
	default:
		return "unknown"
	}
}

// StopThread stops a replication thread of a node; healing starts it again.
type StopThread struct {
	Node    *topology.Node
	Thread  Thread
	Channel string // "" is the default one
}

// String is "stop the IO thread of " and the node's name.
func (f StopThread) String() string {
	return fmt.Sprintf("stop the %s thread of %s", f.Thread, f.Node.Name)
}

// Inject returns when the server says that the thread does not run.
func (f StopThread) Inject(ctx context.Context) error {
	do := map[Thread]func(context.Context, string) error{IOThread: f.Node.Server.StopIOThread, SQLThread: f.Node.Server.StopSQLThread}
	return f.set(ctx, f.String(), do[f.Thread], "No")
}

// Heal returns when the server says that the thread runs; a fetching one also must have its source.
func (f StopThread) Heal(ctx context.Context) error {
	do := map[Thread]func(context.Context, string) error{IOThread: f.Node.Server.StartIOThread, SQLThread: f.Node.Server.StartSQLThread}
	return f.set(ctx, "heal: "+f.String(), do[f.Thread], "Yes")
}

func (f StopThread) set(ctx context.Context, what string, do func(context.Context, string) error, want string) error {
	if do == nil {
		return fmt.Errorf("%s: thread %d is neither IO nor SQL", what, f.Thread)
	}
	if err := do(ctx, f.Channel); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return check(what).Until(ctx, func(ctx context.Context) (string, bool, error) {
		statuses, err := f.Node.Server.ReplicaStatus(ctx)
		if err != nil {
			return "no status", false, err
		}
		for _, s := range statuses {
			if s.Channel == f.Channel {
				return s.String(), f.state(s) == want, nil
			}
		}
		return "no such channel", false, nil
	})
}

func (f StopThread) state(s server.ReplicaStatus) string {
	if f.Thread == IOThread {
		return s.IORunning
	}
	return s.SQLRunning
}
