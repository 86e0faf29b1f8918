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
// will give: their sessions are ended. The clients get no answer, as from a primary that is dead: to let the commits go on before
// that would be to acknowledge what the new primary lacks. MySQL's go on waiting when their sessions have ended (seen on 9.7.4), and
// are let go then. No other write begins meanwhile.
func (m *Manager) refuseWrites(ctx context.Context, s *server.Server) error {
	if m.config.planted == fencePolitely {
		return s.SetReadOnly(ctx, true)
	}
	done := make(chan error, 1)
	go func() { done <- s.SetReadOnly(ctx, true) }()
	var killErr error
	for round := 1; ; round++ {
		patience := time.NewTimer(stopPatience)
		select {
		case err := <-done:
			patience.Stop()
			return errors.Join(err, killErr)
		case <-patience.C:
			killErr = killWaiting(ctx, s)
			if waits, err := isSemiSync(ctx, s); killErr == nil && round > 1 && waits {
				killErr = errors.Join(err, stopWaiting(ctx, s))
			}
		}
	}
}

// killWaiting ends the sessions that are at a write. One of a group of commits says that it waits for an acknowledgement, and the
// others that they wait for it: all but reading ones are ended.
func killWaiting(ctx context.Context, s *server.Server) error {
	threads, err := s.Rows(ctx, "SHOW PROCESSLIST")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		if thread["Command"] != "Query" && thread["Command"] != "Execute" || thread["User"] == "system user" || harmless(thread["Info"]) {
			continue
		}
		err = errors.Join(err, killConnection(ctx, s, thread["Id"]))
	}
	return err
}

// harmless says whether a statement only reads, or is the one that makes the server read-only.
func harmless(statement string) bool {
	words := strings.Fields(strings.ToUpper(statement))
	return len(words) > 0 && (words[0] == "SELECT" || words[0] == "SHOW" || words[0] == "SET" && len(words) > 1 && words[1] == "GLOBAL")
}

// isSemiSync says whether a server's commits wait for replicas.
func isSemiSync(ctx context.Context, s *server.Server) (bool, error) {
	rows, err := s.Rows(ctx, "SHOW GLOBAL VARIABLES LIKE "+server.Quote(s.Dialect.SemiSync.SourceEnabled))
	return len(rows) == 1 && on(rows[0]["Value"]), err
}
