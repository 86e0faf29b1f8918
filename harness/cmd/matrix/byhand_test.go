package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"mysqlmatrix/harness/proc"
)

// seenLimit is how long a change may take until a watch shows it.
const seenLimit = 30 * time.Second

// eventually looks at the topology that is up, again and again, until the table matches a pattern; or into a file.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(args[0])
	program, err := exec.LookPath("matrix")
	ts.Check(err)
	var last []byte
	for deadline := time.Now().Add(seenLimit); !pattern.Match(last); {
		if time.Now().After(deadline) {
			ts.Fatalf("after %s nothing matches %q in\n%s", seenLimit, args[0], last)
		}
		if len(args) > 1 {
			last, err = os.ReadFile(ts.MkAbs(args[1]))
			ts.Check(err)
			continue
		}
		c := exec.Command(program, "--run-dir", ts.Getenv("RUNS"), "watch", "--once")
		last, err = c.Output()
		ts.Check(err)
	}
}

// brought is what matrix up --json says.
type brought struct {
	Name, Dir string
	Nodes     []struct {
		Name string
		PID  int
	}
	Manager struct {
		API, Log string
		PID      int
		Running  bool
	}
}

func upAsJSON(t *testing.T, runs string, args ...string) (up brought) {
	t.Helper()
	output := mustRun(t, runs, append([]string{"up", entryName, "--json"}, args...)...)
	if err := json.Unmarshal([]byte(output[strings.Index(output, "{"):]), &up); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return up
}

// The manager says by HTTP what it knows, on loopback only. One that was killed is told of, and leaves nothing.
func TestManagerByHand(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs := runFolder(t)
	up := upAsJSON(t, runs, "--manager", "embedded")
	if !up.Manager.Running || !strings.HasPrefix(up.Manager.API, "http://127.0.0.1:") {
		t.Fatalf("up --json: %+v", up.Manager)
	}
	var state struct{ Servers []struct{ Name string } }
	ask(t, up.Manager.API+"/state", http.StatusOK, &state)
	if len(state.Servers) != 3 || state.Servers[0].Name != "primary" {
		t.Errorf("state: %+v", state)
	}
	var list []any
	for _, path := range []string{"/audits", "/health"} {
		ask(t, up.Manager.API+path, http.StatusOK, &list)
		if len(list) > 0 {
			t.Errorf("%s of a cluster in which nothing is wrong: %v", path, list)
		}
	}
	mustRun(t, runs, "fault", "stop-receiver", "replica1")
	until(t, "the manager tells of a stopped receiver", seenLimit, func() bool {
		list = nil
		ask(t, up.Manager.API+"/health", http.StatusOK, &list)
		return strings.Contains(fmt.Sprint(list), "its receiver was stopped")
	})
	for _, address := range listening(t, up.Manager.PID) {
		if !strings.HasPrefix(address, "0100007F:") {
			t.Errorf("the manager listens on %s, which is not 127.0.0.1", address)
		}
	}
	if err := syscall.Kill(up.Manager.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the manager is gone", seenLimit, func() bool { return !proc.Alive(up.Manager.PID) })
	if output := mustRun(t, runs, "status"); !strings.Contains(output, "embedded builtin, not running, log ") {
		t.Errorf("status:\n%s", output)
	}
	if output := mustRun(t, runs, "watch", "--once"); !strings.Contains(output, "the manager does not answer") {
		t.Errorf("watch:\n%s", output)
	}
	mustRun(t, runs, "down")
	nothingLeft(t, runs)
}

func ask(t *testing.T, url string, status int, into any) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	err = errors.Join(err, response.Body.Close())
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil || response.StatusCode != status {
		t.Errorf("%s: %s, %v\n%s", url, response.Status, err, body)
	}
}

// listening are the TCP addresses that a process listens on, as the kernel writes them.
func listening(t *testing.T, pid int) (addresses []string) {
	t.Helper()
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if errors.Is(err, os.ErrNotExist) {
			continue // no IPv6
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			const listen, inode = "0A", 9
			fields := strings.Fields(line)
			if len(fields) <= inode || fields[3] != listen {
				continue
			}
			has, err := proc.HasSocket(pid, fields[inode])
			if err != nil {
				t.Fatal(err)
			}
			if has {
				addresses = append(addresses, fields[1])
			}
		}
	}
	if len(addresses) == 0 {
		t.Errorf("process %d listens nowhere", pid)
	}
	return addresses
}

