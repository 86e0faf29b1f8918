// Package pool keeps topologies that a spec has left as it found them, for the next spec that wants the same: what proves it
// is a fingerprint of every node, taken when the topology was new and again when its spec has ended.
package pool

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/topology"
)

// The files by which a topology's folder says what it is here. Whoever renames idleFile has the topology.
const (
	idleFile   = "idle"   // nobody uses it; holds its key
	heldFile   = "held"   // somebody uses it; holds the folder of the user
	recordFile = "record" // what it was when it was new
)

// Pool is a folder of topologies that several processes share.
type Pool struct {
	Dir  string
	Idle int // how many may wait for a spec at once; each of their servers takes memory
}

// Member is a topology of a pool, in use.
type Member struct {
	*topology.Topology
	Reused bool // another spec has had it before
	pool   Pool
	key    string
	record Record
	unread error // why there is no record
}

// Shareable says whether topologies of these options may be used again at all: all servers of one installation, in a shape
// whose replication is pointed again as it was.
func Shareable(golden *sandbox.Golden, o topology.Options) bool {
	plain := slices.Contains([]topology.Kind{topology.Single, topology.Star, topology.Chain, topology.Tree}, o.Shape.Kind)
	return golden.Profile == sandbox.ProfileFast && plain && !o.SemiSync && len(o.Golden) == 0 && len(o.LogDisk) == 0
}

// Get is an idle topology of these options, or a new one. user is the folder of whoever uses it: see Held.
func (p Pool) Get(ctx context.Context, golden *sandbox.Golden, o topology.Options, user string) (*Member, error) {
	key := keyOf(golden, o)
	dirs, err := p.idle()
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		if m := p.take(ctx, dir, key, user); m != nil {
			return m, nil
		}
	}
	return p.start(ctx, golden, o, key, user)
}

// keyOf tells topologies apart by everything that they were deployed with.
func keyOf(golden *sandbox.Golden, o topology.Options) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %s %t %q %q", golden.Dir, o.Shape, o.GTID, o.Format, o.Server)
	for i := range len(o.PerNode) + 16 {
		if lines := o.PerNode[i]; len(lines) > 0 {
			fmt.Fprintf(sum, " %d %q", i, lines)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// idle are the folders of topologies that nobody uses, the oldest first.
func (p Pool) idle() ([]string, error) {
	marks, err := filepath.Glob(filepath.Join(p.Dir, "*", idleFile))
	if err != nil {
		return nil, err
	}
	since := map[string]int64{}
	for _, mark := range marks {
		if info, err := os.Stat(mark); err == nil {
			since[filepath.Dir(mark)] = info.ModTime().UnixNano()
		}
	}
	var dirs []string
	for dir := range since {
		dirs = append(dirs, dir)
	}
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(since[a], since[b]) })
	return dirs, nil
}

// take takes an idle topology unless another process is faster. One that does not answer any more is removed.
func (p Pool) take(ctx context.Context, dir, key, user string) *Member {
	text, err := os.ReadFile(filepath.Join(dir, idleFile))
	if err != nil || string(text) != key || !claim(dir, user) {
		return nil
	}
	m, err := p.open(ctx, dir, key)
	if err != nil {
		_ = Remove(dir) // the runner clears what is left of the pool
		return nil
	}
	return m
}

// claim has a topology no longer be idle; it is false when it was not.
func claim(dir, user string) bool {
	return os.Rename(filepath.Join(dir, idleFile), filepath.Join(dir, heldFile)) == nil &&
		os.WriteFile(filepath.Join(dir, heldFile), []byte(user), 0o644) == nil
}

func (p Pool) open(ctx context.Context, dir, key string) (*Member, error) {
	t, err := topology.Load(dir)
	if err != nil {
		return nil, err
	}
	m := &Member{Topology: t, Reused: true, pool: p, key: key}
	text, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err == nil {
		err = json.Unmarshal(text, &m.record)
	}
	if err == nil {
		err = t.Reconnect(ctx)
	}
	if err == nil {
		err = each(ctx, t, m.record.replicates)
	}
	if err != nil {
		return nil, errors.Join(err, t.Disconnect())
	}
	m.share(true)
	return m, nil
}

func (p Pool) start(ctx context.Context, golden *sandbox.Golden, o topology.Options, key, user string) (*Member, error) {
	dir, err := p.folder()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, heldFile), []byte(user), 0o644); err != nil {
		return nil, err
	}
	t, err := topology.Deploy(ctx, golden, o, dir, dir)
	if err != nil {
		return nil, err
	}
	m := &Member{Topology: t, pool: p, key: key}
	m.unread = m.read(ctx)
	m.share(true)
	return m, nil
}

// read takes the fingerprint of a new topology. Without one it serves its spec, and is not used again.
func (m *Member) read(ctx context.Context) error {
	record, err := Take(ctx, m.Topology)
	if err != nil {
		return fmt.Errorf("its fingerprint could not be taken when it was new: %w", err)
	}
	m.record = record
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.Dir, recordFile), text, 0o644)
}

// folder makes a folder with a short name, for sockets.
func (p Pool) folder() (string, error) {
	for i := 1; ; i++ {
		dir := filepath.Join(p.Dir, strconv.Itoa(i))
		err := os.Mkdir(dir, 0o755)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return dir, err
		}
	}
}

func (m *Member) share(on bool) {
	for _, n := range m.Nodes {
		n.Sandbox.Share(on)
	}
}

// Withdraw takes a topology out of the pool: its servers may be stopped from now on, and whoever has it closes it.
func (m *Member) Withdraw() { m.share(false) }

// Return gives a topology back that is as it was when it was new, but for databases that its spec owns, which are dropped.
// Any other leftover is the error; the topology is then the caller's to withdraw and close.
func (m *Member) Return(ctx context.Context, own []string) error {
	if m.unread != nil {
		return m.unread
	}
	if err := m.record.Restore(ctx, m.Topology, own); err != nil {
		return err
	}
	if err := errors.Join(m.Disconnect(), m.pool.makeRoom()); err != nil {
		return err
	}
	for _, n := range m.Nodes {
		if err := n.Sandbox.Release(); err != nil { // the server itself holds its port
			return err
		}
	}
	held := filepath.Join(m.Dir, heldFile)
	return errors.Join(os.WriteFile(held, []byte(m.key), 0o644), os.Rename(held, filepath.Join(m.Dir, idleFile)))
}

// makeRoom removes topologies that have been idle longest.
func (p Pool) makeRoom() error {
	dirs, err := p.idle()
	if err != nil {
		return err
	}
	for len(dirs) > 0 && len(dirs) >= p.Idle {
		if claim(dirs[0], "") {
			err = errors.Join(err, Remove(dirs[0]))
		}
		dirs = dirs[1:]
	}
	return err
}

// Held are the folders of the topologies that a user has, and has not returned.
func Held(dir, user string) ([]string, error) {
	marks, err := filepath.Glob(filepath.Join(dir, "*", heldFile))
	var held []string
	for _, mark := range marks {
		if text, err := os.ReadFile(mark); err == nil && strings.TrimSpace(string(text)) == user {
			held = append(held, filepath.Dir(mark))
		}
	}
	return held, err
}

// Remove ends a topology's servers and deletes its folder.
func Remove(dir string) error {
	t, err := topology.Left(dir)
	return errors.Join(err, t.Close())
}

// Clear ends all that is left of a pool. It is called when nobody uses it any more.
func Clear(dir string) error {
	if dir == "" {
		return nil
	}
	folders, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, folder := range folders {
		err = errors.Join(err, Remove(folder))
	}
	return err
}
