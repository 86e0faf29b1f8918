// Package sandbox provisions running servers: dbdeployer deploys one golden sandbox per basedir and
// profile, and every server is a clone of it with a port, socket and identity of its own. It is the only
// caller of dbdeployer.
package sandbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/wait"
)

// The accounts that dbdeployer creates on 127.% and localhost.
const (
	User            = "msandbox" // all privileges
	Password        = "msandbox"
	ReplicaUser     = "rsandbox" // REPLICATION SLAVE
	ReplicaPassword = "rsandbox"
)

const (
	// StartLimit is how long a server may take to its first answer after the last line that it wrote to its error log: one that
	// upgrades its data directory, or recovers, on a busy machine takes minutes, and says how far it is.
	StartLimit = 60 * time.Second
	// startTotal is how long it may take however much it writes.
	startTotal = 15 * time.Minute
	stopLimit  = 60 * time.Second
	answerPoll = 5 * time.Millisecond
	metaFile   = "sandbox.json"
	configFile = "my.sandbox.cnf"
	errorLog   = "msandbox.err"
	tailLines  = 15
)

// Sandbox is one server in a folder of its own.
type Sandbox struct {
	meta    meta
	dir     string
	lease   *Lease
	process *proc.Process // nil when an earlier process started the server
	fresh   bool          // it has never answered, and nobody knows its port yet
	shared  bool          // another spec may have it next: its process is not to be touched
}

// Share says whether another spec may have the server next. Until that is taken back nothing may signal, stop or kill its
// process: a topology whose servers a spec crashes is one of that spec's own.
func (s *Sandbox) Share(on bool) { s.shared = on }

// untouchable is an error when the server is shared.
func (s *Sandbox) untouchable() error {
	if s.shared {
		return fmt.Errorf("the server on port %d is one that other specs use again: a spec that stops or signals servers deploys its own (suitekit.Deploy)", s.meta.Port)
	}
	return nil
}

// meta is what a sandbox's folder says of it, so that a later process finds its way.
type meta struct {
	Entry    string        `json:"entry"`
	Flavor   flavor.Flavor `json:"flavor"`
	Basedir  string        `json:"basedir"`
	Profile  Profile       `json:"profile"`
	Port     int           `json:"port"`
	ServerID int           `json:"server_id"`
	Scope    string        `json:"scope"`
	TLS      bool          `json:"tls,omitempty"`      // it takes connections with TLS only
	LogDisk  int           `json:"log_disk,omitempty"` // kilobytes of the file system of its binary logs
}

// Open finds a sandbox that another process made.
func Open(dir string) (*Sandbox, error) {
	text, err := os.ReadFile(filepath.Join(dir, metaFile))
	if err != nil {
		return nil, fmt.Errorf("sandbox %s: %w", dir, err)
	}
	s := &Sandbox{dir: dir}
	if err := json.Unmarshal(text, &s.meta); err != nil {
		return nil, fmt.Errorf("sandbox %s: %s: %w", dir, metaFile, err)
	}
	return s, nil
}

// OpenAll finds the sandboxes in a folder; one whose making was cut off is none.
func OpenAll(dir string) ([]*Sandbox, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*", metaFile))
	errs := []error{err}
	var list []*Sandbox
	for _, path := range paths {
		s, err := Open(filepath.Dir(path))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, s)
	}
	return list, errors.Join(errs...)
}

// Dir is the sandbox's folder, with dbdeployer's scripts.
func (s *Sandbox) Dir() string { return s.dir }

// DataDir is the server's data directory.
func (s *Sandbox) DataDir() string { return filepath.Join(s.dir, "data") }

// Basedir is the server installation that it runs.
func (s *Sandbox) Basedir() string { return s.meta.Basedir }

// Flavor is what the server is.
func (s *Sandbox) Flavor() flavor.Flavor { return s.meta.Flavor }

// Entry is the name of the matrix entry that the server belongs to.
func (s *Sandbox) Entry() string { return s.meta.Entry }

// Port is the TCP port on 127.0.0.1.
func (s *Sandbox) Port() int { return s.meta.Port }

// ServerID is the replication server id.
func (s *Sandbox) ServerID() int { return s.meta.ServerID }

// Socket is the path of the Unix socket.
func (s *Sandbox) Socket() string { return socketPath(s.dir, s.meta.Port) }

func socketPath(dir string, port int) string {
	return filepath.Join(dir, "data", "mysql_sandbox"+strconv.Itoa(port)+".sock")
}

