package failover

import (
	"context"
	"time"

	"mysqlmatrix/harness/server"
)

// unblock makes a primary that waits for acknowledgements which nobody gives take writes without. The
// commits that wait go on as well. It stays so until an operator says otherwise.
func (m *Embedded) unblock(ctx context.Context, plan Plan, state State) {
	begin := time.Now()
	audit := m.journal.begin(Audit{State: state, Plan: plan, Phases: Phases{Detected: begin}})
	for _, p := range m.pollers {
		if p.member.Name != plan.Dead {
			continue
		}
		err := m.act(ctx, p.member, func(ctx context.Context, s *server.Server) error {
			return s.Exec(ctx, "SET GLOBAL "+s.Dialect.SemiSync.SourceEnabled+" = 0")
		})
		m.journal.note(audit, begin, plan.Dead, "semi-synchronous replication off", err)
		m.journal.change(audit, func(a *Audit) {
			a.Phases.Writable = time.Now()
			if err != nil {
				a.Error = err.Error()
			}
		})
		p.must(ctx)
	}
	m.journal.change(audit, func(a *Audit) { a.Done = true })
}
