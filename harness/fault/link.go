package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"mysqlmatrix/harness/server"
)

// Link is a way to a server through a proxy in this process. Whoever connects to its address instead of
// the server's own is subject to the faults of the link; everybody else goes past it. It is there until
// Close, or until the process ends.
type Link struct {
	name  string
	probe func(ctx context.Context, addr string) error
	proxy *toxiproxy.Proxy
}

// NewLink opens a link to host:port. The probe asks something through the link's own address and is an
// error when no answer comes: by it a fault is seen to be in force, and to be gone.
func NewLink(name, to string, probe func(ctx context.Context, addr string) error) (*Link, error) {
	// The server is only a holder of settings here: without Listen it opens no port for its API.
	quiet := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &Link{name: name, probe: probe, proxy: toxiproxy.NewProxy(quiet, name, "127.0.0.1:0", to)}
	if err := l.proxy.Start(); err != nil {
		return nil, fmt.Errorf("link %s to %s: %w", name, to, err)
	}
	return l, nil
}

// LinkTo opens a link to a server, which is probed by a query on behalf of the endpoint's user.
func LinkTo(name string, to server.Endpoint) (*Link, error) {
	return NewLink(name, to.Addr(), func(ctx context.Context, addr string) (err error) {
		through, err := at(to, addr)
		if err != nil {
			return err
		}
		through.Limit = probeLimit
		db, err := through.OpenDB("")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		var one int
		return db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	})
}

// Addr is where the link listens, host:port. It stays the same through every fault.
func (l *Link) Addr() string { return l.proxy.Listen }

// Through is a server's endpoint by way of the link: the same account at the link's address.
func (l *Link) Through(ep server.Endpoint) (server.Endpoint, error) { return at(ep, l.Addr()) }

func at(ep server.Endpoint, addr string) (server.Endpoint, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ep, fmt.Errorf("link: %w", err)
	}
	ep.Host = host
	ep.Port, err = strconv.Atoi(port)
	return ep, err
}

// Close ends the link and all connections on it.
func (l *Link) Close() { l.proxy.Stop() }

// probeLimit is how long a probe waits for an answer before the link counts as silent.
const probeLimit = time.Second

// look probes the link once.
func (l *Link) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return l.probe(ctx, l.Addr())
}

// whole waits until the link carries questions and answers.
func (l *Link) whole(ctx context.Context, what string) error {
	return check(what).Until(ctx, func(ctx context.Context) (string, bool, error) {
		err := l.look(ctx)
		return "no answer", err == nil, err
	})
}

// Direction is which half of a link's traffic a fault takes.
type Direction uint8

// The directions. The zero value is invalid.
const (
	DirectionUnknown Direction = iota
	ToServer
	FromServer
	BothWays
)

// streams are the names that toxiproxy has for the directions.
var streams = map[Direction][]string{ToServer: {"upstream"}, FromServer: {"downstream"}, BothWays: {"upstream", "downstream"}}

// String is "to the server", "from the server" or "both ways".
func (d Direction) String() string {
	switch d {
	case ToServer:
		return "to the server"
	case FromServer:
		return "from the server"
	case BothWays:
		return "both ways"
	default:
		return "in an unknown direction"
	}
}

// Cut closes every connection on a link and refuses new ones, as when the server's process is gone.
type Cut struct{ Link *Link }

// String is "cut link " and its name.
func (f Cut) String() string { return "cut link " + f.Link.name }

// Inject returns when a new connection is refused.
func (f Cut) Inject(ctx context.Context) error {
	f.Link.proxy.Stop()
	return check(f.String()).Until(ctx, func(ctx context.Context) (string, bool, error) {
		return "it still answers", f.Link.look(ctx) != nil, nil
	})
}

// Heal returns when a question is answered again.
func (f Cut) Heal(ctx context.Context) error {
	if err := f.Link.proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
		return fmt.Errorf("heal: %s: %w", f, err)
	}
	return f.Link.whole(ctx, "heal: "+f.String())
}

