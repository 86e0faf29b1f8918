// Package failover replaces a primary that has died: it watches a replicated cluster, decides who is to be
// the new primary, and wires the others to it. The embedded manager does so without anything installed;
// whatever does it stands behind Manager.
package failover

import "context"

// Manager watches one cluster and recovers it.
type Manager interface {
	// Start begins to watch, and returns when every server has been looked at once.
	Start(ctx context.Context) error
	// Stop ends watching, after a recovery that is under way, and releases all connections.
	Stop(ctx context.Context) error
	// Audits are the recoveries, refusals and alerts until now, oldest first. The last one may be under way.
	Audits() []Audit
}
