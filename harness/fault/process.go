package fault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"mysqlmatrix/harness/topology"
)

// Kill ends a server as a crash would, by SIGKILL; healing starts it again.
type Kill struct{ Node *topology.Node }

// String is "kill " and the node's name.
func (f Kill) String() string { return "kill " + f.Node.Name }

// Inject returns when the process is gone.
func (f Kill) Inject(ctx context.Context) error {
	if err := f.Node.Sandbox.Kill(); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	return stopped(ctx, f, f.Node)
}

// Heal starts the server; it recovers by itself.
func (f Kill) Heal(ctx context.Context) error { return start(ctx, f, f.Node) }

// Shutdown ends a server in order; healing starts it again.
type Shutdown struct{ Node *topology.Node }

// String is "shut down " and the node's name.
func (f Shutdown) String() string { return "shut down " + f.Node.Name }

// Inject returns when the process has ended.
func (f Shutdown) Inject(ctx context.Context) error {
	if err := f.Node.Sandbox.Stop(ctx); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	return stopped(ctx, f, f.Node)
}

// Heal starts the server.
func (f Shutdown) Heal(ctx context.Context) error { return start(ctx, f, f.Node) }

// stopped waits until the process is not only dead but reaped: a server is not started beside its own past.
func stopped(ctx context.Context, f Fault, n *topology.Node) error {
	return check(f.String()).Until(ctx, func(context.Context) (string, bool, error) {
		pid := n.Sandbox.PID()
		return fmt.Sprintf("process %d", pid), pid == 0, nil
	})
}

func start(ctx context.Context, f Fault, n *topology.Node) error {
	if err := n.Sandbox.Start(ctx); err != nil {
		return fmt.Errorf("heal: %s: %w", f, err)
	}
	return answers(ctx, "heal: "+f.String(), n)
}

// Pause makes a server hang by SIGSTOP: its connections stay open and nobody answers on them. Healing
// lets it go on where it was.
type Pause struct{ Node *topology.Node }

// String is "pause " and the node's name.
func (f Pause) String() string { return "pause " + f.Node.Name }

// Inject returns when the kernel says that the process is stopped.
func (f Pause) Inject(ctx context.Context) error {
	if err := f.Node.Sandbox.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	return check(f.String()).Until(ctx, func(context.Context) (string, bool, error) {
		state, err := processState(f.Node.Sandbox.PID())
		return "process state " + state, state == "T", err
	})
}

// Heal returns when the server answers.
func (f Pause) Heal(ctx context.Context) error {
	if err := f.Node.Sandbox.Signal(syscall.SIGCONT); err != nil {
		return fmt.Errorf("heal: %s: %w", f, err)
	}
	return answers(ctx, "heal: "+f.String(), f.Node)
}

// processState is the state letter of proc(5), field 3 of /proc/PID/stat: T is stopped by a signal.
func processState(pid int) (string, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	// The second field, the program's name in brackets, may hold anything, brackets too.
	end := bytes.LastIndexByte(text, ')')
	if end < 0 || end+2 >= len(text) {
		return "", errors.New("/proc/PID/stat is not as proc(5) says")
	}
	return string(text[end+2]), nil
}
