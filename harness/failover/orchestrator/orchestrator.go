// Package orchestrator runs the program of that name as a failover manager: its settings, its API, what it has done, its
// hooks, and three of it that agree by raft.
package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
)

// Config is how an orchestrator is run.
type Config struct {
	Path      string // of the program
	Resources string // folder that holds its resources/, in which it has to be started
	Dir       string // of its own: configuration, store, log
	Scope     string // the folder whose end is the program's end; see proc.Find
	// Members are the servers, by the addresses that they report. User and password are the first one's.
	Members []failover.Member
	// Interval is how often each server is polled, in whole seconds; 0 means one.
	Interval time.Duration
	// AntiFlapping is how long after a recovery of a cluster no other one is begun, in whole seconds; 0 means five.
	AntiFlapping time.Duration
	Hooks        failover.Hooks
	// Host is the loopback address that it listens on; "" means 127.0.0.1.
	Host string
	// Settings replace what is configured otherwise, by orchestrator's own names.
	Settings map[string]any
}

func (c Config) host() string {
	if c.Host == "" {
		return "127.0.0.1"
	}
	return c.Host
}

// Manager is one orchestrator on loopback with a store of its own, as a manager of one cluster.
type Manager struct {
	config  Config
	api     api
	process *proc.Process
	logFile *os.File
	lease   *sandbox.Lease
	calls   *calls
	cancel  context.CancelFunc
	// watching ends with the program.
	watching context.Context
	running  sync.WaitGroup

	mu       sync.Mutex
	audits   []failover.Audit
	alerts   []failover.Audit
	stages   map[string]failover.Phases // when hooks were called, by recovery
	silent   map[string][]string        // servers that did not answer when it ended, by recovery
	detected time.Time                  // when the last failure was
}

// ClusterAlias is the cluster's name in orchestrator and in its key-value stores.
const ClusterAlias = "shop"

// Capabilities are orchestrator's.
var Capabilities = failover.Capabilities{
	DetectsWithin: 6 * time.Second, StoresPrimaries: true, HasClient: true, InjectsPseudoGTID: true, FormsRaft: true,
}

// New makes a manager; nothing is started until Start.
func New(c Config) (*Manager, error) {
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.AntiFlapping == 0 {
		c.AntiFlapping = 5 * time.Second
	}
	if len(c.Members) == 0 {
		return nil, errors.New("orchestrator: no servers")
	}
	return &Manager{config: c, stages: map[string]failover.Phases{}, silent: map[string][]string{}}, nil
}

// Start starts the program, makes it discover every server, and returns when it may recover: it does not
// before it has polled three times (checkAndRecoverWaitPeriod in its logic/orchestrator.go).
func (o *Manager) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Stop(context.WithoutCancel(ctx)))
		}
	}()
	if err := o.launch(ctx); err != nil {
		return err
	}
	ready := time.NewTimer(o.readyAfter())
	defer ready.Stop()
	if err := o.discover(ctx); err != nil {
		return err
	}
	select {
	case <-ready.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	o.begin()
	return nil
}

// readyAfter is how long it recovers nothing after its start.
func (o *Manager) readyAfter() time.Duration { return 3*o.config.Interval + time.Second }

// discover makes it know every server, and how much each is wanted as a primary.
func (o *Manager) discover(ctx context.Context) error {
	for _, m := range o.config.Members {
		if err := o.api.do(ctx, "discover", keyOf(m), nil); err != nil {
			return fmt.Errorf("orchestrator: discover %s: %w", m.Name, err)
		}
	}
	for _, m := range o.config.Members {
		if err := o.api.do(ctx, "register-candidate", keyOf(m), []string{ruleNames[m.Rule]}); err != nil {
			return fmt.Errorf("orchestrator: promotion rule of %s: %w", m.Name, err)
		}
	}
	return nil
}

// begin keeps the audits current from now on.
func (o *Manager) begin() { o.running.Go(func() { o.watch(o.watching) }) }

// launch starts the program and returns when it answers.
func (o *Manager) launch(ctx context.Context) error {
	if err := o.start(); err != nil {
		return fmt.Errorf("orchestrator: %w", err)
	}
	o.watching, o.cancel = context.WithCancel(context.WithoutCancel(ctx))
	o.running.Go(func() { o.calls.serve(o.watching) })
	healthy := func(ctx context.Context) error { return o.api.do(ctx, "health", "", nil) }
	if err := answers(ctx, "orchestrator answers", o.process, healthy); err != nil {
		return fmt.Errorf("orchestrator: %w; last lines of its log:\n%s", err, o.LogTail())
	}
	return nil
}

