package orchestrator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"mysqlmatrix/harness/wait"
)

// The stages at which orchestrator calls a hook, in order.
const (
	stageDetected = "detected"
	stageBefore   = "before"
	stagePromoted = "promoted"
	stageFinished = "finished"
)

// calls carries the hooks of an orchestrator into this process: the hook is a shell script that writes what
// it was told into a named pipe and waits for the answer on another one, so that orchestrator waits as long
// as the hook takes.
type calls struct {
	dir     string
	pipe    *os.File
	handle  func(context.Context, call)
	running sync.WaitGroup
}

// call is one hook that waits for its answer.
type call struct {
	Stage, UID, Analysis, Failed, Successor, Lost string
}

// The variables are orchestrator's own (applyEnvironmentVariables in its logic/topology_recovery.go).
const hookScript = `#!/bin/sh
answer="%[1]s/answer.$$"
mkfifo "$answer"
echo "$1|$ORC_RECOVERY_UID|$ORC_FAILURE_TYPE|$ORC_FAILED_HOST:$ORC_FAILED_PORT|$ORC_SUCCESSOR_HOST:$ORC_SUCCESSOR_PORT|$ORC_LOST_REPLICAS|$answer" > "%[1]s/calls"
read -r line < "$answer"
rm "$answer"
`

func newCalls(dir string, handle func(context.Context, call)) (*calls, error) {
	c := &calls{dir: dir, handle: handle}
	pipe := filepath.Join(dir, "calls")
	if err := os.Remove(pipe); err != nil && !errors.Is(err, fs.ErrNotExist) { // of the program before, in the same folder
		return nil, fmt.Errorf("pipe for hooks: %w", err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		return nil, fmt.Errorf("pipe for hooks: %w", err)
	}
	if err := os.WriteFile(c.script(), fmt.Appendf(nil, hookScript, dir), 0o755); err != nil {
		return nil, fmt.Errorf("script for hooks: %w", err)
	}
	var err error
	// For writing as well: the pipe has no end as long as a process may write.
	if c.pipe, err = os.OpenFile(pipe, os.O_RDWR, 0); err != nil {
		return nil, fmt.Errorf("pipe for hooks: %w", err)
	}
	return c, nil
}

func (c *calls) script() string { return filepath.Join(c.dir, "hook.sh") }

// command is the hook of a stage, for the configuration.
func (c *calls) command(stage string) string { return c.script() + " " + stage }

// serve answers hooks until the pipe is closed.
func (c *calls) serve(ctx context.Context) {
	lines := bufio.NewScanner(c.pipe)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "|")
		const wanted = 7
		if len(fields) != wanted {
			continue
		}
		one := call{Stage: fields[0], UID: fields[1], Analysis: fields[2], Failed: fields[3], Successor: fields[4], Lost: fields[5]}
		c.running.Go(func() {
			c.handle(ctx, one)
			c.release(ctx, fields[wanted-1])
		})
	}
	c.running.Wait()
}

// releaseLimit is how long a hook may take to wait for its answer.
const releaseLimit = 10 * time.Second

// release lets a hook go on, once it waits for its answer. One that was killed meanwhile never does, and that is no error.
func (c *calls) release(ctx context.Context, answer string) {
	_ = wait.State{What: "the hook reads " + answer, Limit: releaseLimit}.Until(ctx, func(context.Context) (string, bool, error) {
		// Without a reader, opening without waiting fails (fifo(7)).
		pipe, err := os.OpenFile(answer, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if errors.Is(err, syscall.ENXIO) {
			return "no reader", false, nil
		}
		if err != nil {
			return "", false, wait.Stop(err)
		}
		_, err = pipe.WriteString("go on\n")
		return "", true, wait.Stop(errors.Join(err, pipe.Close()))
	})
}

// close ends serve; it is called once orchestrator has ended.
func (c *calls) close() error { return c.pipe.Close() }
