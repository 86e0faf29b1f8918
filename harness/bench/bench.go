// Package bench measures side by side, in one run on one machine: a proven topology by clones against
// dbdeployer's own deployment, and against the time that the servers alone need to start; gh-ost's own tests
// by the migration suite against upstream's script.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
)

// Result is one comparison. Ratio is OtherS / OursS: how many times faster ours is.
type Result struct {
	Name   string  `json:"name"`
	OursS  float64 `json:"ours_s"`  // median, seconds
	Other  string  `json:"other"`   // what ours is compared with
	OtherS float64 `json:"other_s"` // median, seconds
	Ratio  float64 `json:"ratio"`
	Note   string  `json:"note,omitempty"` // what else the comparison showed
}

// Memory is what a node of a topology occupies.
type Memory struct {
	Name       string  `json:"name"`
	ResidentMB float64 `json:"resident_mb"` // of the largest node, in units of 10^6 bytes
}

// nodes is how many servers every measurement starts.
const nodes = 3

// Bench measures with one entry's server.
type Bench struct {
	Basedir    *basedir.Basedir
	Golden     *sandbox.Golden
	Root       *rundir.Root
	Dbdeployer string // program
	Rounds     int    // of each measurement; the median counts
	Log        func(string)
}

// Run takes every measurement of the entry.
func (b *Bench) Run(ctx context.Context) (_ []Result, _ Memory, err error) {
	dir, err := b.Root.Create(ctx, "bench")
	if err != nil {
		return nil, Memory{}, err
	}
	defer func() { err = errors.Join(err, dir.Remove(context.WithoutCancel(ctx))) }()
	name := b.Golden.Entry
	memory := Memory{Name: name}
	ours, err := b.repeat(ctx, name+": star:2 by clones", func(i int) (time.Duration, error) {
		took, resident, err := b.clones(ctx, filepath.Join(dir.Path, "c"+strconv.Itoa(i)), dir.Path)
		memory.ResidentMB = max(memory.ResidentMB, resident)
		return took, err
	})
	if err != nil {
		return nil, memory, err
	}
	limit, err := b.repeat(ctx, name+": three servers, start only", func(i int) (time.Duration, error) {
		return b.startOnly(ctx, filepath.Join(dir.Path, "l"+strconv.Itoa(i)), dir.Path)
	})
	if err != nil {
		return nil, memory, err
	}
	label, deploy := "dbdeployer deploy replication", b.deployReplication
	if !b.Golden.Flavor.Dialect().MasterSyntax { // which its replication deployment uses
		label, deploy = "dbdeployer deploy multiple and wiring", b.deployMultiple
	}
	theirs, err := b.repeat(ctx, name+": "+label, func(i int) (time.Duration, error) {
		return deploy(ctx, filepath.Join(dir.Path, "d"+strconv.Itoa(i)))
	})
	if err != nil {
		return nil, memory, err
	}
	return []Result{
		result("proven star:2, "+name, ours, label+", its defaults", theirs),
		result("proven star:2, "+name, ours, "the limit: three servers started at once from copied datadirs", limit),
	}, memory, nil
}

func result(name string, ours time.Duration, other string, theirs time.Duration) Result {
	return Result{Name: name, OursS: ours.Seconds(), Other: other, OtherS: theirs.Seconds(), Ratio: theirs.Seconds() / ours.Seconds()}
}

func (b *Bench) repeat(ctx context.Context, what string, measure func(i int) (time.Duration, error)) (time.Duration, error) {
	var times []time.Duration
	for i := range b.Rounds {
		took, err := measure(i)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", what, err)
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		times = append(times, took)
	}
	slices.Sort(times)
	b.Log(fmt.Sprintf("%s: median %s of %v", what, times[len(times)/2].Round(time.Millisecond), times))
	return times[len(times)/2], nil
}

func (b *Bench) options() topology.Options {
	return topology.Options{Shape: topology.MustShape("star:2"), GTID: b.Golden.Capabilities[flavor.CapGTID]}
}

func (b *Bench) clones(ctx context.Context, dir, scope string) (took time.Duration, residentMB float64, err error) {
	begin := time.Now()
	t, err := topology.Deploy(ctx, b.Golden, b.options(), dir, scope)
	took = time.Since(begin)
	if err != nil {
		return took, 0, err
	}
	for _, n := range t.Nodes {
		mb, err := residentMB10(n.Sandbox.PID())
		if err != nil {
			return took, 0, errors.Join(err, t.Close())
		}
		residentMB = max(residentMB, mb)
	}
	return took, residentMB, t.Close()
}

// residentMB10 reads VmRSS, which proc(5) gives in units of 1024 bytes.
func residentMB10(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb * 1024 / 1e6, err
		}
	}
	return 0, fmt.Errorf("process %d: no VmRSS", pid)
}