// ruleNames are its names for promotion rules.
var ruleNames = map[failover.Rule]string{failover.Prefer: "prefer", failover.Neutral: "neutral", failover.PreferNot: "prefer_not", failover.MustNot: "must_not"}

func (o *Manager) start() (err error) {
	if err := os.MkdirAll(o.config.Dir, 0o755); err != nil {
		return err
	}
	if o.lease, err = sandbox.LeasePort(); err != nil {
		return err
	}
	o.api = api{base: "http://" + o.config.host() + ":" + strconv.Itoa(o.lease.Port) + "/api/"}
	if o.calls, err = newCalls(o.config.Dir, o.called); err != nil {
		return err
	}
	file, err := o.writeSettings()
	if err != nil {
		return err
	}
	if o.logFile, err = os.Create(o.LogPath()); err != nil {
		return err
	}
	o.process, err = proc.Start(proc.Cmd{
		Path: o.config.Path, Args: []string{"-config", file, "http"}, Dir: o.config.Resources,
		Env:   []string{"TMPDIR=" + o.config.Dir}, // a hook's script that it had no time to remove goes with the folder
		Scope: o.config.Scope, Stdout: o.logFile, Stderr: o.logFile,
	})
	return err
}

// API is the address that the program's own client is told (ORCHESTRATOR_API).
func (o *Manager) API() string { return strings.TrimSuffix(o.api.base, "/") }

// StorePrimaries has it write every cluster's primary to its key-value stores now; it does so once a minute otherwise.
func (o *Manager) StorePrimaries(ctx context.Context) error {
	return o.api.do(ctx, "submit-masters-to-kv-stores", "", nil)
}

// LogPath is where the program writes its log. It has the folder's name, so that several lie side by side.
func (o *Manager) LogPath() string {
	return filepath.Join(o.config.Dir, filepath.Base(o.config.Dir)+".log")
}

// LogTail is the end of the log.
func (o *Manager) LogTail() string {
	const lines = 15
	return proc.TailFile(o.LogPath(), lines)
}

// Stop ends the program; it is no error when it did not run.
func (o *Manager) Stop(ctx context.Context) error {
	var errs []error
	if o.process != nil {
		errs = append(errs, o.process.Stop(ctx, time.Second))
	}
	if o.cancel != nil {
		o.cancel()
	}
	if o.calls != nil {
		errs = append(errs, o.calls.close())
	}
	o.running.Wait()
	if o.logFile != nil {
		errs = append(errs, o.logFile.Close())
	}
	if o.lease != nil {
		errs = append(errs, o.lease.Release())
	}
	o.process, o.cancel, o.calls, o.logFile, o.lease = nil, nil, nil, nil, nil
	return errors.Join(errs...)
}

// Audits are the recoveries, refusals and alerts until now, as its API told them a moment ago.
func (o *Manager) Audits() []failover.Audit {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := append([]failover.Audit{}, o.alerts...)
	for _, a := range o.audits {
		list = append(list, a.Clone())
	}
	return list
}

// Takeover makes a planned switch to a named server; the old primary follows it.
func (o *Manager) Takeover(ctx context.Context, to string) error {
	for _, m := range o.config.Members {
		if m.Name == to {
			// Any of its servers names the cluster.
			return o.api.do(ctx, "graceful-master-takeover-auto", keyOf(o.config.Members[0]), []string{keyOf(m)})
		}
	}
	return fmt.Errorf("orchestrator: no server %q", to)
}

// Acknowledge ends the anti-flapping period, as an operator does who has looked at what happened.
func (o *Manager) Acknowledge(ctx context.Context) error {
	return o.api.do(ctx, "ack-all-recoveries?comment=seen", "", nil)
}

func keyOf(m failover.Member) string {
	return m.Endpoint.Host + "/" + strconv.Itoa(m.Endpoint.Port)
}

// nameOf is a member's name by its address, or else the address.
func (o *Manager) nameOf(k instanceKey) string {
	for _, m := range o.config.Members {
		if m.Endpoint.Host == k.Hostname && m.Endpoint.Port == k.Port {
			return m.Name
		}
	}
	return k.Hostname + ":" + strconv.Itoa(k.Port)
}
