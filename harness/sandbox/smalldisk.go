package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/wait"
)

// smallDiskLimit is how long a server may take to end on a disk that is too small: some wait for a while for space.
const smallDiskLimit = 2 * time.Minute

// noSmallDisk is the script's exit code where a file system cannot be mounted.
const noSmallDisk = 90

// onSmallDisk runs a server on a copy of its data directory on a file system in memory, which is mounted in a namespace of its
// own and is gone with it, and brings back what the server has left.
const onSmallDisk = `filled() { mount -t tmpfs -o mode=700"$1" small "$DISK" && cp -a "$DATA/." "$DISK" || exit 90; }
filled ""
used=$(df -k --output=used "$DISK" | tail -n 1)
umount "$DISK" # a remount with another size is refused to those who are not root
filled ",size=$((used + FREE))k"
"$@" &
server=$!
trap : TERM # which the server gets as well: it shuts down
while kill -0 $server 2>/dev/null; do wait $server; code=$?; done
rm -rf "$DATA" && mkdir -m 700 "$DATA" && cp -a "$DISK/." "$DATA"
exit $code`

// SmallDiskError is a machine on which a small disk cannot be made.
type SmallDiskError struct{ Err error }

// Error says why.
func (e *SmallDiskError) Error() string {
	return "a file system of a limited size cannot be mounted here (it needs user namespaces, or root): " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *SmallDiskError) Unwrap() error { return e.Err }

// StartOnSmallDisk starts a sandbox that is stopped on a disk that has only so many kilobytes free, and once it answers does with it
// what is to be done there; then it is shut down. What the server has left is in the data directory afterwards, on a disk with
// space again. The error is nil when nothing of that needed more space. A *StartError has the server's last words; a
// *SmallDiskError is for a machine that cannot have such a disk.
func (s *Sandbox) StartOnSmallDisk(ctx context.Context, free int, do func(context.Context) error) (err error) {
	if s.Running() {
		return fmt.Errorf("start on a small disk: the server on port %d runs", s.meta.Port)
	}
	d := smallDisk{Sandbox: s, disk: filepath.Join(s.dir, "disk"), errorLog: filepath.Join(s.dir, "disk.err")}
	if err := os.MkdirAll(d.disk, 0o700); err != nil {
		return err
	}
	output, err := os.Create(filepath.Join(s.dir, "disk.out"))
	if err != nil {
		return err
	}
	d.output = output.Name()
	defer func() { err = errors.Join(err, output.Close()) }()
	process, err := proc.Start(proc.Cmd{
		Path: "unshare",
		Args: slices.Concat(mounting(onSmallDisk), asCaller(),
			[]string{filepath.Join(s.meta.Basedir, "bin", "mysqld"), "--defaults-file=" + s.ConfigPath(), "--datadir=" + d.disk, "--log-error=" + d.errorLog}),
		Dir:    s.dir,
		Env:    []string{"LD_LIBRARY_PATH=" + filepath.Join(s.meta.Basedir, "lib"), "DATA=" + s.DataDir(), "DISK=" + d.disk, "FREE=" + strconv.Itoa(free)},
		Scope:  s.meta.Scope,
		Stdout: output, Stderr: output,
	})
	if err != nil {
		return &SmallDiskError{err}
	}
	return d.judge(process, errors.Join(d.run(ctx, process, do), process.Stop(ctx, stopLimit)))
}

// mounting are arguments of unshare by which a script may mount file systems that only it sees; the command that it is to run
// follows.
func mounting(script string) []string {
	return []string{"--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"}
}

// asCaller begins the command of a server that runs as who calls: in the namespace that may mount, everybody is root, and a server
// that is told of another user wants to change to that one's groups, which is refused there.
func asCaller() []string {
	if os.Geteuid() == 0 {
		return nil
	}
	return []string{"unshare", "--user", fmt.Sprintf("--map-user=%d", os.Geteuid()), fmt.Sprintf("--map-group=%d", os.Getegid())}
}

// smallDisk is a server that runs on one.
type smallDisk struct {
	*Sandbox
	disk, errorLog, output string
}

// run returns when the process has ended, or is to be ended.
func (d *smallDisk) run(ctx context.Context, process *proc.Process, do func(context.Context) error) (err error) {
	endpoint := d.Endpoint()
	endpoint.DataDir = d.disk
	db, err := endpoint.OpenDB("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxIdleConns(0)
	answers := wait.State{What: "it answers", Limit: smallDiskLimit, Poll: answerPoll, Ended: process.Done()}
	if err := answers.Until(ctx, func(ctx context.Context) (string, bool, error) { return "", true, ping(ctx, db) }); err != nil {
		return err
	}
	return do(ctx)
}

// judge is what a process that has ended says of the disk.
func (d *smallDisk) judge(process *proc.Process, err error) error {
	var code interface{ ExitCode() int }
	if exit := process.Err(); errors.As(exit, &code) && (code.ExitCode() == noSmallDisk || code.ExitCode() == 1 && !exists(d.errorLog)) {
		return &SmallDiskError{errors.New(proc.TailFile(d.output, tailLines))}
	} else if err = errors.Join(err, exit); err == nil {
		return nil
	}
	text, readErr := os.ReadFile(d.errorLog)
	words := grep(string(text), "[ERROR]")
	if words == "" {
		words = string(text)
	}
	return &StartError{Port: d.meta.Port, Dir: d.dir, Err: errors.Join(err, readErr), LogTail: proc.Tail(words, tailLines) + "\n" + proc.TailFile(d.output, tailLines)}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
