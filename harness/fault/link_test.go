package fault

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	_ Fault = Cut{}
	_ Fault = Drop{}
	_ Fault = Slow{}
)

// echo opens a link to a program that sends back each line.
func echo(t *testing.T) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn) // ends with the connection, however that ends
			}()
		}
	}()
	l, err := NewLink("echo", listener.Addr().String(), func(ctx context.Context, addr string) error {
		conn, err := dial(ctx, addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		return ask(conn)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func dial(ctx context.Context, addr string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
}

// ask sends a line and waits for it to come back.
func ask(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(probeLimit / 4)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && line != "hello\n" {
		err = errors.New("got " + line)
	}
	return err
}

// TestLinkFaults breaks and heals a link in every way. open is what becomes of a connection that was there.
func TestLinkFaults(t *testing.T) {
	closed := func(err error) bool { return err != nil && !errors.Is(err, os.ErrDeadlineExceeded) }
	silent := func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
	tests := []struct {
		fault func(*Link) Fault
		open  func(error) bool
		name  string
	}{
		{func(l *Link) Fault { return Cut{l} }, closed, "cut link echo"},
		{func(l *Link) Fault { return Drop{l, ToServer} }, silent, "drop all packets of link echo, to the server"},
		{func(l *Link) Fault { return Drop{l, FromServer} }, silent, "drop all packets of link echo, from the server"},
		{func(l *Link) Fault { return Drop{l, BothWays} }, silent, "drop all packets of link echo, both ways"},
		{
			func(l *Link) Fault { return Slow{l, BothWays, 50 * time.Millisecond} },
			func(err error) bool { return err == nil }, "slow link echo by 50ms, both ways",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := echo(t)
			f, addr := test.fault(l), l.Addr()
			if f.String() != test.name {
				t.Errorf("named %q", f)
			}
			conn, err := dial(t.Context(), addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := ask(conn); err != nil {
				t.Fatal(err)
			}
			for _, step := range []func(context.Context) error{f.Inject, f.Inject} { // the second changes nothing
				if err := step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := ask(conn); !test.open(err) {
				t.Errorf("a connection that was open: %v", err)
			}
			for _, step := range []func(context.Context) error{f.Heal, f.Heal} {
				if err := step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.look(t.Context()); err != nil || l.Addr() != addr {
				t.Errorf("healed at %s, was at %s: %v", l.Addr(), addr, err)
			}
		})
	}
}

// TestLinkSeesThatAFaultIsNotInForce holds that Inject does not take its own word for it: the probe of this
// link always gets its answer.
func TestLinkSeesThatAFaultIsNotInForce(t *testing.T) {
	l := echo(t)
	l.probe = func(context.Context, string) error { return nil }
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, f := range []Fault{Cut{l}, Drop{l, BothWays}} {
		if err := f.Inject(ctx); err == nil {
			t.Errorf("%s is said to be in force", f)
		}
	}
}

func TestLinkRefusesAnUnknownDirection(t *testing.T) {
	err := Drop{Link: echo(t)}.Inject(t.Context())
	if err == nil || !strings.Contains(err.Error(), "direction 0 is none") {
		t.Errorf("error: %v", err)
	}
}
