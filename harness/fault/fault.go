// Package fault breaks running servers in stated ways and mends them again. Every fault checks that it is
// in force before Inject returns, and that it is mended before Heal does.
package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mysqlmatrix/harness/topology"
)

// Fault is one way to break something. Inject and Heal may be called again, and then change nothing.
type Fault interface {
	// Inject breaks it and returns once it is seen to be broken.
	Inject(ctx context.Context) error
	// Heal mends it and returns once it is seen to be whole.
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

// await looks until a state is reached; the error has the state that was seen last.
func await(ctx context.Context, what string, look func(context.Context) (seen string, ok bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	tick := time.NewTicker(checkPoll)
	defer tick.Stop()
	for {
		seen, ok, err := look(ctx)
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: last seen: %s: %w", what, seen, errors.Join(ctx.Err(), err))
		}
	}
}

// answers waits until a server answers a query.
func answers(ctx context.Context, what string, n *topology.Node) error {
	return await(ctx, what, func(ctx context.Context) (string, bool, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		var one int
		err := n.Server.DB.QueryRowContext(ctx, "SELECT 1").Scan(&one)
		return "no answer", err == nil, err
	})
}
