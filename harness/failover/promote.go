package failover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mysqlmatrix/harness/server"
)

// promote makes a replica that has applied all it received a primary that takes writes.
func (r *recovery) promote(ctx context.Context, i *involved, plan Plan) error {
	if err := r.step(i, "stop replication", func() error { return r.stopReplica(ctx, i) }); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.ActionLimit)
	defer cancel()
	s := i.server
	steps := []struct {
		what string
		do   func() error
	}{
		{"forget the dead primary", func() error { return s.ResetReplica(ctx, i.link.Channel) }},
		// Before the first write, so that none goes unacknowledged.
		{"semi-synchronous replication on", func() error { return r.keepSemiSync(ctx, s, plan) }},
		{"read_only off", func() error { return s.SetReadOnly(ctx, false) }},
	}
	for _, one := range steps {
		if err := r.step(i, one.what, one.do); err != nil {
			return err
		}
	}
	return nil
}

func (r *recovery) keepSemiSync(ctx context.Context, s *server.Server, plan Plan) error {
	if !r.dead.SemiSync || len(plan.Rewire) == 0 && !r.config.SemiSyncAlone {
		return nil
	}
	return s.Exec(ctx, "SET GLOBAL "+s.Dialect.SemiSync.SourceEnabled+" = 1")
}

// rewire wires the other replicas to the new primary, all at once. One that cannot be is stopped, so that
// it does not go back to the dead primary, and entered as apart: it is never forgotten.
func (r *recovery) rewire(ctx context.Context, primary *involved, plan Plan) {
	var all sync.WaitGroup
	for _, i := range r.involved {
		name := i.poller.member.Name
		switch {
		case i == primary:
		case slices.Contains(plan.Rewire, name):
			all.Go(func() {
				if err := r.follow(ctx, i, primary); err != nil {
					r.setApart(ctx, i, err.Error())
					return
				}
				r.journal.change(r.audit, func(a *Audit) { a.Followers = append(a.Followers, name) })
			})
		case i.server != nil:
			all.Go(func() { r.stop(ctx, i) })
		}
	}
	all.Wait()
	r.phase(func(p *Phases, now time.Time) { p.Following = now })
}

func (r *recovery) setApart(ctx context.Context, i *involved, reason string) {
	r.journal.change(r.audit, func(a *Audit) { a.Apart = append(a.Apart, Apart{i.poller.member.Name, reason}) })
	r.stop(ctx, i)
}

func (r *recovery) stop(ctx context.Context, i *involved) {
	// The outcome is in the audit; there is nothing else to be done about it.
	_ = r.step(i, "stop replication, set apart", func() error { return r.stopReplica(ctx, i) })
}

// follow wires one replica to the new primary and waits until it replicates.
func (r *recovery) follow(ctx context.Context, i, primary *involved) error {
	source := server.Source{Endpoint: primary.poller.member.Replication, Channel: i.link.Channel,
		GTID: i.link.GTID && primary.link.GTID}
	if !source.GTID {
		at, err := r.place(ctx, i, primary)
		if err != nil {
			return err
		}
		source.At = at
	}
	if err := r.point(ctx, i, source); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.FollowLimit)
	defer cancel()
	return r.step(i, "follow "+primary.poller.member.Name, func() error {
		return i.await(ctx, source.Endpoint.Addr(), func(_ Observation, l Link) (bool, error) {
			switch {
			case l.Error != "":
				return false, errors.New(l.Error)
			case l.Fetch == Stopped:
				return false, fmt.Errorf("it does not fetch: %s", l.FetchError)
			default:
				return l.Fetch == Running && l.Apply == Running, nil
			}
		})
	})
}

// place finds where a replica without GTID continues in the new primary's log. It must have applied all
// that it received, or the place would be one before that.
func (r *recovery) place(ctx context.Context, i, primary *involved) (at server.Coordinates, err error) {
	if err := r.apply(ctx, i); err != nil {
		return at, err
	}
	if err := r.step(i, "stop replication", func() error { return r.stopReplica(ctx, i) }); err != nil {
		return at, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.ApplyLimit)
	defer cancel()
	err = r.step(i, "find its place in the log of "+primary.poller.member.Name, func() error {
		at, err = r.config.Rewire(ctx, i.server, primary.server)
		return err
	})
	return at, err
}

func (r *recovery) point(ctx context.Context, i *involved, source server.Source) error {
	if err := r.step(i, "stop replication", func() error { return r.stopReplica(ctx, i) }); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.ActionLimit)
	defer cancel()
	return r.step(i, "point to "+source.Endpoint.Addr(), func() error {
		if err := i.server.PointTo(ctx, source); err != nil {
			return err
		}
		if !i.seen.ReadOnly {
			if err := i.server.SetReadOnly(ctx, true); err != nil {
				return err
			}
		}
		return i.server.StartReplica(ctx, i.link.Channel)
	})
}
