// Package consul runs one agent of Consul, a key-value store that a failover manager tells of primaries.
package consul

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/wait"
)

// Agent is one agent on loopback that keeps nothing on disk: a key-value store that orchestrator tells of
// primaries, and that proxies ask.
type Agent struct {
	Program *tool.Program
	Dir     string // for its log
	Scope   string // the folder whose end is the agent's end; see proc.Find

	process *proc.Process
	leases  []*sandbox.Lease
	log     *os.File
	address string
}

// prefix is where orchestrator is told to keep primaries, by their clusters' names.
const prefix = "mysql/master"

// The agent is asked this often, and as long, whether it leads.
const (
	startPoll  = 100 * time.Millisecond
	startLimit = 30 * time.Second
)

// Start returns when the agent leads its cluster of one, and so takes writes.
func (c *Agent) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("consul: %w", err), c.Stop(context.WithoutCancel(ctx)))
		}
	}()
	// HTTP, the servers' own protocol and gossip; all else is off.
	for range 3 {
		lease, err := sandbox.LeasePort()
		if err != nil {
			return err
		}
		c.leases = append(c.leases, lease)
	}
	port := func(i int) string { return strconv.Itoa(c.leases[i].Port) }
	c.address = "127.0.0.1:" + port(0)
	if c.log, err = os.Create(c.LogPath()); err != nil {
		return err
	}
	c.process, err = proc.Start(proc.Cmd{Path: c.Program.Path, Dir: c.Dir, Env: c.Program.Env, Scope: c.Scope, Stdout: c.log, Stderr: c.log, Args: []string{
		"agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-http-port=" + port(0), "-server-port=" + port(1),
		"-serf-lan-port=" + port(2), "-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1",
	}})
	if err != nil {
		return err
	}
	err = wait.State{What: "the agent leads", Limit: startLimit, Poll: startPoll, Ended: c.process.Done(), Cause: c.process.Err}.Until(ctx,
		func(ctx context.Context) (string, bool, error) { err := c.leads(ctx); return "", err == nil, err })
	if err != nil {
		return fmt.Errorf("%w; see %s", err, c.LogPath())
	}
	return nil
}

// leads is an error while the agent does not lead its cluster, and so takes no writes.
func (c *Agent) leads(ctx context.Context) error {
	leader, err := c.ask(ctx, "status/leader")
	if err == nil && len(leader) <= len(`""`) {
		err = fmt.Errorf("it has no leader, but %q", leader)
	}
	return err
}

// LogPath is where the agent writes its log.
func (c *Agent) LogPath() string { return filepath.Join(c.Dir, "consul.log") }

// Settings lead orchestrator to the agent.
func (c *Agent) Settings() map[string]any {
	return map[string]any{"ConsulAddress": c.address, "KVClusterMasterPrefix": prefix}
}

// Primary is the address that is stored as a cluster's primary, "" while there is none.
func (c *Agent) Primary(ctx context.Context, cluster string) (string, error) {
	return c.ask(ctx, "kv/"+prefix+"/"+cluster+"?raw")
}

// ask reads one thing; "" is what the agent does not have.
func (c *Agent) ask(ctx context.Context, path string) (_ string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.address+"/v1/"+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	text, err := io.ReadAll(response.Body)
	switch {
	case response.StatusCode == http.StatusNotFound:
		return "", err
	case response.StatusCode != http.StatusOK:
		return "", errors.Join(fmt.Errorf("%s: %s: %s", path, response.Status, text), err)
	}
	return string(text), err
}

// Stop ends the agent; it is no error when it did not run.
func (c *Agent) Stop(ctx context.Context) error {
	var errs []error
	if c.process != nil {
		errs = append(errs, c.process.Stop(ctx, time.Second))
	}
	if c.log != nil {
		errs = append(errs, c.log.Close())
	}
	for _, lease := range c.leases {
		errs = append(errs, lease.Release())
	}
	c.process, c.log, c.leases = nil, nil, nil
	return errors.Join(errs...)
}
