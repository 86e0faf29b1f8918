// Package declared runs a failover manager that matrix.yaml declares: by its command, and by what it answers when it is
// asked what it has done.
package declared

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
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/wait"
)

const (
	// startLimit is how long it may take until it answers.
	startLimit = 30 * time.Second
	// askInterval is how often it is asked, and askLimit how long an answer may take.
	askInterval = 100 * time.Millisecond
	askLimit    = 5 * time.Second
	logLines    = 15
)

// Config is how a declared manager is run.
type Config struct {
	Program tool.Program
	Dir     string // of its own
	Scope   string // the folder whose end is the program's end; see proc.Find
	// Members are the servers. User and password are the first one's.
	Members []failover.Member
}

// Manager is one that runs, as a manager of one cluster.
type Manager struct {
	config  Config
	declare *matrix.OwnManager
	values  map[string]string
	lease   *sandbox.Lease
	logFile *os.File
	process *proc.Process
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	audits []failover.Audit
	silent string // why it did not answer when it was last asked
}

// New makes a manager; nothing is started until Start.
func New(c Config) (*Manager, error) {
	if c.Program.Manager == nil || len(c.Members) == 0 {
		return nil, errors.New("declared manager: no declaration, or no servers")
	}
	return &Manager{config: c, declare: c.Program.Manager}, nil
}

// Start starts the program, and returns when it answers.
func (m *Manager) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", m.config.Program.Name, err), m.Stop(context.WithoutCancel(ctx)))
		}
	}()
	if err := m.prepare(); err != nil {
		return err
	}
	var args []string
	for _, text := range m.declare.Arguments {
		args = append(args, matrix.Expand(text, m.values))
	}
	if m.process, err = proc.Start(proc.Cmd{Path: m.config.Program.Path, Args: args, Dir: m.config.Dir, Env: m.config.Program.Env, Scope: m.config.Scope, Stdout: m.logFile, Stderr: m.logFile}); err != nil {
		return err
	}
	err = wait.State{What: "it answers", Limit: startLimit, Poll: askInterval, Ended: m.process.Done(), Cause: m.process.Err}.Until(ctx,
		func(ctx context.Context) (string, bool, error) { _, err := m.ask(ctx); return "", err == nil, err })
	if err != nil {
		return fmt.Errorf("%w; last lines of its log:\n%s", err, proc.TailFile(m.LogPath(), logLines))
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.cancel = cancel
	m.running.Go(func() { m.watch(watching) })
	return nil
}

// prepare makes its folder, and what stands for the placeholders.
func (m *Manager) prepare() (err error) {
	if err := os.MkdirAll(m.config.Dir, 0o700); err != nil {
		return err
	}
	if m.lease, err = sandbox.LeasePort(); err != nil {
		return err
	}
	if m.logFile, err = os.Create(m.LogPath()); err != nil {
		return err
	}
	first := m.config.Members[0]
	passwords := filepath.Join(m.config.Dir, "client.cnf")
	if err := os.WriteFile(passwords, []byte("[client]\nuser="+first.Endpoint.User+"\npassword="+first.Endpoint.Password+"\n"), 0o600); err != nil {
		return err
	}
	var servers []string
	for _, one := range m.config.Members {
		servers = append(servers, one.Name+"="+one.Endpoint.Addr())
	}
	m.values = map[string]string{"servers": strings.Join(servers, ","), "user": first.Endpoint.User, "password_file": passwords, "replication_user": first.Replication.User,
		"replication_password": first.Replication.Password, "port": strconv.Itoa(m.lease.Port), "dir": m.config.Dir, "program": m.config.Program.Path}
	return nil
}

// LogPath is where the program writes what it prints.
func (m *Manager) LogPath() string { return filepath.Join(m.config.Dir, "manager.log") }

// Page is the address of its page, "" where it has none. It is known once it was started.
func (m *Manager) Page() string { return matrix.Expand(m.declare.Page, m.values) }

// Stop ends the program; it is no error when it did not run.
func (m *Manager) Stop(ctx context.Context) error {
	if m.cancel != nil {
		m.cancel()
	}
	m.running.Wait()
	var errs []error
	if m.process != nil {
		errs = append(errs, m.process.Stop(ctx, time.Second))
	}
	if m.logFile != nil {
		errs = append(errs, m.logFile.Close())
	}
	errs = append(errs, m.lease.Release())
	m.process, m.cancel, m.logFile, m.lease = nil, nil, nil, nil
	return errors.Join(errs...)
}

// Audits are the recoveries and alerts until now, as it told them a moment ago.
func (m *Manager) Audits() (list []failover.Audit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.audits {
		list = append(list, a.Clone())
	}
	if m.silent != "" {
		list = append(list, failover.Audit{Done: true, Error: m.silent, Plan: failover.Plan{Action: failover.Alert, Problem: failover.OtherProblem, Reason: "it does not answer"}})
	}
	return list
}
