package run

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/report"
)

// sampled is how many specs of a cell that a declaration blocks run beside the first one, to see that it is still true.
const sampled = 3

// run runs a cell's specs. Where a declaration says that the tool cannot work on the server, a sample of the specs runs first:
// when each of them fails as declared, the others are known without having run; else all of them run. The result says why the
// cell could not be judged, "" when it could.
func (r *runner) run(ctx context.Context, w *work) string {
	blocked, others, err := r.blocked(w)
	if err != nil {
		return err.Error()
	}
	sample, rest := draw(blocked, sampled, r.Seed, w.cell.ID())
	if r.AllKnown || r.Repeat > 1 || r.UntilFailure {
		sample, rest = blocked, nil
	}
	r.attempts(ctx, w, slices.Concat(sample, r.orderSpecs(w.cell.ID(), others)))
	if ctx.Err() != nil || len(rest) == 0 {
		return ""
	}
	if !w.allKnown(sample) {
		r.emit(report.Event{Type: report.EventNote, Cell: w.cell.ID(),
			Message: fmt.Sprintf("%d specs are run that were to be known: one of the sample did not fail as declared", len(rest))})
		r.attempts(ctx, w, rest)
		return ""
	}
	for _, spec := range rest {
		r.emit(r.unrun(w, spec, len(sample)))
	}
	return ""
}

// blocked parts a cell's specs into those that a declaration blocks, and the others. Two declarations of one spec are an error.
func (r *runner) blocked(w *work) (blocked, others []cell.Spec, err error) {
	for _, spec := range w.specs {
		x, err := r.expect(w, spec)
		if err != nil {
			return nil, nil, err
		}
		if x != nil && x.BlocksCell() {
			blocked = append(blocked, spec)
		} else {
			others = append(others, spec)
		}
	}
	return blocked, others, nil
}

// draw takes the first spec and as many more as n, which the seed chooses, out of a cell's.
func draw(specs []cell.Spec, n int, seed int64, id report.CellID) (sample, rest []cell.Spec) {
	if len(specs) <= n+1 {
		return specs, nil
	}
	sum := fnv.New64a()
	sum.Write([]byte(id.String()))
	chosen := []int{0}
	for _, i := range rand.New(rand.NewPCG(uint64(seed), sum.Sum64())).Perm(len(specs) - 1)[:n] {
		chosen = append(chosen, i+1)
	}
	for i, spec := range specs {
		if slices.Contains(chosen, i) {
			sample = append(sample, spec)
		} else {
			rest = append(rest, spec)
		}
	}
	return sample, rest
}

// note keeps a spec's verdict: the worst of its attempts.
func (w *work) note(spec string, v report.Verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.verdicts == nil {
		w.verdicts = map[string]report.Verdict{}
	}
	w.verdicts[spec] = report.Worst(w.verdicts[spec], v)
}

// allKnown says whether specs have failed as declared: one of them at least, and all that the server supports.
func (w *work) allKnown(specs []cell.Spec) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := 0
	for _, s := range specs {
		switch w.verdicts[s.Text] {
		case report.VerdictKnown:
			known++
		case report.VerdictUnsupported:
		default:
			return false
		}
	}
	return known > 0
}

// unrun is the end of a spec that is known without having run.
func (r *runner) unrun(w *work, spec cell.Spec, sample int) report.Event {
	e := report.Event{Type: report.EventSpecFinished, Cell: w.cell.ID(), Spec: spec.Text, Labels: spec.Labels, Verdict: report.VerdictKnown, NotRun: true,
		Reason: fmt.Sprintf("not run: %d other specs of the cell show that the tool cannot work there; --all-known runs it", sample), Repro: r.repro(w.cell, spec.Text)}
	if x, err := r.expect(w, spec); err == nil && x != nil {
		e.Expectation = x.Declared()
	}
	return e
}
