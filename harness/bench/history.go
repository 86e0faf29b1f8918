package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"mysqlmatrix/harness/failover"
	"mysqlmatrix/harness/failover/orchestrator"
	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/topology"
)

// History is what is matched across: binary logs of so many bytes in so many files, and how many events were
// written after the last Pseudo-GTID entry.
type History struct {
	Megabytes, Logs, Back int // Megabytes are 10^6 bytes
	Orchestrator          *tool.Program
	Matrix                string // bin/matrix, whose pgtid match is measured as users run it
}

const (
	historyTable = "bench.history"
	wideRow      = 6000    // bytes: a few rows fill an event
	wideBatch    = 150     // rows of a statement
	smallEvents  = 4       // of a transaction of one row: begin, table, row, commit
	smallWriters = 8       // sessions that write them
	megabyte     = 1000000 // bytes
	matchRounds  = 5       // of which the median counts
)

// Match measures one relocation: which coordinates a replica continues at on its sibling, by this project's
// matcher and by orchestrator, and what the matcher's process takes in memory.
func (b *Bench) Match(ctx context.Context, h History) (_ *Result, _ *Memory, err error) {
	dir, err := b.Root.Create(ctx, "bench")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, dir.Remove(context.WithoutCancel(ctx))) }()
	t, err := topology.Deploy(ctx, b.Golden, topology.Options{Shape: topology.MustShape("star:2"), Server: []string{
		"report_host=127.0.0.1", fmt.Sprintf("max_binlog_size=%d", h.Megabytes*megabyte/h.Logs), "max_allowed_packet=64M",
	}}, filepath.Join(dir.Path, "h"), dir.Path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	begin := time.Now()
	if err := b.fill(ctx, t, h); err != nil {
		return nil, nil, err
	}
	b.Log(fmt.Sprintf("%s: a history of %d MB was written in %s", b.Golden.Entry, h.Megabytes, time.Since(begin).Round(time.Second)))
	replica, target := t.Nodes[2], t.Nodes[1]
	if err := replica.Server.StopReplica(ctx, ""); err != nil {
		return nil, nil, err
	}
	// It changes nothing, so that it can be repeated: the first one reads files and starts a program for the first time, which
	// orchestrator is spared.
	var took []time.Duration
	var at server.Coordinates
	var resident float64
	for range matchRounds {
		one, place, memory, err := runMatch(ctx, h.Matrix, replica.Server, target.Server)
		if err != nil {
			return nil, nil, err
		}
		took, at, resident = append(took, one), place, max(resident, memory)
	}
	slices.Sort(took)
	ours := took[len(took)/2]
	theirs, there, err := b.orchestratorMatch(ctx, h, t, filepath.Join(dir.Path, "o"), dir.Path)
	if err != nil {
		return nil, nil, err
	}
	if at != there {
		return nil, nil, fmt.Errorf("the matcher answers %s, orchestrator %s", at, there)
	}
	name := fmt.Sprintf("Pseudo-GTID match, %d MB in %d logs, entry %d events back, %s", h.Megabytes, h.Logs, h.Back, b.Golden.Entry)
	r := result(name, ours, "orchestrator "+h.Orchestrator.Version, theirs)
	return &r, &Memory{Name: "matrix pgtid match of it", ResidentMB: resident}, nil
}

// fill writes the history on the primary and waits until both replicas have it.
func (b *Bench) fill(ctx context.Context, t *topology.Topology, h History) error {
	primary := t.Nodes[0].Server
	if err := primary.Exec(ctx, "CREATE DATABASE bench", "CREATE TABLE "+historyTable+" (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, pad MEDIUMTEXT)"); err != nil {
		return err
	}
	values := strings.TrimSuffix(strings.Repeat("(REPEAT('x', "+fmt.Sprint(wideRow)+")),", wideBatch), ",")
	perLog := max(1, h.Megabytes*megabyte/h.Logs/(wideRow*wideBatch))
	for i := range h.Megabytes * megabyte / (wideRow * wideBatch) {
		if i%perLog == 0 {
			if _, err := pseudogtid.Inject(ctx, primary); err != nil {
				return err
			}
			if err := primary.Exec(ctx, "TRUNCATE TABLE "+historyTable); err != nil { // the logs are what counts
				return err
			}
		}
		if err := primary.Exec(ctx, "INSERT INTO "+historyTable+" (pad) VALUES "+values); err != nil {
			return err
		}
	}
	if _, err := pseudogtid.Inject(ctx, primary); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for range smallWriters {
		group.Go(func() error {
			for range h.Back / smallEvents / smallWriters {
				if err := primary.Exec(groupCtx, "INSERT INTO "+historyTable+" (pad) VALUES ('small')"); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return t.WaitCaughtUp(ctx)
}

// runMatch runs matrix pgtid match as a user would.
func runMatch(ctx context.Context, matrix string, replica, target *server.Server) (took time.Duration, at server.Coordinates, residentMB float64, err error) {
	dsn := func(s *server.Server) string { return s.Endpoint.Config("").FormatDSN() }
	cmd := exec.CommandContext(ctx, matrix, "pgtid", "match", "--json", dsn(replica), dsn(target))
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	begin := time.Now()
	err = cmd.Run()
	took = time.Since(begin)
	if err != nil {
		return took, at, 0, fmt.Errorf("matrix pgtid match: %w: %s%s", err, out.String(), log.String())
	}
	var answer pseudogtid.Answer
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		return took, at, 0, fmt.Errorf("matrix pgtid match: %w: %s", err, out.String())
	}
	const kib = 1024 // getrusage(2) gives the maximum in kilobytes of 1024 bytes
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return took, answer.At, float64(usage.Maxrss) * kib / megabyte, nil
}

// orchestratorMatch has orchestrator move the replica. Its start and what it needs to know the servers do
// not count.
func (b *Bench) orchestratorMatch(ctx context.Context, h History, t *topology.Topology, dir, scope string) (took time.Duration, at server.Coordinates, err error) {
	var members []failover.Member
	for _, n := range t.Nodes {
		members = append(members, failover.Member{Name: n.Name, Rule: failover.Neutral, Endpoint: n.Sandbox.Endpoint(), Replication: n.Sandbox.ReplicationEndpoint()})
	}
	o, err := orchestrator.New(orchestrator.Config{Path: h.Orchestrator.Path, Resources: h.Orchestrator.Dir, Dir: dir, Scope: scope,
		Members: members, Settings: map[string]any{
			"PseudoGTIDPattern": "drop view if exists `_pseudo_gtid_`", "PseudoGTIDPatternIsFixedSubstring": true,
			"PseudoGTIDMonotonicHint": "asc:", "DetectPseudoGTIDQuery": "SELECT 1",
			"RecoverMasterClusterFilters": []string{}, "RecoverIntermediateMasterClusterFilters": []string{},
		}})
	if err != nil {
		return 0, at, err
	}
	defer func() { err = errors.Join(err, o.Stop(context.WithoutCancel(ctx))) }()
	if err := o.Start(ctx); err != nil {
		return 0, at, err
	}
	begin := time.Now()
	at, err = o.Match(ctx, members[2], members[1])
	return time.Since(begin), at, err
}