// Drop lets everything that is sent on a link vanish, and closes nothing, as a network does that loses
// every packet: nobody is told, new connections are accepted, and no answer comes. Where bytes were lost a
// connection cannot go on, so that healing closes those that were there, and new ones work.
type Drop struct {
	Link      *Link
	Direction Direction
}

// String says which link and which way.
func (f Drop) String() string {
	return fmt.Sprintf("drop all packets of link %s, %s", f.Link.name, f.Direction)
}

// Inject returns when a question has gone without an answer.
func (f Drop) Inject(ctx context.Context) error {
	if err := f.Link.poison(ctx, f, f.Direction, toxic{Type: "timeout", Attributes: map[string]int64{"timeout": 0}}); err != nil {
		return err
	}
	return check(f.String()).Until(ctx, func(ctx context.Context) (string, bool, error) {
		err := f.Link.look(ctx)
		return fmt.Sprintf("an answer within %s, or an error at once: %v", probeLimit, err), errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded), nil
	})
}

// Heal returns when a question is answered again.
func (f Drop) Heal(ctx context.Context) error { return f.Link.cure(ctx, f, f.Direction) }

// Slow delays everything that is sent on a link.
type Slow struct {
	Link      *Link
	Direction Direction
	Delay     time.Duration // of each packet, in each direction
}

// String says which link, which way and by how much.
func (f Slow) String() string {
	return fmt.Sprintf("slow link %s by %s, %s", f.Link.name, f.Delay, f.Direction)
}

// Inject returns when a question has taken as long as the delay, or longer than a probe waits.
func (f Slow) Inject(ctx context.Context) error {
	if err := f.Link.poison(ctx, f, f.Direction, toxic{Type: "latency", Attributes: map[string]int64{"latency": f.Delay.Milliseconds()}}); err != nil {
		return err
	}
	return check(f.String()).Until(ctx, func(ctx context.Context) (string, bool, error) {
		begin := time.Now()
		err := f.Link.look(ctx)
		took := time.Since(begin)
		if took >= min(f.Delay, probeLimit) {
			return "", true, nil // and an answer that comes later than the probe waits is slow enough
		}
		return fmt.Sprintf("an answer after %s", took), false, err
	})
}

// Heal returns when a question is answered again.
func (f Slow) Heal(ctx context.Context) error { return f.Link.cure(ctx, f, f.Direction) }

// toxic is toxiproxy's description of something that happens to a stream.
type toxic struct {
	Name       string           `json:"name"`
	Type       string           `json:"type"`
	Stream     string           `json:"stream"`
	Toxicity   float32          `json:"toxicity"`
	Attributes map[string]int64 `json:"attributes"`
}

// poison puts a toxic on the streams of a direction, unless it is there already. A link that does not
// answer before, though nothing is known to be wrong with it, could not be seen to break.
func (l *Link) poison(ctx context.Context, f Fault, d Direction, t toxic) error {
	if len(streams[d]) == 0 {
		return fmt.Errorf("%s: direction %d is none", f, d)
	}
	if len(l.proxy.Toxics.GetToxicArray()) == 0 {
		if err := l.whole(ctx, "before: "+f.String()); err != nil {
			return err
		}
	}
	for _, stream := range streams[d] {
		t.Name, t.Stream, t.Toxicity = toxicName(f, stream), stream, 1
		if l.proxy.Toxics.GetToxic(t.Name) != nil {
			continue
		}
		text, err := json.Marshal(t)
		if err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(string(text))); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	return nil
}

// cure takes a fault's toxics away.
func (l *Link) cure(ctx context.Context, f Fault, d Direction) error {
	for _, stream := range streams[d] {
		if err := l.proxy.Toxics.RemoveToxic(ctx, toxicName(f, stream)); err != nil && !errors.Is(err, toxiproxy.ErrToxicNotFound) {
			return fmt.Errorf("heal: %s: %w", f, err)
		}
	}
	if len(l.proxy.Toxics.GetToxicArray()) > 0 {
		return nil // another fault of the same link is still in force
	}
	return l.whole(ctx, "heal: "+f.String())
}

// toxicName tells one fault's toxics from those of others.
func toxicName(f Fault, stream string) string { return f.String() + ", " + stream }
