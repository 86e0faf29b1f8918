package orchestrator

import (
	"context"
	"time"

	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/wait"
)

// startLimit is how long a program may take until it answers.
const startLimit = 30 * time.Second

// answers asks a program that was started until ask has no error, or it has ended.
func answers(ctx context.Context, what string, p *proc.Process, ask func(context.Context) error) error {
	return wait.State{What: what, Limit: startLimit, Poll: refreshInterval, Ended: p.Done(), Cause: p.Err}.Until(ctx,
		func(ctx context.Context) (string, bool, error) { err := ask(ctx); return "", err == nil, err })
}
