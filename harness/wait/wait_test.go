package wait

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestUntil(t *testing.T) {
	closed := make(chan struct{})
	close(closed)
	refused := errors.New("connection refused")
	cases := []struct {
		name  string
		state State
		look  func(n int) (string, bool, error)
		want  []string // parts of the error; none for success
		is    error
	}{
		{name: "reached at the third look", look: func(n int) (string, bool, error) { return "", n == 3, nil }},
		{name: "an error of a look is no end", look: func(n int) (string, bool, error) {
			if n < 3 {
				return "", false, refused
			}
			return "", true, nil
		}},
		{name: "reached with an error is not reached", state: State{Limit: 20 * time.Millisecond},
			look: func(int) (string, bool, error) { return "a row", true, refused }, want: []string{"last seen: a row"}, is: refused},
		{name: "limit", state: State{What: "replica1 connects", Limit: 20 * time.Millisecond},
			look: func(n int) (string, bool, error) { return fmt.Sprintf("IO=Connecting %d", min(n, 1)), false, refused },
			want: []string{"replica1 connects: not after ", "last seen: IO=Connecting 1", "connection refused"}, is: context.DeadlineExceeded},
		{name: "stop", look: func(int) (string, bool, error) { return "SQL=No", false, Stop(refused) },
			want: []string{"last seen: SQL=No", "connection refused"}, is: refused},
		{name: "the program ends", state: State{Ended: closed, Poll: time.Hour, Cause: func() error { return refused }},
			look: func(int) (string, bool, error) { return "", false, nil }, want: []string{"has ended"}, is: ErrEnded},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			err := c.state.Until(t.Context(), func(context.Context) (string, bool, error) { n++; return c.look(n) })
			if (err != nil) != (len(c.want) > 0) {
				t.Fatalf("error: %v", err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
			if !errors.Is(err, c.is) {
				t.Errorf("%q is not %v", err, c.is)
			}
		})
	}
}

func TestLastStateIsNotThatTimeIsOver(t *testing.T) {
	err := State{Limit: 30 * time.Millisecond}.Until(t.Context(), func(ctx context.Context) (string, bool, error) {
		if ctx.Err() == nil {
			<-ctx.Done()
			return "nothing was read", false, nil
		}
		return "", false, nil
	})
	if err == nil || !strings.Contains(err.Error(), "nothing was read") {
		t.Errorf("error: %v", err)
	}
}
