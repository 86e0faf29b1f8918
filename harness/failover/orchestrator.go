package failover

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

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
)

// OrchestratorConfig is how an orchestrator is run.
type OrchestratorConfig struct {
	Path      string // of the program
	Resources string // folder that holds its resources/, in which it has to be started
	Dir       string // of its own: configuration, store, log
	Scope     string // the folder whose end is the program's end; see proc.Find
	// Members are the servers, by the addresses that they report. User and password are the first one's.
	Members []Member
	// Interval is how often each server is looked at, in whole seconds; 0 means one.
	Interval time.Duration
	// AntiFlapping is how long after a recovery of a cluster no other one is begun, in whole seconds; 0 means five.
	AntiFlapping time.Duration
	Hooks        Hooks
	// Host is the loopback address that it listens on; "" means 127.0.0.1.
	Host string
	// Settings replace what is configured otherwise, by orchestrator's own names.
	Settings map[string]any
}

func (c OrchestratorConfig) host() string {
	if c.Host == "" {
		return "127.0.0.1"
	}
	return c.Host
}

// Orchestrator is one orchestrator on loopback with a store of its own, as a manager of one cluster.
type Orchestrator struct {
	config  OrchestratorConfig
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
	audits   []Audit
	alerts   []Audit
	stages   map[string]Phases // when hooks were called, by recovery
	detected time.Time         // when the last failure was
}

// clusterAlias names the cluster in orchestrator's key-value store.
const clusterAlias = "shop"

// NewOrchestrator makes a manager; nothing is started until Start.
func NewOrchestrator(c OrchestratorConfig) (*Orchestrator, error) {
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.AntiFlapping == 0 {
		c.AntiFlapping = 5 * time.Second
	}
	if len(c.Members) == 0 {
		return nil, errors.New("orchestrator: no servers")
	}
	return &Orchestrator{config: c, stages: map[string]Phases{}}, nil
}

// Start starts the program, makes it discover every server, and returns when it may recover: it does not
// before it has polled three times (checkAndRecoverWaitPeriod in its logic/orchestrator.go).
func (o *Orchestrator) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Stop(context.WithoutCancel(ctx)))
		}
	}()
	if err := o.launch(ctx); err != nil {
		return err
	}
	ripe := time.NewTimer(o.unripe())
	defer ripe.Stop()
	if err := o.discover(ctx); err != nil {
		return err
	}
	select {
	case <-ripe.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	o.begin()
	return nil
}

// unripe is how long it recovers nothing after its start.
func (o *Orchestrator) unripe() time.Duration { return 3*o.config.Interval + time.Second }

// discover makes it know every server, and how much each is wanted as a primary.
func (o *Orchestrator) discover(ctx context.Context) error {
	for _, m := range o.config.Members {
		if err := o.api.do(ctx, "discover", keyOf(m), nil); err != nil {
			return fmt.Errorf("orchestrator: discover %s: %w", m.Name, err)
		}
	}
	for _, m := range o.config.Members {
		if err := o.api.do(ctx, "register-candidate", keyOf(m), []string{orchestratorRules[m.Rule]}); err != nil {
			return fmt.Errorf("orchestrator: promotion rule of %s: %w", m.Name, err)
		}
	}
	return nil
}

// begin keeps the audits current from now on.
func (o *Orchestrator) begin() { o.running.Go(func() { o.watch(o.watching) }) }

// launch starts the program and returns when it answers.
func (o *Orchestrator) launch(ctx context.Context) error {
	if err := o.start(); err != nil {
		return fmt.Errorf("orchestrator: %w", err)
	}
	o.watching, o.cancel = context.WithCancel(context.WithoutCancel(ctx))
	o.running.Go(func() { o.calls.serve(o.watching) })
	healthy := func(ctx context.Context) error { return o.api.do(ctx, "health", "", nil) }
	if err := awaitAnswer(ctx, o.process, healthy); err != nil {
		return fmt.Errorf("orchestrator: %w; last lines of its log:\n%s", err, o.LogTail())
	}
	return nil
}

// orchestratorRules are its names for promotion rules.
var orchestratorRules = map[Rule]string{Prefer: "prefer", Neutral: "neutral", PreferNot: "prefer_not", MustNot: "must_not"}

func (o *Orchestrator) start() (err error) {
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
func (o *Orchestrator) API() string { return strings.TrimSuffix(o.api.base, "/") }

// StorePrimaries has it write every cluster's primary to its key-value stores now; it does so once a minute otherwise.
func (o *Orchestrator) StorePrimaries(ctx context.Context) error {
	return o.api.do(ctx, "submit-masters-to-kv-stores", "", nil)
}

// LogPath is where the program writes its log. It has the folder's name, so that several lie side by side.
func (o *Orchestrator) LogPath() string {
	return filepath.Join(o.config.Dir, filepath.Base(o.config.Dir)+".log")
}

// LogTail is the end of the log.
func (o *Orchestrator) LogTail() string {
	text, err := os.ReadFile(o.LogPath())
	if err != nil {
		return err.Error()
	}
	const lines = 15
	return proc.Tail(string(text), lines)
}

// Stop ends the program; it is no error when it did not run.
func (o *Orchestrator) Stop(ctx context.Context) error {
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
func (o *Orchestrator) Audits() []Audit {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := append([]Audit{}, o.alerts...)
	for _, a := range o.audits {
		list = append(list, a.clone())
	}
	return list
}

// Takeover makes a planned switch to a named server; the old primary follows it.
func (o *Orchestrator) Takeover(ctx context.Context, to string) error {
	for _, m := range o.config.Members {
		if m.Name == to {
			// Any of its servers names the cluster.
			return o.api.do(ctx, "graceful-master-takeover-auto", keyOf(o.config.Members[0]), []string{keyOf(m)})
		}
	}
	return fmt.Errorf("orchestrator: no server %q", to)
}

// Acknowledge ends the anti-flapping period, as an operator does who has looked at what happened.
func (o *Orchestrator) Acknowledge(ctx context.Context) error {
	return o.api.do(ctx, "ack-all-recoveries?comment=seen", "", nil)
}

func keyOf(m Member) string {
	return m.Endpoint.Host + "/" + strconv.Itoa(m.Endpoint.Port)
}

// nameOf is a member's name by its address, or else the address.
func (o *Orchestrator) nameOf(k instanceKey) string {
	for _, m := range o.config.Members {
		if m.Endpoint.Host == k.Hostname && m.Endpoint.Port == k.Port {
			return m.Name
		}
	}
	return k.Hostname + ":" + strconv.Itoa(k.Port)
}
