package failover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mysqlmatrix/harness/proc"
)

// startLimit is how long a program that was started may take until it answers.
const startLimit = 30 * time.Second

// awaitAnswer asks a program that was started until ask has no error. When it ends or takes too long, the error has what
// ask said last.
func awaitAnswer(ctx context.Context, p *proc.Process, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("it has ended: %w", p.Err())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}
