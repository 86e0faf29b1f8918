package embedded

import (
	"context"
	"errors"
	"strings"
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
		err := m.act(ctx, m.pollers[i].member, m.refuseWrites)
		m.journal.note(audit, begin, o.Name, "read_only on", err)
		m.pollers[i].poll(ctx)
	}
}

// refuseWrites makes a replaced primary read-only. That waits for commits, and those may wait for acknowledgements that no replica
// will give: their sessions are ended. The clients get no answer, as from a primary that is dead. To let the commits go on instead
// would be to acknowledge what the new primary lacks.
func (m *Manager) refuseWrites(ctx context.Context, s *server.Server) error {
	if m.config.planted == fencePolitely {
		return s.SetReadOnly(ctx, true)
	}
	done := make(chan error, 1)
	go func() { done <- s.SetReadOnly(ctx, true) }()
	var killErr error
	for {
		patience := time.NewTimer(stopPatience)
		select {
		case err := <-done:
			patience.Stop()
			return errors.Join(err, killErr)
		case <-patience.C:
			killErr = killWaiting(ctx, s)
		}
	}
}

// killWaiting ends the sessions whose commits wait for acknowledgements.
func killWaiting(ctx context.Context, s *server.Server) error {
	threads, err := s.Rows(ctx, "SHOW PROCESSLIST")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		if strings.Contains(strings.ToLower(thread["State"]), "semi-sync ack") {
			err = errors.Join(err, killConnection(ctx, s, thread["Id"]))
		}
	}
	return err
}
