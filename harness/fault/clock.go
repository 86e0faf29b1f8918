package fault

import (
	"context"
	"sync/atomic"
	"time"
)

// Clock is what a heartbeat writer reads the time from, so that it can be set. Its zero value is right.
type Clock struct{ off atomic.Int64 }

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.off.Load())) }

// ClockStep sets the clock of a heartbeat forward, or back, at once. The server's own clock is the machine's, and stays.
type ClockStep struct {
	Clock *Clock
	By    time.Duration // negative sets it back
}

// String is "set the heartbeat's clock by " and the step.
func (f ClockStep) String() string { return "set the heartbeat's clock by " + f.By.String() }

// Inject returns when the clock shows the other time.
func (f ClockStep) Inject(context.Context) error {
	f.Clock.off.Store(int64(f.By))
	return nil
}

// Heal sets the clock right.
func (f ClockStep) Heal(context.Context) error {
	f.Clock.off.Store(0)
	return nil
}
