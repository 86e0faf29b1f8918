package proc

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// connections is the kernel's list of TCP connections by IPv4 (proc(5), /proc/net/tcp).
const connections = "/proc/net/tcp"

// SocketOf is the inode of the socket that is connected from one address to another, "" when there is none.
func SocketOf(from, to netip.AddrPort) (inode string, err error) {
	file, err := os.Open(connections)
	if err != nil {
		return "", err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// sl, local_address, rem_address, st, tx_queue:rx_queue, tr:tm->when, retrnsmt, uid, timeout, inode
		fields := strings.Fields(lines.Text())
		const inodeField = 9
		if len(fields) > inodeField && fields[1] == kernelAddr(from) && fields[2] == kernelAddr(to) {
			return fields[inodeField], nil
		}
	}
	return "", lines.Err()
}

// kernelAddr is an IPv4 address as the kernel's list has it: the address as a number of this machine's byte order, and the
// port, in hexadecimal digits.
func kernelAddr(a netip.AddrPort) string {
	ip := a.Addr().Unmap().As4()
	text := make([]byte, len(ip))
	binary.BigEndian.PutUint32(text, binary.NativeEndian.Uint32(ip[:]))
	return strings.ToUpper(hex.EncodeToString(text)) + fmt.Sprintf(":%04X", a.Port())
}

// HasSocket says whether a process has a socket open.
func HasSocket(pid int, inode string) (bool, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		if target, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil && target == "socket:["+inode+"]" {
			return true, nil
		}
	}
	return false, nil
}

// AddrPortOf is a TCP address of the net package, the zero value for another kind.
func AddrPortOf(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort()
	}
	return netip.AddrPort{}
}
