package devtopology

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/topology"
)

// faultsFile is where a topology's folder says what is injected, for heal and for other processes.
const faultsFile = "faults.json"

// Injected is a fault that is in force.
type Injected struct {
	Fault string    `json:"fault"` // name of its kind
	Nodes []string  `json:"nodes"`
	By    string    `json:"by,omitempty"` // a duration
	At    time.Time `json:"at"`
}

// String is what was asked for: "cut primary replica1".
func (i Injected) String() string {
	return strings.TrimSpace(i.Fault + " " + strings.Join(i.Nodes, " ") + " " + i.By)
}

func (i Injected) concerns(node string) bool { return node == "" || slices.Contains(i.Nodes, node) }

// same says whether two are the same fault at the same place, by whatever amount.
func (i Injected) same(o Injected) bool {
	return i.Fault == o.Fault && len(i.Nodes) == len(o.Nodes) && !slices.ContainsFunc(i.Nodes, func(n string) bool { return !o.concerns(n) })
}

// MistakeError is a fault that cannot be injected, or healed, as it was asked for.
type MistakeError struct{ Err error }

// Error is the reason.
func (e *MistakeError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *MistakeError) Unwrap() error { return e.Err }

func mistake(format string, args ...any) error { return &MistakeError{fmt.Errorf(format, args...)} }

// Inject injects a fault into a topology, and records it before: a process that is killed meanwhile leaves it to be healed.
func (t *Topology) Inject(ctx context.Context, kind FaultKind, nodes []string, by time.Duration) (_ Injected, err error) {
	one := Injected{Fault: kind.Name, Nodes: nodes, At: time.Now()}
	if kind.By != "" {
		one.By = by.String()
		if by < kind.Least || by%kind.Least != 0 {
			return one, mistake("%s %s: want %s", kind.Name, by, kind.By)
		}
	}
	if len(nodes) == 2 && nodes[0] == nodes[1] {
		return one, mistake("%s: name two nodes, got %s twice", kind.Name, nodes[0])
	}
	err = t.changeFaults(ctx, func(list []Injected, save func([]Injected) error) error {
		if i := slices.IndexFunc(list, one.same); i >= 0 {
			return mistake("%s is injected since %s: heal it first, with matrix fault heal %s/%s", list[i], list[i].At.Format(time.TimeOnly), t.Name, nodes[0])
		}
		f, done, err := t.fault(ctx, kind, nodes, by)
		if err == nil {
			defer func() { err = errors.Join(err, done()) }()
			err = fault.Available(ctx, f)
		}
		if err != nil {
			return mistake("%s: %w", one, err)
		}
		if err := save(append(list, one)); err != nil {
			return err
		}
		if err := f.Inject(ctx); err != nil {
			healing, cancel := context.WithTimeout(context.WithoutCancel(ctx), healLimit)
			defer cancel()
			if healErr := f.Heal(healing); healErr != nil {
				return errors.Join(err, fmt.Errorf("it may be in force in part: heal it with matrix fault heal: %w", healErr))
			}
			return errors.Join(err, save(list))
		}
		return nil
	})
	return one, err
}

// healLimit bounds the healing of a fault that could not be injected.
const healLimit = time.Minute

// Heal heals what is injected, of one node where one is named, and returns what it has healed.
func (t *Topology) Heal(ctx context.Context, node string) (healed []Injected, err error) {
	err = t.changeFaults(ctx, func(list []Injected, save func([]Injected) error) error {
		var chosen []Injected
		for _, one := range slices.Backward(list) {
			if one.concerns(node) {
				chosen = append(chosen, one)
			}
		}
		if len(chosen) == 0 {
			return mistake("nothing is injected into %s", strings.TrimSuffix(t.Name+"/"+node, "/"))
		}
		slices.SortStableFunc(chosen, func(a, b Injected) int { return healOrder(a) - healOrder(b) })
		var errs []error
		for _, one := range chosen {
			if err := t.healOne(ctx, one); err != nil {
				errs = append(errs, fmt.Errorf("heal %s: %w", one, err))
				continue
			}
			healed = append(healed, one)
			list = slices.DeleteFunc(slices.Clone(list), one.same)
			errs = append(errs, save(list))
		}
		return errors.Join(errs...)
	})
	return healed, err
}

func healOrder(i Injected) int {
	kind, _ := FindFaultKind(i.Fault)
	return kind.order
}

// healOne heals a fault. One that its server cannot have any more is healed: a replica that was promoted follows nobody.
func (t *Topology) healOne(ctx context.Context, one Injected) (err error) {
	kind, ok := FindFaultKind(one.Fault)
	if !ok {
		return fmt.Errorf("there is no fault of that name")
	}
	var by time.Duration
	if one.By != "" {
		if by, err = time.ParseDuration(one.By); err != nil {
			return err
		}
	}
	f, done, err := t.fault(ctx, kind, one.Nodes, by)
	var pointless *pointlessError
	if errors.As(err, &pointless) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	switch gone := f.(type) {
	case fault.Pause:
		if !gone.Node.Sandbox.Running() {
			return nil // nothing hangs that does not run
		}
	case fault.Delay:
		statuses, err := gone.Node.Server.ReplicaStatus(ctx)
		if err == nil && len(statuses) == 0 {
			return nil
		}
	}
	return f.Heal(ctx)
}

