package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/declared"
	"mysqlmatrix/harness/failover/embedded"
	"mysqlmatrix/harness/failover/orchestrator"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/sandbox"
)

const (
	// antiFlapping is how long after a failover no other one is begun: short, for somebody who watches.
	antiFlapping = 10 * time.Second
	// stopLimit is how long a recovery may go on after the process was told to end.
	stopLimit = 5 * time.Second
)

// Serve runs the manager of a folder until ctx ends.
func Serve(ctx context.Context, dir string) (err error) {
	config, err := readConfig(dir)
	if err != nil {
		return err
	}
	manager, err := config.manager(dir)
	if err != nil {
		return err
	}
	if err := manager.Start(ctx); err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		err = errors.Join(err, manager.Stop(stopping))
	}()
	at := config.Listen
	if at == "" {
		lease, err := sandbox.LeasePort()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lease.Release()) }()
		at = net.JoinHostPort("127.0.0.1", strconv.Itoa(lease.Port))
	}
	listener, err := net.Listen("tcp4", at)
	if err != nil {
		return err
	}
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return errors.Join(fmt.Errorf("failover manager: %s is no loopback address", at), listener.Close())
	}
	name := strings.TrimSuffix(config.Tool.Name+" "+config.Tool.Version, " ")
	running := Running{Manager: name, API: "http://" + listener.Addr().String() + "/api", Log: LogPath(dir), PID: os.Getpid()}
	switch own := manager.(type) {
	case *orchestrator.Manager:
		running.Page, running.Log = strings.TrimSuffix(own.API(), "/api")+"/web/clusters", own.LogPath()
	case *declared.Manager:
		running.Page, running.Log = own.Page(), own.LogPath()
	}
	web := &http.Server{Handler: handler(manager, running), ReadHeaderTimeout: stopLimit}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	if err := writeJSON(filepath.Join(dir, RunningFile), running); err != nil {
		return errors.Join(err, web.Close())
	}
	select {
	case <-ctx.Done():
		return web.Close()
	case err := <-served:
		return err
	}
}

// LogPath is where the process writes what it says.
func LogPath(dir string) string { return filepath.Join(dir, "manager.log") }

// manager makes the manager that the configuration names.
func (c Config) manager(dir string) (failover.Manager, error) {
	switch {
	case len(c.Servers) == 0:
		return nil, errors.New("failover manager: no servers")
	case c.Tool.Name == "embedded":
		return embedded.New(embedded.Config{Members: c.members(), Readmit: true, FindPosition: pseudogtid.Match,
			StateFile: filepath.Join(dir, "state.json"), Policy: embedded.Policy{AntiFlapping: antiFlapping}})
	case c.Tool.Manager != nil:
		return declared.New(declared.Config{Program: c.Tool, Dir: filepath.Join(dir, "declared"), Scope: dir, Members: c.members()})
	case c.Tool.Path != "":
		settings := map[string]any{}
		if c.SemiSync {
			settings["DetectSemiSyncEnforcedQuery"] = "SELECT 1"
		}
		return orchestrator.New(orchestrator.Config{Path: c.Tool.Path, Resources: c.Tool.Dir, Dir: filepath.Join(dir, "orchestrator"), Scope: dir,
			Members: c.members(), AntiFlapping: antiFlapping, Settings: settings})
	default:
		return nil, fmt.Errorf("failover manager %q: it has no program", c.Tool.Name)
	}
}
