package usertables

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/pool"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
	"mysqlmatrix/harness/workload"
)

// place is a topology on which tables are changed: a primary and a replica for the tool, and a second replica on
// which the server itself changes the same rows. It replicates up to the last write, so that it has had the same
// statements in commit order.
type place struct {
	topology                *topology.Topology
	primary, replica, model *server.Server
	writers                 *server.Server // the primary, with the server's own settings
	own                     []workload.Table
	member                  *pool.Member // the topology, where it is a pool's
}

// newPlace is the place that a topology is; member is the same where it is a pool's. On failure the topology ends.
func newPlace(t *topology.Topology, member *pool.Member) (p *place, err error) {
	p = &place{topology: t, member: member}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.leave(false))
		}
	}()
	nodes := t.Replicas()
	for node, to := range map[*server.Server]**server.Server{t.Primary().Server: &p.primary, nodes[0].Server: &p.replica, nodes[1].Server: &p.model} {
		if *to, err = reader(node); err != nil {
			return nil, err
		}
	}
	p.writers, err = withSettings(t.Primary().Server, map[string]string{"time_zone": "'+00:00'"})
	return p, err
}

// close ends the connections of the place; the topology is its owner's.
func (p *place) close() error {
	var errs []error
	for _, s := range []*server.Server{p.primary, p.replica, p.model, p.writers} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// leave ends the place, or lets go of it if it is to be kept.
func (p *place) leave(keep bool) error {
	err := p.close()
	if p.member != nil {
		p.member.Withdraw()
	}
	if keep {
		return errors.Join(err, p.topology.Disconnect())
	}
	return errors.Join(err, p.topology.Close())
}

// renew drops what a run has left and has the replicas follow, as a pool wants its topologies back.
func (p *place) renew(ctx context.Context) error {
	for _, s := range []*server.Server{p.replica, p.model} {
		if err := s.StopReplica(ctx, ""); err != nil {
			return err
		}
	}
	for _, s := range []*server.Server{p.primary, p.replica, p.model} {
		if err := dropDatabases(ctx, s); err != nil {
			return err
		}
		if s == p.primary {
			continue
		}
		if err := errors.Join(s.Exec(ctx, "SET GLOBAL innodb_strict_mode = OFF"), p.follows(ctx, s)); err != nil {
			return err
		}
	}
	return errors.Join(p.topology.WaitCaughtUp(ctx), p.close())
}

func dropDatabases(ctx context.Context, s *server.Server) error {
	rows, err := s.Rows(ctx, "SHOW DATABASES")
	if err != nil {
		return err
	}
	statements := []string{"SET SESSION foreign_key_checks = 0", "SET SESSION sql_log_bin = 0"}
	for _, row := range rows {
		if name := row["Database"]; !slices.Contains(standing, name) {
			statements = append(statements, "DROP DATABASE "+server.Ident(name))
		}
	}
	return session(ctx, s, statements...)
}

// others are the tables on a node that are not the user's: the tool's.
func (p *place) others(ctx context.Context, s *server.Server) ([]workload.Table, error) {
	all, err := tables(ctx, s)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(t workload.Table) bool { return slices.Contains(p.own, t) }), nil
}

// freeze stops the model behind the last write, and the replica that the tool uses has it too.
func (p *place) freeze(ctx context.Context) error {
	at, _, err := p.primary.BinaryLogStatus(ctx)
	if err != nil {
		return err
	}
	for _, s := range []*server.Server{p.model, p.replica} {
		if err := s.WaitForCoordinates(ctx, at, ""); err != nil {
			statuses, statusErr := s.ReplicaStatus(ctx)
			if s == p.replica && statusErr == nil && len(statuses) > 0 && statuses[0].SQLErrno == 0 && statuses[0].SQLRunning == "No" {
				continue // the tool has stopped it: whether it has the writes is seen by its rows
			}
			return err
		}
	}
	return p.model.StopReplica(ctx, "")
}

// clearModel takes from the model what the tool had on the primary when it was stopped.
func (p *place) clearModel(ctx context.Context, t workload.Table, triggersBefore []string) error {
	left, err := p.others(ctx, p.model)
	if err != nil {
		return err
	}
	statements := []string{"SET SESSION foreign_key_checks = 0"}
	for _, one := range left {
		statements = append(statements, "DROP TABLE "+one.String())
	}
	rows, err := p.model.Rows(ctx, "SHOW TRIGGERS FROM "+server.Ident(t.Database))
	if err != nil {
		return err
	}
	for _, row := range rows {
		text := row["Trigger"] + ": " + row["Timing"] + " " + row["Event"] + " " + row["Statement"]
		if row["Table"] == t.Name && !slices.Contains(triggersBefore, text) {
			statements = append(statements, "DROP TRIGGER "+server.Ident(t.Database)+"."+server.Ident(row["Trigger"]))
		}
	}
	return session(ctx, p.model, statements...)
}

// restoreLimit is how long a replica may take to follow again after a table.
const restoreLimit = 30 * time.Second

