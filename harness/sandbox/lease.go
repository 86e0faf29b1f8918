package sandbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Ports are leased from below Linux's default range of ephemeral ports (32768), so that no outgoing
// connection takes one by chance, and below 55536, since dbdeployer derives MySQL's X port by adding 10000.
const (
	firstPort = 20000
	lastPort  = 32000
)

// Lease is a port that no other harness process on this machine uses. It is an abstract Unix socket (unix(7)) whose name
// holds the port: names of these are the kernel's, so that every user and every checkout finds them, whatever folders they
// use, and network namespaces have their own, as they have their own ports. The server inherits the socket, so that the
// lease lasts as long as the harness or the server lives and needs no clearing when either is killed.
type Lease struct {
	Port int
	file *os.File
}

// leaseName is the abstract socket of a port.
func leaseName(port int) string { return "@mysql-matrix-port-" + strconv.Itoa(port) }

// LeasePort leases a free port.
func LeasePort() (*Lease, error) {
	if port := unleased.next(); port != 0 {
		return &Lease{Port: port}, nil
	}
	count := lastPort - firstPort
	offset := rand.IntN(count)
	for i := range count {
		port := firstPort + (offset+i)%count
		lease, err := tryLease(port)
		if err != nil {
			return nil, err
		}
		if lease != nil {
			return lease, nil
		}
	}
	return nil, fmt.Errorf("lease a port: all of %d to %d are taken: see with ss -ltnp by whom, and end what is not needed", firstPort, lastPort)
}

// tryLease is nil without an error when somebody has the port.
func tryLease(port int) (*Lease, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("lease port %d: %w", port, err)
	}
	file := os.NewFile(uintptr(fd), leaseName(port))
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: leaseName(port)}); err != nil {
		if errors.Is(err, unix.EADDRINUSE) {
			return nil, file.Close()
		}
		return nil, errors.Join(fmt.Errorf("lease port %d: %w", port, err), file.Close())
	}
	if !portFree(port) {
		return nil, file.Close()
	}
	return &Lease{Port: port, file: file}, nil
}

// portFree says whether nothing listens on the port, on loopback or everywhere.
func portFree(port int) bool {
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// unleased are ports that are taken in turn whoever has them, without a lease, as programs take ports that know nothing of leases.
// Only a build with the tag planted has any.
var unleased ports

type ports struct {
	list  []int
	taken atomic.Int64
}

// next is 0 when there are none.
func (p *ports) next() int {
	if len(p.list) == 0 {
		return 0
	}
	return p.list[(p.taken.Add(1)-1)%int64(len(p.list))]
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
