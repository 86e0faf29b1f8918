package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Info is a running program that carries a scope.
type Info struct {
	PID     int
	Command string // its command line
	Scope   string
}

// Find lists the running programs whose scope is the given folder or lies below it, other than this
// process. It reads /proc/PID/environ (Linux), which a program cannot lose and its children inherit. A program
// without a scope belongs to the folder when it is a server that lies there: somebody has started it by hand.
func Find(scope string) ([]Info, error) {
	scope = filepath.Clean(scope)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("find processes: %w", err)
	}
	var found []Info
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		tag, ok := scopeOf(pid)
		if !ok {
			tag, ok = serves(pid)
		}
		if !ok || (tag != scope && !strings.HasPrefix(tag, scope+"/")) {
			continue
		}
		found = append(found, Info{PID: pid, Command: commandOf(pid), Scope: tag})
	}
	return found, nil
}

// Alive says whether a process exists and is not a zombie that its parent has yet to reap.
func Alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The state follows the command, which stands in parentheses and may hold any character (proc(5)).
	at := bytes.LastIndexByte(stat, ')')
	return at >= 0 && at+2 < len(stat) && stat[at+2] != 'Z' && stat[at+2] != 'X'
}

// Sweep ends every program under a scope: SIGCONT and SIGTERM, SIGKILL after the grace, and waits until
// they are gone. It returns what it found, and an error when something outlives it.
func Sweep(ctx context.Context, scope string, grace time.Duration) ([]Info, error) {
	found, err := Find(scope)
	if err != nil || len(found) == 0 {
		return found, err
	}
	deadline := time.Now().Add(grace)
	for _, info := range found {
		signalAll(info.PID, syscall.SIGTERM, syscall.SIGCONT) // a stopped process takes no SIGTERM
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := Find(scope)
		if err != nil {
			return found, err
		}
		left = alive(left)
		if len(left) == 0 {
			return found, nil
		}
		if now := time.Now(); now.After(deadline) {
			for _, info := range left {
				signalAll(info.PID, syscall.SIGKILL)
			}
			if now.After(deadline.Add(defaultGrace)) {
				return found, fmt.Errorf("process %d (%s) outlives SIGKILL", left[0].PID, left[0].Command)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return found, errors.Join(fmt.Errorf("stop processes of %s", scope), ctx.Err())
		}
	}
}

func alive(infos []Info) (left []Info) {
	for _, info := range infos {
		if Alive(info.PID) {
			left = append(left, info)
		}
	}
	return left
}

func signalAll(pid int, signals ...syscall.Signal) {
	for _, sig := range signals {
		// The only failure is that it has ended meanwhile, which is what is wanted.
		_ = syscall.Kill(pid, sig)
	}
}

func scopeOf(pid int) (string, bool) {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return "", false
	}
	var scope string
	var ok bool
	for pair := range bytes.SplitSeq(environ, []byte{0}) {
		if value, found := bytes.CutPrefix(pair, []byte(ScopeEnv+"=")); found {
			scope, ok = string(value), true // the last one counts, as os/exec has it
		}
	}
	return scope, ok
}

// serves is where a server's files lie, as its command line has it: mysqld's and mysqld_safe's do, however they were
// started. A shell or an editor that is at work there says nothing of the kind.
func serves(pid int) (string, bool) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "", false
	}
	for argument := range bytes.SplitSeq(line, []byte{0}) {
		for _, option := range []string{"--defaults-file=", "--datadir="} {
			if path, ok := bytes.CutPrefix(argument, []byte(option)); ok && filepath.IsAbs(string(path)) {
				return filepath.Clean(string(path)), true
			}
		}
	}
	return "", false
}

func commandOf(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
}
