package embedded

import (
	"context"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// fence makes a replaced primary that has come back read-only.
func (m *Manager) fence(ctx context.Context, state failover.State) {
	for i, o := range state.Servers {
		if !m.members.replaced(o.Name) || !o.Reachable || o.ReadOnly {
			continue
		}
		begin := time.Now()
		audit := m.journal.begin(failover.Audit{State: state, Done: true, Plan: failover.Plan{Action: failover.Alert, Problem: failover.ErrantServer, Dead: o.Name,
			Reason: o.Name + " was replaced, has come back, and took writes: it is made read-only"}})
		err := m.act(ctx, m.pollers[i].member, func(ctx context.Context, s *server.Server) error { return s.SetReadOnly(ctx, true) })
		m.journal.note(audit, begin, o.Name, "read_only on", err)
		m.pollers[i].poll(ctx)
	}
}
