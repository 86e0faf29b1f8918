package devtopology

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mysqlmatrix/harness/failover/process"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

// Self is this program: its path, and the commands by which it serves what a folder describes until it is ended.
type Self struct {
	Path           string
	Links, Manager []string // arguments; the folder is added
}

const (
	// backgroundLimit is how long a process beside a topology may take until it serves. An orchestrator that has just been
	// started recovers nothing for some seconds.
	backgroundLimit = 60 * time.Second
	logLines        = 15
)

// begin starts this program to serve a folder, and returns when serves has no error. The process outlives this one, and
// ends with the folder: that is its scope.
func begin(ctx context.Context, what, path string, arguments []string, dir, log string, serves func(context.Context) error) (err error) {
	file, err := os.Create(log)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	// It runs in the user's own environment as this process does; what it starts is given proc.Environment.
	p, err := proc.Start(proc.Cmd{Path: path, Args: append(arguments[:len(arguments):len(arguments)], dir), Dir: dir, Inherit: true, Scope: dir, Stdout: file, Stderr: file})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	err = wait.State{What: what, Limit: backgroundLimit, Ended: p.Done(), Cause: p.Err}.Until(ctx, func(ctx context.Context) (string, bool, error) {
		err := serves(ctx)
		return "", err == nil, err
	})
	if err != nil {
		return fmt.Errorf("%w; last lines of its log:\n%s", err, proc.TailFile(log, logLines))
	}
	return nil
}

// startManager starts the failover manager of a request, which looks after all servers of the topology.
func (o Request) startManager(ctx context.Context, dir string, t *topology.Topology) error {
	if o.Manager == nil {
		return nil
	}
	config := process.Config{Tool: *o.Manager, SemiSync: t.SemiSync}
	for _, n := range t.Nodes {
		config.Servers = append(config.Servers, process.Server{Name: n.Name, Admin: n.Endpoint(), Replication: n.Replication(), Data: n.Sandbox.DataDir()})
	}
	at := filepath.Join(dir, managerDir)
	if err := config.Write(at); err != nil {
		return err
	}
	return begin(ctx, "the manager "+o.Manager.Name+" watches", o.Self.Path, o.Self.Manager, at, process.LogPath(at), func(context.Context) error {
		_, err := process.Find(at)
		return err
	})
}
