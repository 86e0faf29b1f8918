// Package fault breaks running servers in stated ways and heals them again. Every fault checks that it is
// in force before Inject returns, and that it is gone before Heal does.
package fault

import (
	"context"
	"time"

	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

// Fault is one way to break something. Inject and Heal may be called again, and then change nothing.
type Fault interface {
	// Inject breaks it and returns once it is seen to be broken.
	Inject(ctx context.Context) error
	// Heal repairs it and returns once it is seen to work.
	Heal(ctx context.Context) error
	// String says what is broken, for reports: "kill primary".
	String() string
}

const (
	// checkPoll is how often the state that a fault leads to is looked for.
	checkPoll = 2 * time.Millisecond
	// checkLimit is how long it may take.
	checkLimit = 20 * time.Second
)

// check is the wait for the state that a fault, or its healing, leads to.
func check(what string) wait.State {
	return wait.State{What: what, Limit: checkLimit, Poll: checkPoll}
}

// answers waits until a server answers a query.
func answers(ctx context.Context, what string, n *topology.Node) error {
	return check(what).Until(ctx, func(ctx context.Context) (string, bool, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		var one int
		err := n.Server.DB.QueryRowContext(ctx, "SELECT 1").Scan(&one)
		return "no answer", err == nil, err
	})
}