// startOnly starts three servers at once from datadirs that were copied before the clock runs.
func (b *Bench) startOnly(ctx context.Context, dir, scope string) (took time.Duration, err error) {
	var boxes []*sandbox.Sandbox
	defer func() {
		for _, box := range boxes {
			err = errors.Join(err, box.Remove())
		}
	}()
	for i := range nodes {
		box, err := b.Golden.Clone(filepath.Join(dir, strconv.Itoa(i)), sandbox.Spec{ServerID: 101 + i, Scope: scope, Options: []string{"log-bin=mysql-bin"}})
		if err != nil {
			return 0, err
		}
		boxes = append(boxes, box)
	}
	begin := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, box := range boxes {
		group.Go(func() error { return box.Start(ctx) })
	}
	err = group.Wait()
	return time.Since(begin), err
}

// deployReplication is dbdeployer's own topology, with its defaults, until its own check has passed.
func (b *Bench) deployReplication(ctx context.Context, dir string) (time.Duration, error) {
	return b.dbdeployer(ctx, dir, "replication", "--nodes="+strconv.Itoa(nodes))
}

// deployMultiple deploys three servers with dbdeployer's defaults and wires them as a person would.
func (b *Bench) deployMultiple(ctx context.Context, dir string) (time.Duration, error) {
	took, err := b.dbdeployer(ctx, dir, "multiple", "--nodes="+strconv.Itoa(nodes),
		// Its own --gtid adds options that 8.4 removed.
		"--my-cnf-options=log-bin=mysql-bin", "--my-cnf-options=gtid_mode=ON", "--my-cnf-options=enforce_gtid_consistency=ON")
	if err != nil {
		return took, err
	}
	begin := time.Now()
	err = b.wire(ctx, dir)
	return took + time.Since(begin), err
}

func (b *Bench) dbdeployer(ctx context.Context, dir, kind string, args ...string) (time.Duration, error) {
	version := b.Basedir.Flavor.Version.String()
	if err := os.MkdirAll(filepath.Join(dir, "binary"), 0o755); err != nil {
		return 0, err
	}
	if err := os.Symlink(b.Basedir.Path, filepath.Join(dir, "binary", version)); err != nil {
		return 0, err
	}
	lease, err := sandbox.LeasePort()
	if err != nil {
		return 0, err
	}
	defer lease.Release()
	args = append([]string{"deploy", kind, version, "--sandbox-binary=" + filepath.Join(dir, "binary"), "--sandbox-home=" + dir,
		"--sandbox-directory=box", "--skip-library-check", "--base-port=" + strconv.Itoa(lease.Port), "--log-directory=" + filepath.Join(dir, "logs"),
		"--my-cnf-options=secure-file-priv="}, args...)
	begin := time.Now()
	_, err = proc.Run(ctx, proc.Cmd{Path: b.Dbdeployer, Args: args, Dir: dir, Scope: dir, Env: []string{"HOME=" + dir, "SANDBOX_HOME=" + dir}})
	return time.Since(begin), err
}

// wire points node2 and node3 at node1 and reads a row on them.
func (b *Bench) wire(ctx context.Context, dir string) (err error) {
	var servers []*server.Server
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.Close())
		}
	}()
	for i := range nodes {
		port, err := portOf(filepath.Join(dir, "box", "node"+strconv.Itoa(i+1), "my.sandbox.cnf"))
		if err != nil {
			return err
		}
		s, err := server.Open(ctx, server.Endpoint{Host: "127.0.0.1", Port: port, User: sandbox.User, Password: sandbox.Password})
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	source := servers[0].Endpoint
	source.User, source.Password = sandbox.ReplicaUser, sandbox.ReplicaPassword
	for _, replica := range servers[1:] {
		// What dbdeployer itself wrote is different on every node; a person would drop it, too.
		if err := replica.Exec(ctx, replica.Dialect.ResetBinaryLogs); err != nil {
			return err
		}
		if err := replica.PointTo(ctx, server.Source{Endpoint: source, GTID: true}); err != nil {
			return err
		}
	}
	if err := servers[0].Exec(ctx, servers[0].Dialect.ResetBinaryLogs, "CREATE DATABASE seen"); err != nil {
		return err
	}
	_, gtid, err := servers[0].BinaryLogStatus(ctx)
	if err != nil {
		return err
	}
	for _, replica := range servers[1:] {
		if err := replica.StartReplica(ctx, ""); err != nil {
			return err
		}
		if err := replica.WaitForGTID(ctx, gtid); err != nil {
			return err
		}
	}
	return nil
}

func portOf(config string) (int, error) {
	text, err := os.ReadFile(config)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(line, "=")
		if ok && strings.TrimSpace(key) == "port" {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, fmt.Errorf("%s names no port", config)
}