// restore makes the place ready for the next table: what is not the user's is dropped, and the replicas follow.
func (p *place) restore(ctx context.Context, kept *spare) error {
	ctx, cancel := context.WithTimeoutCause(ctx, max(restoreLimit, ctxLeft(ctx)), fmt.Errorf("the replicas did not follow again within %s", restoreLimit))
	defer cancel()
	for _, s := range []*server.Server{p.replica, p.primary} {
		left, err := p.others(ctx, s)
		if err != nil {
			return err
		}
		statements := []string{"SET SESSION foreign_key_checks = 0"}
		if s == p.replica {
			statements = append(statements, "SET SESSION sql_log_bin = 0")
		}
		for _, one := range left {
			statements = append(statements, "DROP TABLE IF EXISTS "+one.String())
		}
		if err := session(ctx, s, statements...); err != nil {
			return err
		}
	}
	if err := p.replica.StartReplica(ctx, ""); err != nil {
		return err
	}
	// The model has not had all of its beats: the next watch begins with a table of its own.
	forget := "DROP DATABASE IF EXISTS " + workload.HeartbeatDatabase
	if err := errors.Join(session(ctx, p.primary, forget), session(ctx, p.model, forget)); err != nil {
		return err
	}
	if kept == nil {
		return nil // the last table: nobody needs the model any more
	}
	if err := kept.restore(ctx, p.model, p.own); err != nil {
		return err
	}
	if err := p.follow(ctx); err != nil {
		return err
	}
	return p.topology.WaitCaughtUp(ctx)
}

// ctxLeft is the time that a context leaves; restoring takes as long as the rows do.
func ctxLeft(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return time.Hour
}

// follow has the model replicate again, from where the primary is now: it has had every write, and what the tool did
// is not for it.
func (p *place) follow(ctx context.Context) error { return p.follows(ctx, p.model) }

func (p *place) follows(ctx context.Context, s *server.Server) error {
	at, _, err := p.primary.BinaryLogStatus(ctx)
	if err != nil {
		return err
	}
	if err := s.PointTo(ctx, server.Source{Endpoint: p.topology.Primary().Sandbox.ReplicationEndpoint(), At: at, Heartbeat: time.Second}); err != nil {
		return err
	}
	return s.StartReplica(ctx, "")
}

// underWrites runs the tool while rows are written, and returns when it has ended. The tool keeps from exchanging the
// tables until as many statements as asked for were sent after it had begun. With modelFirst nothing is written meanwhile.
func (p *place) underWrites(ctx context.Context, tool migration.Tool, job migration.Job, w *writer, statements int, modelFirst bool) (result *migration.Result, err, writeErr error) {
	if modelFirst || tool.Describe().Immediate { // it cannot be held: what was to be written was written before
		if err := p.freeze(ctx); err != nil {
			return nil, nil, err
		}
		result, err = tool.Migrate(ctx, job)
		return result, err, nil
	}
	if err := job.Hold(); err != nil {
		return nil, err, nil
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		result, err = tool.Migrate(ctx, job)
	}()
	writeErr = p.writeUntil(ctx, w, statements, ended, func(ctx context.Context) (bool, error) {
		return p.begun(ctx, tool.Describe().Objects.Follows(job.Database, job.Table))
	})
	if writeErr == nil {
		writeErr = p.freeze(ctx)
	}
	release := wait.State{What: job.Table + ": the tool has ended", Poll: releaseEvery}
	releaseErr := release.Until(context.WithoutCancel(ctx), func(context.Context) (string, bool, error) {
		select {
		case <-ended:
			return "", true, nil
		default:
			return "it works", false, wait.Stop(job.Release())
		}
	})
	<-ended
	return result, err, errors.Join(writeErr, releaseErr)
}

// releaseEvery is how often the tool is let go: gh-ost makes its flag file anew when it is gone too soon.
const releaseEvery = 50 * time.Millisecond

// writeUntil writes until enough statements were sent after the tool had begun, or the tool has ended.
func (p *place) writeUntil(ctx context.Context, w *writer, statements int, ended <-chan struct{}, follows func(context.Context) (bool, error)) error {
	if w == nil {
		return nil
	}
	begun := false
	state := wait.State{What: "the writes while the tool works", Poll: earlyWrite, Ended: ended}
	err := state.Until(ctx, func(ctx context.Context) (string, bool, error) {
		if !begun {
			var err error
			if begun, err = follows(ctx); err != nil {
				return "", false, wait.Stop(err)
			}
			return "the tool has not begun", false, wait.Stop(w.write(ctx))
		}
		for range writesAtOnce {
			if err := w.write(ctx); err != nil {
				return "", false, wait.Stop(err)
			}
			statements--
		}
		return fmt.Sprintf("%d statements left", statements), statements <= 0, nil
	})
	if errors.Is(err, wait.ErrEnded) {
		return nil
	}
	return err
}

// writesAtOnce are sent between two looks at the tool.
const writesAtOnce = 10

// begun says whether the tool has a table of its own and sees every write that comes.
func (p *place) begun(ctx context.Context, follows string) (bool, error) {
	for _, s := range []*server.Server{p.primary, p.replica} {
		left, err := p.others(ctx, s)
		if err != nil {
			return false, err
		}
		var seen int
		if len(left) > 0 {
			err = s.DB.QueryRowContext(ctx, follows).Scan(&seen)
		}
		if _, _, ok := refused(err); ok {
			return true, nil // a name that the tool has cut inside a letter cannot be asked for
		}
		if err != nil || seen > 0 {
			return seen > 0, err
		}
	}
	return false, nil
}
