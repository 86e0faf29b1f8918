package devtopology

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

// managerParty is what the manager is called as one end of a link.
const managerParty = "manager"

const (
	linksFile   = "links.json"
	linksSocket = "socket"
)

// links are what the process that serves them is told.
type links struct {
	Targets []fault.Target    `json:"targets"`
	Dirs    map[string]string `json:"dirs"`    // of the servers' sandboxes, by name
	Manager string            `json:"manager"` // folder of the manager, which need not be there
}

// addLinks has every server of the request report a port before it, and starts the process that listens there before the
// servers are wired. The ports are held until free.
func (o *Request) addLinks(dir string) (free func() error, err error) {
	var leases []*sandbox.Lease
	free = func() error {
		var errs []error
		for _, lease := range leases {
			errs = append(errs, lease.Release())
		}
		return errors.Join(errs...)
	}
	if o.PerNode == nil {
		o.PerNode = map[int][]string{}
	}
	for i := range o.Shape.Size() {
		lease, err := sandbox.LeasePort()
		if err != nil {
			return nil, errors.Join(err, free())
		}
		leases = append(leases, lease)
		o.PerNode[i] = append(o.PerNode[i], fmt.Sprintf("report-port=%d", lease.Port))
	}
	o.Fronts = func(ctx context.Context, t *topology.Topology) error {
		config := links{Dirs: map[string]string{}, Manager: filepath.Join(dir, managerDir)}
		for i, n := range t.Nodes {
			n.Front = leases[i].Port
			config.Dirs[n.Name] = n.Sandbox.Dir()
			config.Targets = append(config.Targets, fault.Target{Name: n.Name, Addr: n.Endpoint().Addr(), Server: n.Sandbox.Endpoint()})
		}
		at := filepath.Join(dir, linksDir)
		text, err := json.Marshal(config)
		if err == nil {
			err = errors.Join(os.MkdirAll(at, 0o700), os.WriteFile(filepath.Join(at, linksFile), text, 0o600))
		}
		if err != nil {
			return fmt.Errorf("links: %w", err)
		}
		return begin(ctx, "the links answer", o.Self.Path, o.Self.Links, at, filepath.Join(at, "links.log"), func(ctx context.Context) error {
			return askLinks(ctx, at, order{})
		})
	}
	return free, nil
}

// order is what the process of the links is asked to do. The zero order only asks whether it is there.
type order struct {
	Fault string        `json:"fault,omitempty"`
	A     string        `json:"a,omitempty"`
	B     string        `json:"b,omitempty"`
	By    time.Duration `json:"by,omitempty"`
	Heal  bool          `json:"heal,omitempty"`
}

// askLinks gives an order, and returns when it was carried out.
func askLinks(ctx context.Context, dir string, o order) (err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, linksSocket))
	}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://links/", bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("the links of this topology do not answer: %w", err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(body)))
	}
	return err
}

// ServeLinks carries the traffic of a topology until ctx ends.
func ServeLinks(ctx context.Context, dir string) error {
	var config links
	text, err := os.ReadFile(filepath.Join(dir, linksFile))
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil {
		return fmt.Errorf("links: %w", err)
	}
	for i, t := range config.Targets {
		config.Targets[i].Server.DataDir = filepath.Join(config.Dirs[t.Name], "data")
	}
	ways, err := fault.OpenLinks(config.Targets, config.who)
	if err != nil {
		return err
	}
	defer ways.Close()
	listener, err := net.Listen("unix", filepath.Join(dir, linksSocket))
	if err != nil {
		return fmt.Errorf("links: %w", err)
	}
	web := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var o order
		err := json.NewDecoder(r.Body).Decode(&o)
		if err == nil && o.Fault != "" {
			err = config.carryOut(r.Context(), ways, o)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	select {
	case <-ctx.Done():
		return web.Close()
	case err := <-served:
		return err
	}
}

// linkFaults are the faults that the links have, by the names of kinds.
var linkFaults = map[string]func(order) func(*fault.Link) fault.Fault{
	"cut": func(order) func(*fault.Link) fault.Fault {
		return func(l *fault.Link) fault.Fault { return fault.Cut{Link: l} }
	},
	"drop": func(order) func(*fault.Link) fault.Fault {
		return func(l *fault.Link) fault.Fault { return fault.Drop{Link: l, Direction: fault.BothWays} }
	},
	"delay": func(o order) func(*fault.Link) fault.Fault {
		return func(l *fault.Link) fault.Fault { return fault.Slow{Link: l, Direction: fault.BothWays, Delay: o.By} }
	},
}

// healDeadLimit is how long healing a link to a server that does not answer may take: nobody can see whether it works.
const healDeadLimit = 2 * time.Second

func (c links) carryOut(ctx context.Context, ways *fault.Links, o order) error {
	of, ok := linkFaults[o.Fault]
	if !ok {
		return fmt.Errorf("links have no fault %q", o.Fault)
	}
	list, err := ways.Between(o.A, o.B, of(o))
	if err != nil {
		return err
	}
	if !o.Heal {
		return fault.InjectAll(ctx, list)
	}
	for _, name := range []string{o.A, o.B} {
		if name != managerParty && !c.answers(name) {
			return healUnseen(ctx, list)
		}
	}
	return fault.HealAll(ctx, list)
}

// healUnseen heals links to a server that does not answer: that they work cannot be seen, and is no error.
func healUnseen(ctx context.Context, list []fault.Fault) error {
	var errs []error
	for _, f := range list {
		looking, cancel := context.WithTimeout(ctx, healDeadLimit)
		if err := f.Heal(looking); !errors.As(err, new(*wait.Error)) {
			errs = append(errs, err)
		}
		cancel()
	}
	return errors.Join(errs...)
}

// answers says whether a server runs and is not stopped by a signal.
func (c links) answers(name string) bool {
	s, err := sandbox.Open(c.Dirs[name])
	return err == nil && fault.Answering(&topology.Node{Name: name, Sandbox: s}) == nil
}

// who finds the party whose process has the other end of a connection.
func (c links) who(client, front net.Addr) string {
	inode, err := proc.SocketOf(proc.AddrPortOf(client), proc.AddrPortOf(front))
	if err != nil || inode == "" {
		return ""
	}
	for name, dir := range c.Dirs {
		s, err := sandbox.Open(dir)
		if err != nil {
			continue
		}
		if has, err := proc.HasSocket(s.PID(), inode); err == nil && has {
			return name
		}
	}
	managers, err := proc.Find(c.Manager)
	if err != nil {
		return ""
	}
	for _, one := range managers {
		if has, err := proc.HasSocket(one.PID, inode); err == nil && has {
			return managerParty
		}
	}
	return ""
}
