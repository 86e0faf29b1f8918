package embedded

import (
	"sync"
	"time"

	"mysqlmatrix/harness/failover"
)

// journal keeps the audits; the last one may be under way.
type journal struct {
	mu     sync.Mutex
	audits []failover.Audit
}

// begin adds an audit and returns its number.
func (j *journal) begin(a failover.Audit) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.audits = append(j.audits, a)
	return len(j.audits) - 1
}

func (j *journal) change(i int, change func(*failover.Audit)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.audits[i])
}

func (j *journal) get(i int) failover.Audit {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.audits[i].Clone()
}

func (j *journal) all() []failover.Audit {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]failover.Audit, len(j.audits))
	for i, a := range j.audits {
		list[i] = a.Clone()
	}
	return list
}

// note enters a step with its outcome.
func (j *journal) note(i int, begin time.Time, name, what string, err error) {
	step := failover.Step{At: begin, Took: time.Since(begin), Server: name, What: what}
	if err != nil {
		step.Error = err.Error()
	}
	j.change(i, func(a *failover.Audit) { a.Steps = append(a.Steps, step) })
}
