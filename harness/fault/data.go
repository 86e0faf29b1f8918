package fault

import (
	"context"
	"errors"
	"fmt"
	"os"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/topology"
)

// DataLost crashes a server and takes its data directory away. Healing provisions it anew from the golden sandbox and has it
// replicate all that its source's binary logs hold, which have to reach back to the first event.
type DataLost struct {
	Topology *topology.Topology
	Node     *topology.Node
	Golden   *sandbox.Golden
	Source   *topology.Node // whom it follows when it is back
}

// String is "lose the data of " and the node's name.
func (f DataLost) String() string { return "lose the data of " + f.Node.Name }

// Inject returns when the process is gone, and the data with it.
func (f DataLost) Inject(ctx context.Context) error {
	if err := f.Node.Sandbox.LoseData(); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	if _, err := os.Stat(f.Node.Sandbox.DataDir()); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: its data directory %s is still there (%v)", f, f.Node.Sandbox.DataDir(), err)
	}
	return stopped(ctx, f, f.Node)
}

// Heal returns when the node answers and both of its replication threads run; it need not have caught up.
func (f DataLost) Heal(ctx context.Context) error {
	if f.Node.Sandbox.Running() {
		return nil
	}
	if err := f.Topology.Provision(ctx, f.Node, f.Golden, f.Source); err != nil {
		return fmt.Errorf("heal: %s: %w", f, err)
	}
	return check("heal: "+f.String()).Until(ctx, func(ctx context.Context) (string, bool, error) {
		statuses, err := f.Node.Server.ReplicaStatus(ctx)
		if err != nil || len(statuses) != 1 {
			return fmt.Sprintf("%d replication channels", len(statuses)), false, err
		}
		return statuses[0].String(), statuses[0].Healthy(), nil
	})
}

// DataReverted crashes a server and starts it with the data that it had at an earlier time: what it has committed since, and its
// GTIDs, are gone, as after the restoration of a snapshot or a crash with sync_binlog = 0.
type DataReverted struct {
	Node *topology.Node
	copy string // of the data directory
}

// String is "revert the data of " and the node's name.
func (f *DataReverted) String() string { return "revert the data of " + f.Node.Name }

// Snapshot shuts the server down, copies its data, and returns when it answers again.
func (f *DataReverted) Snapshot(ctx context.Context) error {
	down := Shutdown{Node: f.Node}
	if err := down.Inject(ctx); err != nil {
		return err
	}
	f.copy = f.Node.Sandbox.DataDir() + ".snapshot"
	if err := os.CopyFS(f.copy, os.DirFS(f.Node.Sandbox.DataDir())); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	return down.Heal(ctx)
}

// Inject returns when the server answers, with the data of the snapshot.
func (f *DataReverted) Inject(ctx context.Context) error {
	kill := Kill{Node: f.Node}
	if err := kill.Inject(ctx); err != nil {
		return err
	}
	dir := f.Node.Sandbox.DataDir()
	if err := errors.Join(os.RemoveAll(dir), os.Rename(f.copy, dir)); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	return kill.Heal(ctx)
}

// Heal does nothing: what is gone is gone.
func (f *DataReverted) Heal(context.Context) error { return nil }
