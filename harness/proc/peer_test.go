package proc

import (
	"net"
	"os"
	"os/exec"
	"testing"
)

// Who has the other end of a connection is found by its process; another process has it not, and nobody a connection that is none.
func TestSocketOf(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	other := exec.CommandContext(t.Context(), "sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	from, to := AddrPortOf(client.LocalAddr()), AddrPortOf(client.RemoteAddr())
	inode, err := SocketOf(from, to)
	if err != nil || inode == "" {
		t.Fatalf("socket %q, %v", inode, err)
	}
	for pid, want := range map[int]bool{os.Getpid(): true, other.Process.Pid: false, 0: false} {
		if has, err := HasSocket(pid, inode); err != nil || has != want {
			t.Errorf("process %d has it: %t, %v; want %t", pid, has, err, want)
		}
	}
	if inode, err := SocketOf(from, from); err != nil || inode != "" {
		t.Errorf("a connection that is none: %q, %v", inode, err)
	}
}
