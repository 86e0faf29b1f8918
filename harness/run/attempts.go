package run

import (
	"context"
	"errors"
	"slices"
	"sync"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/report"
)

// Attempts says how often specs run. The zero Attempts is once. Every attempt is an event of its own; a spec of which
// some attempts passed and some did not is flaky, however it ended.
type Attempts struct {
	Repeat       int  // every spec runs as many times
	Retries      int  // a spec that failed runs again, at most as many times, unless nothing of its cell passed
	UntilFailure bool // every spec runs again and again until one fails, in whatever cell
}

// Validate refuses attempts that contradict each other.
func (a Attempts) Validate() error {
	if a.Repeat < 0 || a.Retries < 0 {
		return errors.New("the number of attempts cannot be negative")
	}
	ways := 0
	for _, chosen := range []bool{a.Repeat > 1, a.Retries > 0, a.UntilFailure} {
		if chosen {
			ways++
		}
	}
	if ways > 1 {
		return errors.New("choose one of repeat, retries and until-failure")
	}
	return nil
}

// attempts runs specs of a cell as often as is asked for. Attempts come in rounds, so that the second one of a spec
// does not meet the load of the first one's neighbours alone.
func (r *runner) attempts(ctx context.Context, w *work, all []cell.Spec) {
	specs := all
	verdicts := r.round(ctx, w, specs, 1)
	for n := 2; ctx.Err() == nil; n++ {
		if specs = r.Attempts.next(n, all, specs, verdicts, r.failed.Load()); len(specs) == 0 {
			return
		}
		verdicts = r.round(ctx, w, specs, n)
	}
}

// next chooses the specs of round n, of all, by the verdicts of the round before.
func (a Attempts) next(n int, all, specs []cell.Spec, verdicts []report.Verdict, failed bool) []cell.Spec {
	chosen := func(by func(report.Verdict) bool) (again []cell.Spec) {
		for i, v := range verdicts {
			if by(v) {
				again = append(again, specs[i])
			}
		}
		return again
	}
	switch {
	case n <= a.Repeat:
		return all
	case a.UntilFailure && !failed:
		// What the server lacks never fails: a cell of nothing else would go on for ever.
		return chosen(func(v report.Verdict) bool { return v != report.VerdictUnsupported })
	case n > 1+a.Retries:
		return nil
	case n == 2 && len(specs) > 1 && !slices.ContainsFunc(verdicts, passed):
		return nil // it is no flake: to try again would cost its time and tell nothing
	}
	return chosen(func(v report.Verdict) bool {
		return v == report.VerdictFailed || v == report.VerdictTimedOut || v == report.VerdictErrored
	})
}

// passed says whether a verdict shows that the cell's server and tool work at all. One that proved nothing does not.
func passed(v report.Verdict) bool {
	return v == report.VerdictPassed || v == report.VerdictFixed || v == report.VerdictFixedByBuild
}

// round runs specs at once, as many as there is room for, and returns their verdicts; the verdict of one that was
// interrupted or not begun is unknown.
func (r *runner) round(ctx context.Context, w *work, specs []cell.Spec, attempt int) []report.Verdict {
	verdicts := make([]report.Verdict, len(specs))
	var group sync.WaitGroup
	for i, spec := range specs {
		weight := weightOf(spec)
		if r.procs.Acquire(ctx, weight) != nil {
			break
		}
		if attempt > 1 && r.UntilFailure && r.failed.Load() {
			r.procs.Release(weight)
			break
		}
		group.Go(func() {
			defer r.procs.Release(weight)
			if verdicts[i] = r.spec(ctx, w, spec, attempt); verdicts[i].Bad() {
				r.failed.Store(true)
			}
		})
	}
	group.Wait()
	return verdicts
}
