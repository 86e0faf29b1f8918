package usertables

import (
	"context"
	"io/fs"
	"path/filepath"
	"strconv"
	"syscall"

	"mysqlmatrix/harness/workload"
)

// Cost is what a change cost the servers while the tool worked.
type Cost struct {
	LagSeconds float64 `json:"lag_seconds"` // the greatest lag of the tool's replica while it replicated
	LagKnown   bool    `json:"lag_known"`
	LockWaits  int64   `json:"lock_waits"` // of rows, on the primary
	DiskBytes  int64   `json:"disk_bytes"` // by which the data directories of the primary and of the tool's replica grew
}

// meter measures a Cost.
type meter struct {
	place *place
	lag   *workload.Lag
	waits int64
	disk  int64
}

func (p *place) measure(ctx context.Context) (m *meter, err error) {
	m = &meter{place: p}
	if m.lag, err = workload.WatchLag(ctx, p.topology.Primary().Server, p.topology.Replicas()[0].Server); err != nil {
		return nil, err
	}
	if m.waits, err = p.lockWaits(ctx); err == nil {
		m.disk = p.disk()
	}
	return m, err
}

// end stops measuring.
func (m *meter) end(ctx context.Context) (c Cost, err error) {
	worst, known := m.lag.Stop()
	c = Cost{LagSeconds: worst.Seconds(), LagKnown: known, DiskBytes: max(0, m.place.disk()-m.disk)}
	waits, err := m.place.lockWaits(ctx)
	c.LockWaits = waits - m.waits
	return c, err
}

func (p *place) lockWaits(ctx context.Context) (int64, error) {
	value, err := p.primary.StatusVariable(ctx, "Innodb_row_lock_waits")
	if err != nil || value == "" {
		return 0, err
	}
	return strconv.ParseInt(value, 10, 64)
}

// disk is what the data directories of the primary and of the tool's replica take. A file that is removed meanwhile
// takes nothing.
func (p *place) disk() (bytes int64) {
	const blockSize = 512 // of stat(2)
	nodes := p.topology.Nodes[:2]
	for _, n := range nodes {
		_ = filepath.WalkDir(n.Sandbox.DataDir(), func(_ string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if info, err := entry.Info(); err == nil {
				if stat, ok := info.Sys().(*syscall.Stat_t); ok {
					bytes += stat.Blocks * blockSize
				}
			}
			return nil
		})
	}
	return bytes
}