// Endpoint is where an administrator connects.
func (s *Sandbox) Endpoint() server.Endpoint {
	return server.Endpoint{Host: "127.0.0.1", Port: s.meta.Port, User: User, Password: Password, DataDir: s.DataDir(), TLS: s.meta.TLS}
}

// ReplicationEndpoint is where a replica connects.
func (s *Sandbox) ReplicationEndpoint() server.Endpoint {
	return server.Endpoint{Host: "127.0.0.1", Port: s.meta.Port, User: ReplicaUser, Password: ReplicaPassword, TLS: s.meta.TLS}
}

// Start starts the server directly, without mysqld_safe, which would restart one that a spec has killed,
// and waits for its first answer. An error carries the last lines of its error log.
//
// Where another program has taken the port of a new sandbox since it was leased, the sandbox gets another port.
func (s *Sandbox) Start(ctx context.Context) error {
	if s.Running() {
		return nil
	}
	err := s.startOnce(ctx)
	for range portAttempts {
		if !s.fresh || !portTaken(err) {
			break
		}
		if moveErr := s.movePort(); moveErr != nil {
			return errors.Join(err, moveErr)
		}
		err = s.startOnce(ctx)
	}
	if err == nil {
		s.fresh = false
	}
	return err
}

func (s *Sandbox) startOnce(ctx context.Context) error {
	startLog, err := os.Create(filepath.Join(s.dir, "start.log"))
	if err != nil {
		return fmt.Errorf("start server: %w", err)
	}
	defer startLog.Close()
	cmd := proc.Cmd{
		Path:   filepath.Join(s.meta.Basedir, "bin", "mysqld"),
		Args:   []string{"--defaults-file=" + filepath.Join(s.dir, configFile)},
		Dir:    s.DataDir(),
		Env:    []string{"LD_LIBRARY_PATH=" + filepath.Join(s.meta.Basedir, "lib")},
		Scope:  s.meta.Scope,
		Stdout: startLog, Stderr: startLog,
	}
	if s.meta.LogDisk > 0 {
		cmd = s.onLogDisk(cmd)
	}
	if s.lease != nil && s.lease.file != nil {
		cmd.ExtraFiles = []*os.File{s.lease.file}
	}
	if s.process, err = proc.Start(cmd); err != nil {
		return fmt.Errorf("start server on port %d: %w", s.meta.Port, err)
	}
	if err := s.awaitAnswer(ctx); err != nil {
		return errors.Join(err, s.Kill())
	}
	return nil
}

// StartError is a server that did not come up.
type StartError struct {
	Port    int
	Dir     string
	Err     error
	LogTail string // last lines of the error log, or of what the server printed
}

// Error gives the cause and the server's last words.
func (e *StartError) Error() string {
	return fmt.Sprintf("server on port %d does not start: %v; last lines of its error log:\n%s", e.Port, e.Err, e.LogTail)
}

// Unwrap gives the cause.
func (e *StartError) Unwrap() error { return e.Err }