// fault makes the fault of a kind; done gives its connections up.
func (t *Topology) fault(ctx context.Context, kind FaultKind, names []string, by time.Duration) (_ fault.Fault, done func() error, err error) {
	if len(names) != kind.Nodes {
		return nil, nil, fmt.Errorf("want %d nodes, got %d", kind.Nodes, len(names))
	}
	servers, err := t.load(faultLimit)
	if err != nil {
		return nil, nil, err
	}
	at := place{up: t, names: names, by: by}
	for _, name := range names {
		n := servers[name]
		if n == nil && !(name == managerParty && kind.order == healLinks) {
			return nil, nil, fmt.Errorf("no node %q in %s; there are %s", name, t.Name, strings.Join(t.nodeNames(), ", "))
		}
		at.nodes = append(at.nodes, n)
	}
	done = func() error {
		var errs []error
		for _, n := range servers {
			errs = append(errs, n.Server.Close())
		}
		return errors.Join(errs...)
	}
	f, err := kind.make(ctx, at)
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return f, done, nil
}

// faultLimit bounds each statement of a fault. It is more than the minute for which MySQL's STOP REPLICA may wait.
const faultLimit = 75 * time.Second

// load finds the servers by their names, without connecting to them. limit bounds each of their answers.
func (t *Topology) load(limit time.Duration) (map[string]*topology.Node, error) {
	plans, err := filepath.Glob(filepath.Join(t.Dir, "*", "topology.json"))
	if err != nil {
		return nil, err
	}
	servers := map[string]*topology.Node{}
	for i, plan := range plans {
		one, err := topology.Load(filepath.Dir(plan))
		if err == nil {
			err = one.Unconnected(limit)
		}
		if err != nil {
			return nil, fmt.Errorf("topology %s: %w", t.Name, err)
		}
		for _, n := range one.Nodes {
			servers[prefix(i, len(plans))+n.Name] = n
		}
	}
	return servers, nil
}

func (t *Topology) nodeNames() (names []string) {
	for _, n := range t.Nodes {
		names = append(names, n.Name)
	}
	return names
}

// changeFaults reads what is injected and lets change save something else, while no other process does.
func (t *Topology) changeFaults(ctx context.Context, change func(list []Injected, save func([]Injected) error) error) (err error) {
	lock := flock.New(filepath.Join(t.Dir, faultsFile+".lock"))
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return fmt.Errorf("faults of %s: another command injects or heals: %w", t.Name, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	list, err := readFaults(t.Dir)
	if err != nil {
		return err
	}
	return change(list, func(list []Injected) error {
		text, err := json.MarshalIndent(list, "", "  ")
		if err != nil {
			return err
		}
		path := filepath.Join(t.Dir, faultsFile)
		return renameio.WriteFile(path, text, 0o644, renameio.WithTempDir(t.Dir))
	})
}

// lockPoll is how often a command that waits for another one looks.
const lockPoll = 10 * time.Millisecond

func readFaults(dir string) (list []Injected, err error) {
	text, err := os.ReadFile(filepath.Join(dir, faultsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	return list, nil
}

// Place finds the nodes of one topology by "node" or "topology/node"; the topology may be named by one of them only.
func (l Store) Place(args []string) (*Topology, []string, error) {
	name, nodes := "", make([]string, len(args))
	for i, arg := range args {
		of, node, qualified := strings.Cut(arg, "/")
		if !qualified {
			nodes[i] = arg
			continue
		}
		if nodes[i] = node; name != "" && of != name {
			return nil, nil, fmt.Errorf("%s and %s are of two topologies", args[0], arg)
		}
		name = of
	}
	t, err := l.Find(name)
	if err != nil {
		return nil, nil, err
	}
	for _, node := range nodes {
		if node != managerParty && !slices.Contains(t.nodeNames(), node) {
			return nil, nil, fmt.Errorf("no node %q in %s; there are %s", node, t.Name, strings.Join(t.nodeNames(), ", "))
		}
	}
	return t, nodes, nil
}

// PlaceToHeal finds what to heal: "" or "all" is everything in the only topology, a topology's name everything in it.
func (l Store) PlaceToHeal(what string) (t *Topology, node string, err error) {
	if what == "" || what == "all" {
		t, err = l.Find("")
		return t, "", err
	}
	list, err := l.List()
	if err != nil {
		return nil, "", err
	}
	for i := range list {
		if list[i].Name == what {
			return &list[i], "", nil
		}
	}
	if of, rest, _ := strings.Cut(what, "/"); rest == "all" {
		t, err = l.Find(of)
		return t, "", err
	}
	t, nodes, err := l.Place([]string{what})
	if err != nil {
		return nil, "", err
	}
	return t, nodes[0], nil
}
