// Package proc starts programs in process groups of their own, tagged so that they are found again even
// when whoever started them was killed, and stops them for certain.
package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ScopeEnv is the environment variable that tags a program and all that it starts. Its value is the
// folder that the program works for; see Find.
const ScopeEnv = "MATRIX_SCOPE"

// defaultGrace is how long a program may take to end after SIGTERM.
const defaultGrace = 5 * time.Second

// commandLimit is how many bytes of a command line an error repeats.
const commandLimit = 240

// tailLines is how much of a program's output an error repeats.
const tailLines = 20

// Cmd is a program to run.
type Cmd struct {
	Path string
	Args []string // without the program's name
	Dir  string
	Env  []string // added to Environment
	// Inherit adds Env to this process's own environment instead: a program that downloads or builds needs the caller's
	// proxies, caches and certificates.
	Inherit bool
	Stdin   io.Reader
	// Stdout and Stderr, when nil, are collected into the output that Run returns; Start discards them.
	Stdout, Stderr io.Writer
	ExtraFiles     []*os.File     // file descriptors 3 and up
	Scope          string         // value of ScopeEnv; "" leaves what is inherited
	Grace          time.Duration  // from SIGTERM to SIGKILL; 0 means five seconds
	Usage          *Usage         // Run fills it when the program has ended; may be nil
	OnStart        func(*Process) // Run calls it once the program runs; may be nil
}

// Usage is what a program has used of the machine, with those of its children that it has waited for
// (getrusage(2)).
type Usage struct {
	CPU    time.Duration // user and system
	Memory int64         // the most that one of them had resident, in bytes
}

// RunError is a program that could not be started, failed, or was stopped. It carries the output.
type RunError struct {
	Path   string
	Args   []string
	Output string
	Err    error
}

// Error names the command and why it failed, and ends with the last lines of its output.
func (e *RunError) Error() string {
	command := strings.Join(append([]string{e.Path}, e.Args...), " ")
	if len(command) > commandLimit {
		command = command[:commandLimit] + "…"
	}
	text := fmt.Sprintf("%s: %v", command, e.Err)
	if tail := Tail(e.Output, tailLines); tail != "" {
		text += "\n" + tail
	}
	return text
}

// Unwrap gives the cause: an *exec.ExitError, or the context's error when the program was stopped.
func (e *RunError) Unwrap() error { return e.Err }

// Tail is the last n lines of a text, without trailing blank space.
func Tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, " \t\r\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

// TailFile is the Tail of a file, such as a program's log, or why it cannot be read.
func TailFile(path string, n int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return Tail(string(text), n)
}

// Run runs a program to its end and returns what it printed. When ctx ends first, the program's whole
// group gets SIGTERM and, after the grace, SIGKILL. Every failure is a *RunError.
func Run(ctx context.Context, c Cmd) (output string, err error) {
	var collected lockedBuffer
	if c.Stdout == nil {
		c.Stdout = &collected
	}
	if c.Stderr == nil {
		c.Stderr = &collected
	}
	fail := func(err error) (string, error) {
		return collected.String(), &RunError{Path: c.Path, Args: c.Args, Output: collected.String(), Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	p, err := Start(c)
	if err != nil {
		return fail(err)
	}
	if c.OnStart != nil {
		c.OnStart(p)
	}
	if c.Usage != nil {
		defer func() { *c.Usage = p.Usage() }() // whichever way it ends, it has been waited for
	}
	select {
	case <-p.Done():
		if p.Err() != nil {
			return fail(p.Err())
		}
		return collected.String(), nil
	case <-ctx.Done():
		grace := c.Grace
		if grace == 0 {
			grace = defaultGrace
		}
		stopErr := p.Stop(context.WithoutCancel(ctx), grace)
		return fail(errors.Join(context.Cause(ctx), stopErr))
	}
}

// Process is a running program and its process group.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts a program in a group of its own.
func Start(c Cmd) (*Process, error) {
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = c.Dir, c.Stdin, c.Stdout, c.Stderr, c.ExtraFiles
	cmd.Env = append(Environment(), c.Env...)
	if c.Inherit {
		cmd.Env = append(inherited(), c.Env...)
	}
	if c.Scope != "" {
		cmd.Env = append(cmd.Env, ScopeEnv+"="+c.Scope)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A grandchild that keeps the pipe open must not hold up Wait for ever.
	cmd.WaitDelay = defaultGrace
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is the process ID, which is the group's ID as well.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is why the program ended: nil for exit code 0. It is valid once Done is closed.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Usage is what the program has used. It is valid once Done is closed.
func (p *Process) Usage() Usage {
	<-p.done
	state := p.cmd.ProcessState
	if state == nil {
		return Usage{}
	}
	u := Usage{CPU: state.UserTime() + state.SystemTime()}
	if used, ok := state.SysUsage().(*syscall.Rusage); ok {
		u.Memory = used.Maxrss << 10 // Linux counts KiB
	}
	return u
}

// Signal sends a signal to the whole group. It is no error when the group is gone.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := syscall.Kill(-p.PID(), sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %d: %w", p.PID(), err)
	}
	return nil
}

// Stop ends the group with SIGTERM, then SIGKILL once the grace is over or ctx ends, and waits.
func (p *Process) Stop(ctx context.Context, grace time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	// Also when the leader has ended: what it started may not have.
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
