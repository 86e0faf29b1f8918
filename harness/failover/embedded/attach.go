package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/server"
)

// repoint attaches the other replicas to the new primary, all at once. One that cannot be attached is stopped, so that
// it does not go back to the old primary, and entered as excluded: it is never forgotten.
func (r *recovery) repoint(ctx context.Context, primary *involved, plan failover.Plan) {
	var all sync.WaitGroup
	for _, i := range r.involved {
		switch {
		case i == primary:
		case slices.Contains(plan.Repoint, i.name()):
			all.Go(func() {
				if err := r.follow(ctx, i, primary); err != nil {
					r.exclude(ctx, i, err)
					return
				}
				r.change(func(a *failover.Audit) { a.Followers = append(a.Followers, i.name()) })
			})
		case i.server != nil:
			all.Go(func() { r.stop(ctx, i) })
		}
	}
	all.Wait()
	r.phase(func(p *failover.Phases, now time.Time) { p.Following = now })
}

func (r *recovery) exclude(ctx context.Context, i *involved, err error) {
	r.change(func(a *failover.Audit) {
		a.Excluded = append(a.Excluded, failover.Exclusion{Name: i.name(), Reason: err.Error()})
	})
	var notStopped *stopError
	if !errors.As(err, &notStopped) {
		r.stop(ctx, i)
	}
}

func (r *recovery) stop(ctx context.Context, i *involved) {
	// The outcome is in the audit; there is nothing else to be done about it.
	_ = r.step(i, "stop replication, excluded", func() error { return r.stopReplica(ctx, i) })
}

// follow attaches one replica to the new primary and waits until it replicates.
func (r *recovery) follow(ctx context.Context, i, primary *involved) error {
	source := server.Source{Endpoint: primary.poller.member.Replication, Channel: i.link.Channel,
		GTID: i.link.GTID && primary.link.GTID, TLS: i.link.TLS && r.manager.config.planted != forgetTLS}
	if !source.GTID {
		at, err := r.findPosition(ctx, i, primary)
		if err != nil {
			return err
		}
		source.At = at
	}
	r.applyBefore(ctx, i)
	written, _, err := primary.server.BinaryLogStatus(ctx)
	if err != nil {
		return err
	}
	if err := r.point(ctx, i, source); err != nil {
		return err
	}
	return r.step(i, "follow "+primary.name(), func() error {
		return i.waitForLink(ctx, "replicates from "+primary.name(), source.Endpoint.Addr(), r.manager.config.FollowLimit,
			func(o failover.Observation, l failover.Link) (bool, error) {
				switch {
				case l.Error != "":
					return false, errors.New(l.Error)
				case l.Fetch == failover.Stopped:
					return false, fmt.Errorf("its receiver has stopped: %s", l.FetchError)
				default:
					return l.Fetch == failover.Running && l.Apply == failover.Running && r.receives(l, written), nil
				}
			})
	})
}

// applyBefore lets a replica apply what it has received before it is pointed elsewhere, which deletes its relay logs: until it has
// fetched that again, the new primary would be the only one to have it. One that needs long is not waited for.
func (r *recovery) applyBefore(ctx context.Context, i *involved) {
	c := candidate{Observation: i.seen, link: i.link}
	if !i.link.GTID || i.link.Error != "" || i.link.Delay > 0 || c.left() == 0 || c.left() > readySoon {
		return
	}
	// Its outcome is in the audit.
	_ = r.apply(ctx, i, r.manager.config.CandidateLimit)
}

// receives says whether a replica has received what the new primary had written when it was pointed there. That its
// receiver runs is no proof: an error, such as that the primary has purged what is needed (1236), comes later.
func (r *recovery) receives(l failover.Link, written server.Coordinates) bool {
	return r.manager.config.planted == believeFirstYes || l.Connected && l.Read.Compare(written) >= 0
}

// findPosition finds where a replica without GTID continues in the new primary's log. It must have applied all
// that it received, or the position would be one before that.
func (r *recovery) findPosition(ctx context.Context, i, primary *involved) (at server.Coordinates, err error) {
	if err := r.apply(ctx, i, r.manager.config.ApplyLimit); err != nil {
		return at, err
	}
	if err := r.step(i, "stop replication", func() error { return r.stopReplica(ctx, i) }); err != nil {
		return at, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.manager.config.ApplyLimit)
	defer cancel()
	err = r.step(i, "find its position in the log of "+primary.name(), func() error {
		at, err = r.manager.config.FindPosition(ctx, i.server, primary.server)
		return err
	})
	return at, err
}

func (r *recovery) point(ctx context.Context, i *involved, source server.Source) error {
	if err := r.step(i, "stop replication", func() error { return r.stopReplica(ctx, i) }); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.manager.config.ActionLimit)
	defer cancel()
	if i.waits { // it was to be promoted: the commits of its applier would wait for replicas
		if err := r.step(i, "semi-synchronous replication off", func() error { return stopWaiting(ctx, i.server) }); err != nil {
			return err
		}
	}
	if err := r.step(i, "point to "+source.Endpoint.Addr(), func() error {
		if err := i.server.PointTo(ctx, source); err != nil || i.seen.ReadOnly {
			return err
		}
		return i.server.SetReadOnly(ctx, true)
	}); err != nil {
		return err
	}
	return r.step(i, "start replication", func() error { return i.server.StartReplica(ctx, i.link.Channel) })
}

// stopWaiting lets a server's commits wait for replicas no more.
func stopWaiting(ctx context.Context, s *server.Server) error {
	return s.Exec(ctx, "SET GLOBAL "+s.Dialect.SemiSync.SourceEnabled+" = 0")
}
