package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Ports are leased from below Linux's default range of ephemeral ports (32768), so that no outgoing
// connection takes one by chance, and below 55536, since dbdeployer derives MySQL's X port by adding 10000.
const (
	firstPort = 20000
	lastPort  = 32000
)

// Lease is a port that no other harness process on this machine uses. It is a locked file: the server
// inherits the open file, so that the lease lasts as long as the harness or the server lives and needs no
// clearing when either is killed.
type Lease struct {
	Port int
	file *os.File
}

// leaseDir is shared by all users of the machine, as ports are.
func leaseDir() string { return filepath.Join(os.TempDir(), "mysql-matrix-ports") }

// LeasePort leases a free port.
func LeasePort() (*Lease, error) {
	dir := leaseDir()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("lease a port: %w", err)
	}
	// The umask took bits away; only the owner can give them back, and need do so only once.
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("lease a port: %w", err)
	}
	count := lastPort - firstPort
	offset := rand.IntN(count)
	for i := range count {
		port := firstPort + (offset+i)%count
		lease, err := tryLease(dir, port)
		if err != nil {
			return nil, err
		}
		if lease != nil {
			return lease, nil
		}
	}
	return nil, fmt.Errorf("lease a port: all of %d to %d are taken", firstPort, lastPort)
}

// tryLease is nil without an error when somebody has the port.
func tryLease(dir string, port int) (*Lease, error) {
	path := filepath.Join(dir, strconv.Itoa(port))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil // another user's
	}
	if err != nil {
		return nil, fmt.Errorf("lease port %d: %w", port, err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, ignoreBusy(errors.Join(err, file.Close()))
	}
	if !portFree(port) {
		return nil, file.Close()
	}
	return &Lease{Port: port, file: file}, nil
}

func ignoreBusy(err error) error {
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	return fmt.Errorf("lease a port: %w", err)
}

// portFree says whether nothing listens on the port, on loopback or everywhere.
func portFree(port int) bool {
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// Release gives up this process's hold; a running server keeps its own.
func (l *Lease) Release() error {
	if l == nil || l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
