package embedded

import (
	"context"
	"fmt"

	"mysqlmatrix/harness/failover"
)

// keepRelayLog starts the applier of a candidate before its receiver is stopped, where the server deletes the relay logs
// when a thread is started while both are stopped: what they hold may be nowhere else.
func (r *recovery) keepRelayLog(ctx context.Context, i *involved, rule failover.Rule) error {
	if r.manager.config.planted == stopReceiverFirst || !i.server.Flavor.StartDeletesRelayLogs() || rule == failover.MustNot ||
		!i.link.GTID || i.link.Apply != failover.Stopped || i.link.Fetch == failover.Stopped || i.link.Error != "" {
		return nil
	}
	return r.step(i, "start the applier, so that the relay logs are kept", func() error { return i.server.StartSQLThread(ctx, i.link.Channel) })
}

// startApplier starts a stopped applier without losing its relay logs. Where both threads are stopped, MariaDB starts with
// empty relay logs when it uses GTID; it goes on in them when it is told to use none and where it is in them.
func (r *recovery) startApplier(ctx context.Context, i *involved) error {
	s := i.server
	if r.manager.config.planted == stopReceiverFirst || !s.Flavor.StartDeletesRelayLogs() || !i.link.GTID {
		return s.StartSQLThread(ctx, i.link.Channel)
	}
	relay := i.link.Relay
	return r.step(i, "start the applier in the relay logs at "+relay.String(), func() error {
		if err := s.PointToRelayLog(ctx, i.link.Channel, relay); err != nil {
			return err
		}
		if err := s.StartSQLThread(ctx, i.link.Channel); err != nil {
			return fmt.Errorf("apply the relay log: %w", err)
		}
		return nil
	})
}
