package embedded

import (
	"context"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// unblock switches a primary that waits for acknowledgements that no replica gives to asynchronous replication. The
// commits that wait go on as well. It stays so until an operator enables it again.
func (m *Manager) unblock(ctx context.Context, plan failover.Plan, state failover.State) {
	begin := time.Now()
	audit := m.journal.begin(failover.Audit{State: state, Plan: plan, Phases: failover.Phases{Detected: begin}})
	for _, p := range m.pollers {
		if p.member.Name != plan.Dead {
			continue
		}
		err := m.act(ctx, p.member, func(ctx context.Context, s *server.Server) error {
			return stopWaiting(ctx, s)
		})
		m.journal.note(audit, begin, plan.Dead, "semi-synchronous replication off", err)
		m.journal.change(audit, func(a *failover.Audit) {
			a.Phases.Writable = time.Now()
			if err != nil {
				a.Error = err.Error()
			}
		})
		p.poll(ctx)
	}
	m.journal.change(audit, func(a *failover.Audit) { a.Done = true })
}
