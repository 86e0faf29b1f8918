package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"mysqlmatrix/harness/server"
)

// Links are ways to servers by which the traffic between each two parties is told apart, though all come to a server by
// one address: who connects is found by the process that has the other end of the connection. So whoever is pointed to
// the server later, by a failover or by hand, goes through the links as well. They are there until Close, or until the
// process ends.
type Links struct {
	targets map[string]Target
	who     func(client, front net.Addr) string
	fronts  []net.Listener
	serving sync.WaitGroup

	mu    sync.Mutex
	pairs map[pair]*Link
	open  map[net.Conn]bool
}

// Target is a server that links lead to.
type Target struct {
	Name   string          `json:"name"`
	Addr   string          `json:"addr"` // where everybody connects, host:port
	Server server.Endpoint `json:"server"`
}

// pair is who connects, and to whom.
type pair struct{ from, to string }

// OpenLinks listens on the address of each target. who names the party that has connected to a target's address, and ""
// for one whose traffic is never broken.
func OpenLinks(targets []Target, who func(client, front net.Addr) string) (*Links, error) {
	l := &Links{targets: map[string]Target{}, who: who, pairs: map[pair]*Link{}, open: map[net.Conn]bool{}}
	for _, t := range targets {
		l.targets[t.Name] = t
		front, err := net.Listen("tcp", t.Addr)
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("links to %s: %w", t.Name, err)
		}
		l.fronts = append(l.fronts, front)
		l.serving.Go(func() { l.serve(front, t) })
	}
	return l, nil
}

// Link is the one from a party to a target, named "from to to".
func (l *Links) Link(from, to string) (*Link, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := pair{from, to}
	if link := l.pairs[key]; link != nil {
		return link, nil
	}
	target, ok := l.targets[to]
	if !ok {
		return nil, fmt.Errorf("no link leads to %s", to)
	}
	link, err := LinkTo(from+" to "+to, target.Server)
	if err != nil {
		return nil, err
	}
	l.pairs[key] = link
	return link, nil
}

// serve takes the connections to one target until its front is closed.
func (l *Links) serve(front net.Listener, t Target) {
	for {
		client, err := front.Accept()
		if err != nil {
			return
		}
		l.serving.Go(func() {
			defer l.forget(client)
			if l.remember(client) {
				l.carry(client, t)
			}
		})
	}
}

// carry copies both ways until one side closes. A client of a link that is cut is closed at once, as by a server that is gone.
func (l *Links) carry(client net.Conn, t Target) {
	addr := t.Server.Addr()
	if from := l.who(client.RemoteAddr(), client.LocalAddr()); from != "" && from != t.Name {
		link, err := l.Link(from, t.Name)
		if err != nil {
			return
		}
		addr = link.Addr()
	}
	upstream, err := (&net.Dialer{Timeout: dialLimit}).Dial("tcp", addr)
	if err != nil {
		return
	}
	defer l.forget(upstream)
	if !l.remember(upstream) {
		return
	}
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{client, upstream}, {upstream, client}} {
		l.serving.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // ends with the connection, however that ends
			ended <- struct{}{}
		})
	}
	<-ended
}

// dialLimit bounds a connection to a link of the same process.
const dialLimit = 5 * time.Second

// remember keeps a connection for Close; false when the links are closed.
func (l *Links) remember(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		return false
	}
	l.open[c] = true
	return true
}

func (l *Links) forget(c net.Conn) {
	l.mu.Lock()
	delete(l.open, c)
	l.mu.Unlock()
	_ = c.Close() // its other side may have closed it
}

// Close ends every link and connection.
func (l *Links) Close() {
	for _, front := range l.fronts {
		_ = front.Close() // nobody else closes it
	}
	l.mu.Lock()
	open := l.open
	l.open = nil
	for c := range open {
		_ = c.Close()
	}
	for _, link := range l.pairs {
		link.Close()
	}
	l.mu.Unlock()
	l.serving.Wait()
}

// Between is a fault of both links between two parties. One that is no target, as a manager is, has links to the other only.
func (l *Links) Between(a, b string, of func(*Link) Fault) (list []Fault, err error) {
	for _, way := range []pair{{a, b}, {b, a}} {
		if _, ok := l.targets[way.to]; !ok {
			continue
		}
		link, linkErr := l.Link(way.from, way.to)
		if linkErr != nil {
			err = errors.Join(err, linkErr)
			continue
		}
		list = append(list, of(link))
	}
	if len(list) == 0 {
		return nil, errors.Join(err, fmt.Errorf("no link leads from %s to %s", a, b))
	}
	return list, err
}

// InjectAll injects faults in order; when one fails, those before it are healed.
func InjectAll(ctx context.Context, list []Fault) error {
	for i, f := range list {
		if err := f.Inject(ctx); err != nil {
			healing, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkLimit)
			defer cancel()
			return errors.Join(err, HealAll(healing, list[:i+1]))
		}
	}
	return nil
}

// HealAll heals faults, the last one first.
func HealAll(ctx context.Context, list []Fault) error {
	var errs []error
	for i := len(list) - 1; i >= 0; i-- {
		errs = append(errs, list[i].Heal(ctx))
	}
	return errors.Join(errs...)
}
