package failover_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/fault"
	"mysqlmatrix/harness/topology"
)

// incident is one thing that happens in a history: what, and to which server; "current" is the one that takes writes.
type incident struct{ what, target string }

func (i incident) String() string { return i.what + " " + i.target }

// history is what happens to a cluster under load, in order.
type history []incident

func (h history) String() string {
	words := make([]string, len(h))
	for i, one := range h {
		words[i] = one.String()
	}
	return strings.Join(words, "; ")
}

// parseHistory reads what String writes.
func parseHistory(text string) (h history, err error) {
	for _, words := range strings.Split(text, "; ") {
		what, target, ok := strings.Cut(words, " ")
		if _, known := happenings[what]; !ok || !known {
			return nil, fmt.Errorf("history: %q is no incident and its server, such as \"kill current\"", words)
		}
		h = append(h, incident{what, target})
	}
	return h, nil
}

const (
	// incidents is how long a history is.
	incidents = 30
	current   = "current"
	all       = "all"
)

// happening is one kind of incident.
type happening struct {
	weight  int
	targets []string // which it may happen to
	// happen does it. What cannot be done now is left out: the same history, without one incident, goes on.
	happen func(*chronicle, context.Context, *topology.Node) error
}

var (
	anyNode    = []string{current, current, "primary", "replica1", "replica2"}
	happenings map[string]happening
)

func init() {
	happenings = map[string]happening{
		"kill": {5, anyNode, func(h *chronicle, ctx context.Context, n *topology.Node) error {
			if !n.Sandbox.Running() || h.has(n, fault.Pause{Node: n}) {
				return nil
			}
			return h.inject(ctx, n, fault.Kill{Node: n})
		}},
		"hang": {3, anyNode, func(h *chronicle, ctx context.Context, n *topology.Node) error {
			if !n.Sandbox.Running() || h.has(n, fault.Pause{Node: n}) {
				return nil
			}
			return h.inject(ctx, n, fault.Pause{Node: n})
		}},
		"stop-applier": {2, anyNode[2:], func(h *chronicle, ctx context.Context, n *topology.Node) error {
			return h.stop(ctx, n, fault.SQLThread)
		}},
		"stop-receiver":   {2, anyNode[2:], func(h *chronicle, ctx context.Context, n *topology.Node) error { return h.stop(ctx, n, fault.IOThread) }},
		"takeover":        {3, anyNode[2:], (*chronicle).takeover},
		"restart-manager": {3, []string{all}, func(h *chronicle, ctx context.Context, _ *topology.Node) error { h.restart(ctx); return nil }},
		"heal":            {5, []string{all}, func(h *chronicle, ctx context.Context, _ *topology.Node) error { return h.healAndJudge(ctx) }},
		// It is never drawn, and says how the servers replicate from the start.
		"asynchronous": {0, []string{all}, func(*chronicle, context.Context, *topology.Node) error { return nil }},
	}
}

// asynchronous begins a history whose servers replicate so; those of others are semi-synchronous where they can be.
var asynchronous = incident{"asynchronous", all}

// drawHistory draws a history, which ends healed. Every other one is asynchronous.
func drawHistory(seed, number int64) (h history) {
	random := rand.New(rand.NewPCG(uint64(seed), uint64(number)))
	var names []string
	for name, one := range happenings {
		for range one.weight {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if number%2 == 0 {
		h = append(h, asynchronous)
	}
	for len(h) < incidents {
		what := names[random.IntN(len(names))]
		targets := happenings[what].targets
		h = append(h, incident{what, targets[random.IntN(len(targets))]})
	}
	h[incidents-1] = incident{"heal", all}
	return h
}

// shorten leaves out of a history that fails what it fails without, while there is time.
func shorten(h history, fails func(history) bool, inTime func() bool) history {
	for size := len(h) / 2; size > 0; size /= 2 {
		for from := 0; from < len(h) && inTime(); {
			shorter := slices.Delete(slices.Clone(h), from, min(from+size, len(h)))
			if len(shorter) > 0 && fails(shorter) {
				h = shorter
			} else {
				from += size
			}
		}
	}
	return h
}

// stop stops a replication thread as an operator does.
func (h *chronicle) stop(ctx context.Context, n *topology.Node, thread fault.Thread) error {
	if !n.Sandbox.Running() || h.has(n, fault.Pause{Node: n}) {
		return nil
	}
	statuses, err := n.Server.ReplicaStatus(ctx)
	if err != nil || len(statuses) != 1 || !statuses[0].Healthy() {
		return err
	}
	return h.inject(ctx, n, fault.StopThread{Node: n, Thread: thread})
}

// takeover asks for one. Whether it succeeds is seen on the servers.
func (h *chronicle) takeover(ctx context.Context, n *topology.Node) error {
	ctx, cancel := context.WithTimeout(ctx, recoveryLimit)
	defer cancel()
	_ = h.manager.(failover.Switcher).Takeover(ctx, n.Name)
	return nil
}
