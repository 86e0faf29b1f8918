package pseudogtid

import (
	"context"

	"mysqlmatrix/harness/server"
)

// faults are planted by tests, to see their oracles catch them. Outside of this package only the build tag "planted",
// which suites are compiled with, has a way to ask for one (planted_matchers.go).
type faults struct {
	ignoreContents  bool // compares what kind of event it is, and not its contents
	offByOne        bool // answers with the transaction after the right one
	acceptReordered bool // takes the same transactions in another order for the same history
}

// oneTooFar goes past the transaction after the right answer: a fault that the suite must catch.
func oneTooFar(ctx context.Context, c *cursor, at server.Coordinates) (server.Coordinates, error) {
	for {
		item, err := c.next(ctx)
		if err != nil || item == nil {
			return at, err
		}
		if at = item.End; item.Boundary {
			return at, nil
		}
	}
}

// reordered takes the same number of transactions for the same transactions when each of the replica's is
// among the target's: a fault that the suite must catch.
func reordered(ctx context.Context, mine, theirs *cursor, answer *Answer) (*Answer, error) {
	want := map[string]int{}
	count := 0
	for {
		text, _, err := transaction(ctx, mine)
		if err != nil {
			return nil, err
		}
		if text == "" {
			break
		}
		want[text]++
		count++
	}
	for range count {
		text, end, err := transaction(ctx, theirs)
		if err != nil {
			return nil, err
		}
		if want[text]--; want[text] < 0 || text == "" {
			return nil, (&RefusalError{}).because(Diverged, "a transaction of the target is not among the replica's")
		}
		answer.At = end
	}
	return answer, nil
}

// transaction is the text of the next one, "" at the end.
func transaction(ctx context.Context, c *cursor) (text string, end server.Coordinates, err error) {
	for {
		item, err := c.next(ctx)
		if err != nil || item == nil {
			return text, end, err
		}
		text += item.String() + "\n"
		if item.Boundary {
			return text, item.End, nil
		}
	}
}
