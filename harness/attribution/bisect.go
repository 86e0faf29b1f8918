package attribution

import (
	"context"
	"fmt"

	"mysqlmatrix/harness/report"
)

// Change is where, in a list of entries in order, a verdict changes.
type Change struct {
	Before, First int // indices of the last entry that ends as the first one does, and of the first that does not
	Old, New      report.Verdict
	Skipped       []int // entries between the two that tell nothing, so that the change may be in one of them
}

// Bisect finds the first entry in order where a spec changes between working and not, by as few probes as it takes.
// An entry that cannot be obtained, or does not support the spec, is stepped over, as git bisect skips commits. It is an
// error when the first and the last that tell something agree.
func Bisect(ctx context.Context, n int, probe func(context.Context, int) (report.Verdict, error)) (*Change, error) {
	verdicts := make([]report.Verdict, n)
	tells := func(i int) (bool, error) {
		if verdicts[i] == report.VerdictUnknown {
			v, err := probe(ctx, i)
			if err != nil {
				return false, err
			}
			verdicts[i] = v
		}
		return speaks(&Finding{Verdict: verdicts[i]}, unknown) != unknown, nil
	}
	seek := func(from, to, step int) (int, error) {
		for i := from; i != to; i += step {
			if ok, err := tells(i); err != nil || ok {
				return i, err
			}
		}
		return -1, nil
	}
	low, err := seek(0, n, 1)
	if err != nil {
		return nil, err
	}
	if low < 0 {
		return nil, fmt.Errorf("none of the %d entries tells anything: see why each could not be obtained or does not support the spec", n)
	}
	high, err := seek(n-1, low, -1)
	if err != nil {
		return nil, err
	}
	if high < 0 || verdicts[high].Broken() == verdicts[low].Broken() {
		return nil, &NoChangeError{verdicts[low]}
	}
	for high-low > 1 {
		middle := (low + high) / 2
		at, err := seek(middle, high, 1)
		if at < 0 && err == nil {
			at, err = seek(middle-1, low, -1)
		}
		if err != nil {
			return nil, err
		}
		if at < 0 {
			break // everything between tells nothing
		}
		if verdicts[at].Broken() == verdicts[low].Broken() {
			low = at
		} else {
			high = at
		}
	}
	c := &Change{Before: low, First: high, Old: verdicts[low], New: verdicts[high]}
	for i := low + 1; i < high; i++ {
		c.Skipped = append(c.Skipped, i)
	}
	return c, nil
}

// NoChangeError says that the ends of the list agree.
type NoChangeError struct{ Verdict report.Verdict }

func (e *NoChangeError) Error() string {
	return fmt.Sprintf("it does not change: the first and the last entry that tell something are both %s", e.Verdict)
}