// A command that is killed while a manager and links are being started leaves neither.
func TestKilledUpWithManager(t *testing.T) {
	needsServer(t)
	t.Parallel()
	for _, at := range []string{"links/socket", "manager/manager.log"} {
		runs := runFolder(t)
		c := start(t, runs, "up", entryName, "--manager", "embedded", "--links")
		until(t, at+" is there", upLimit, func() bool {
			found, err := filepath.Glob(filepath.Join(runs, "up-*", at))
			return err == nil && len(found) > 0
		})
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-c.done
		output := mustRun(t, runs, "status")
		if !strings.Contains(output, "no topology is up") && !strings.Contains(output, "manager ") {
			t.Errorf("killed when %s was there:\n%s", at, output)
		}
		mustRun(t, runs, "down", "--all") // it may have been complete
		nothingLeft(t, runs)
	}
}

// On a terminal the watch draws its table anew, and Ctrl-C ends it in order.
func TestWatchOnATerminal(t *testing.T) {
	needsServer(t)
	t.Parallel()
	runs := runFolder(t)
	mustRun(t, runs, "up", entryName, "--topology", "star:1")
	keyboard, screen := terminalOf(t, prepare(t, runs, "watch", "--every", "50ms"))
	until(t, "the table is drawn", seenLimit, func() bool { return strings.Contains(screen.String(), "replica1  replica") })
	mustRun(t, runs, "fault", "kill", "replica1")
	until(t, "the fault is drawn", seenLimit, func() bool {
		return strings.Contains(screen.String(), "replica1  down") && strings.Contains(screen.String(), "kill replica1")
	})
	if !strings.Contains(screen.String(), "\x1b[K\r\n") || !regexp.MustCompile(`\x1b\[\d+A`).MatchString(screen.String()) {
		t.Errorf("nothing is drawn over what was there:\n%q", screen)
	}
	for line := range strings.Lines(screen.String()) {
		if line = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`).ReplaceAllString(line, ""); len(strings.TrimRight(line, "\r\n")) >= terminalWidth*2 {
			t.Errorf("wider than the terminal: %q", line)
		}
	}
	if _, err := keyboard.WriteString("\x03"); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	if code := screen.wait(t); code != 0 || strings.Contains(screen.String(), "matrix:") {
		t.Errorf("Ctrl-C: exit code %d\n%s", code, screen)
	}
	mustRun(t, runs, "down")
}

const terminalWidth, terminalHeight = 90, 30

// screenOf is what a program on a terminal has drawn.
type screenOf struct {
	mu   sync.Mutex
	text bytes.Buffer
	c    *exec.Cmd
	end  chan error
}

// terminalOf starts a command on a terminal of its own. What is written to the keyboard is typed there.
func terminalOf(t *testing.T, c *command) (keyboard *os.File, screen *screenOf) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be obtained: %v", err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	fd := int(keyboard.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0), unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: terminalHeight, Col: terminalWidth}))
	if err != nil {
		t.Fatal(err)
	}
	line, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Stdin, c.Stdout, c.Stderr = line, line, line
	c.Env = append(c.Env, "TERM=xterm", "CI=", "GITHUB_ACTIONS=", "BUILDKITE=")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = line.Close() // the program has its own
	screen = &screenOf{c: c.Cmd, end: make(chan error, 1)}
	go func() { _, _ = io.Copy(screen, keyboard) }() // ends when nobody has the terminal open any more
	go func() { screen.end <- c.Wait() }()
	return keyboard, screen
}

// Write takes what is drawn.
func (s *screenOf) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String is all that was drawn.
func (s *screenOf) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screenOf) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-s.end:
	case <-time.After(seenLimit):
		_ = s.c.Process.Kill() // the test has failed already
		t.Fatalf("it does not end:\n%s", s)
	}
	return s.c.ProcessState.ExitCode()
}
