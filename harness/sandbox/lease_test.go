package sandbox

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// TestMain is another process that tries to lease a port, when the environment names one: exit 0 when it got it.
func TestMain(m *testing.M) {
	if text := os.Getenv("LEASE_PORT"); text != "" {
		port, err := strconv.Atoi(text)
		lease, leaseErr := tryLease(port)
		if err != nil || leaseErr != nil || lease == nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// otherGets says whether a process with folders of its own, and as another user where this one may become it, gets the port.
func otherGets(t *testing.T, port int) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LEASE_PORT="+strconv.Itoa(port), "TMPDIR="+t.TempDir(), "HOME="+t.TempDir())
	return cmd.Run() == nil
}

func TestLeaseIsSeenByOtherProcesses(t *testing.T) {
	lease, err := LeasePort()
	if err != nil {
		t.Fatal(err)
	}
	if otherGets(t, lease.Port) {
		t.Error("a port that is leased was given to another process")
	}
	// A program that inherited the lease holds it after the harness has let go of it.
	holder := exec.Command("sleep", "600")
	holder.ExtraFiles = []*os.File{lease.file}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Process.Kill() }()
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
	if otherGets(t, lease.Port) {
		t.Error("the port of a server that runs was given to another process")
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait()
	if !otherGets(t, lease.Port) {
		t.Error("the port was not given back")
	}
}

func TestPortInUseIsNotLeased(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	if lease, err := tryLease(port); err != nil || lease != nil {
		t.Errorf("port %d, which a program listens on, was leased: %v, %v", port, lease, err)
	}
}
