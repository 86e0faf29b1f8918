package workload

import (
	"testing"
	"time"
)

// TestLate holds that the oldest beat that is not shown counts, and only that.
func TestLate(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	l := &Lag{pending: []beat{{1, ago(5 * time.Second)}, {2, ago(3 * time.Second)}, {3, ago(time.Second)}}}
	tests := []struct {
		shown int64
		want  time.Duration
		seen  int
	}{
		{0, 5 * time.Second, 0},
		{1, 3 * time.Second, 1},
		{1, 3 * time.Second, 1}, // no news is no progress
		{3, 0, 3},
	}
	for _, test := range tests {
		if got := l.late(test.shown, now); got != test.want || l.seen != test.seen {
			t.Errorf("beat %d shown: %s late, %d seen; want %+v", test.shown, got, l.seen, test)
		}
	}
}