func (s *Sandbox) awaitAnswer(ctx context.Context) (err error) {
	endpoint := s.Endpoint()
	endpoint.Limit = StartLimit
	db, err := endpoint.OpenDB("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxIdleConns(0)
	answers := wait.State{What: "it answers", Limit: StartLimit, Poll: answerPoll, Ended: s.process.Done(), Cause: s.exit}
	look := func(ctx context.Context) (string, bool, error) {
		err := ping(ctx, db)
		if errors.As(err, new(*server.StrangerError)) {
			err = wait.Stop(err)
		}
		return "", true, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTotal)
	defer cancel()
	for size := int64(-1); size != s.errorLogSize() && ctx.Err() == nil; {
		size = s.errorLogSize()
		if err = answers.Until(ctx, look); err == nil {
			return nil
		}
		if errors.Is(err, wait.ErrEnded) || errors.As(err, new(*server.StrangerError)) {
			break
		}
	}
	return &StartError{Port: s.meta.Port, Dir: s.dir, Err: err, LogTail: s.ErrorLogTail(tailLines)}
}

// exit says how the server's process ended.
func (s *Sandbox) exit() error {
	if err := s.process.Err(); err != nil {
		return err
	}
	return errors.New("exit code 0")
}

func ping(ctx context.Context, db *sql.DB) error {
	var one int
	return db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// PID is the server's process ID, 0 when it does not run.
func (s *Sandbox) PID() int {
	if s.process != nil {
		// Done comes a little after the death: a process that waits to be reaped runs no more.
		select {
		case <-s.process.Done():
		default:
			if pid := s.process.PID(); proc.Alive(pid) {
				return pid
			}
			return 0
		}
	}
	return s.recordedPID()
}

// recordedPID reads the server's own pid file, and believes it only when that process runs on this
// sandbox's configuration: a number may have been given to another program since.
func (s *Sandbox) recordedPID() int {
	pidFile := filepath.Join(s.DataDir(), "mysql_sandbox"+strconv.Itoa(s.meta.Port)+".pid")
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || !proc.Alive(pid) {
		return 0
	}
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(command), filepath.Join(s.dir, configFile)) {
		return 0
	}
	return pid
}

// Running says whether the server's process exists (it may be stopped by SIGSTOP).
func (s *Sandbox) Running() bool { return s.PID() != 0 }

// Signal sends a signal to the server; it is an error when it does not run.
func (s *Sandbox) Signal(sig syscall.Signal) error {
	if err := s.untouchable(); err != nil {
		return err
	}
	pid := s.PID()
	if pid == 0 {
		return fmt.Errorf("server on port %d does not run", s.meta.Port)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return fmt.Errorf("send %v to server on port %d: %w", sig, s.meta.Port, err)
	}
	return nil
}

// Kill ends the server as a crash would, and waits until it is gone. It is no error when it does not run.
func (s *Sandbox) Kill() error {
	if err := s.untouchable(); err != nil {
		return err
	}
	pid := s.PID()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill server on port %d: %w", s.meta.Port, err)
	}
	return s.awaitEnd(context.Background(), pid, nil)
}

// Stop shuts the server down cleanly with SIGTERM and waits; when ctx ends first, it is killed and the
// error says so.
func (s *Sandbox) Stop(ctx context.Context) error {
	if err := s.untouchable(); err != nil {
		return err
	}
	pid := s.PID()
	if pid == 0 {
		return nil
	}
	if err := s.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := s.awaitEnd(ctx, pid, s.wake); err != nil {
		return errors.Join(err, s.Kill())
	}
	return nil
}

// wakeAfter is how long a server may take to shut down until it is woken, and from then on how often.
const wakeAfter = 2 * time.Second

// wake connects to a server that is to shut down. One that is told to just before it waits for connections does not notice
// until one comes: the thread that gets SIGTERM wakes the listener once, which may not have been asleep (MySQL 5.7,
// sql/mysqld.cc, signal_hand; seen on 5.7.22).
func (s *Sandbox) wake() {
	conn, err := net.DialTimeout("tcp", s.Endpoint().Addr(), wakeAfter)
	if err == nil {
		_ = conn.Close() // it was only to be heard
	}
}

func (s *Sandbox) awaitEnd(ctx context.Context, pid int, wake func()) error {
	gone := wait.State{What: fmt.Sprintf("the server on port %d (process %d) ends", s.meta.Port, pid), Limit: stopLimit, Poll: answerPoll}
	woken := time.Now()
	err := gone.Until(ctx, func(context.Context) (string, bool, error) {
		if wake != nil && time.Since(woken) > wakeAfter {
			wake()
			woken = time.Now()
		}
		return "", !proc.Alive(pid), nil
	})
	if err != nil {
		return fmt.Errorf("%w; last lines of its error log:\n%s", err, s.ErrorLogTail(tailLines))
	}
	return nil
}

// Remove kills the server, deletes its folder and gives its port back.
func (s *Sandbox) Remove() error {
	return errors.Join(s.Kill(), os.RemoveAll(s.dir), s.lease.Release())
}

// LoseData kills the server, if it runs, and deletes all that it has stored.
func (s *Sandbox) LoseData() error {
	return errors.Join(s.Kill(), os.RemoveAll(s.DataDir()))
}

// Save kills the server, if it runs, and copies its folder: data, configuration and logs as they were at that moment.
func (s *Sandbox) Save(to string) error {
	if err := s.Kill(); err != nil {
		return err
	}
	if err := copyTree(s.dir, to); err != nil {
		return fmt.Errorf("save the data of the server on port %d: %w", s.meta.Port, err)
	}
	return nil
}

// Release gives up this process's hold on the port; the running server keeps it.
func (s *Sandbox) Release() error { return s.lease.Release() }

// ConfigPath is the server's option file.
func (s *Sandbox) ConfigPath() string { return filepath.Join(s.dir, configFile) }
