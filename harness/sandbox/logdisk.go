package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"mysqlmatrix/harness/proc"
)

// logDisk is the folder of the binary logs where they have a file system of their own, beside the data directory.
const logDisk = "binlogs"

// withLogDisk mounts a file system in memory in a namespace of the server's own, and becomes the server. The logs end with it.
const withLogDisk = `mount -t tmpfs -o mode=700,size="$SIZE"k small "$DISK" && exec "$@"`

// onLogDisk has a server's command mount the file system of its binary logs first. The process stays the same one.
func (s *Sandbox) onLogDisk(cmd proc.Cmd) proc.Cmd {
	cmd.Args = slices.Concat(mounting(withLogDisk), asCaller(), []string{cmd.Path}, cmd.Args)
	cmd.Path = "unshare"
	cmd.Env = append(cmd.Env, "SIZE="+strconv.Itoa(s.meta.LogDisk), "DISK="+s.LogDisk())
	return cmd
}

// LogDisk is the folder of the binary logs of a server that has a file system for them.
func (s *Sandbox) LogDisk() string { return filepath.Join(s.dir, logDisk) }

// SeenByServer is a path as the running server sees it, with the file systems that only it has mounted.
func (s *Sandbox) SeenByServer(path string) (string, error) {
	pid := s.PID()
	if pid == 0 {
		return "", fmt.Errorf("server on port %d does not run", s.meta.Port)
	}
	return fmt.Sprintf("/proc/%d/root%s", pid, path), nil
}

// CanMount is a *SmallDiskError on a machine that lets no user mount a file system in a namespace.
func CanMount(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "mm-")
	if err != nil {
		return err
	}
	cmd := proc.Cmd{Path: "unshare", Args: append(mounting(withLogDisk), "true"),
		Env: []string{"SIZE=64", "DISK=" + dir}, Dir: dir, Scope: dir}
	output, err := proc.Run(ctx, cmd)
	if err != nil {
		err = &SmallDiskError{fmt.Errorf("%w: %s", err, output)}
	}
	return errors.Join(err, os.Remove(dir))
}
