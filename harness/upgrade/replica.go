package upgrade

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
	"mysqlmatrix/harness/topology"
	"mysqlmatrix/harness/wait"
)

// catchUpLimit is how long a replica may take to apply what its source has written.
const catchUpLimit = 5 * time.Minute

// replica loads the dump on a primary of the old version, below which a server of the new one replicates, and promotes that.
func (r *runner) replica(ctx context.Context, o *Outcome) (err error) {
	r.made++
	dir := filepath.Join(r.Dir, fmt.Sprintf("replica%d", r.made))
	options := topology.Options{Shape: topology.MustShape(fmt.Sprintf("chain:%d", len(r.Goldens)-1)), PerNode: map[int][]string{},
		GTID: r.from().Capabilities[flavor.CapGTID] && r.to().Capabilities[flavor.CapGTID], Golden: nil}
	options.Golden = r.nodes()
	for i, g := range r.Goldens {
		options.PerNode[i] = r.serverOptions(g)
	}
	t, err := topology.Deploy(ctx, r.from(), options, dir, r.Dir)
	if err != nil {
		if !o.Supported {
			o.Status, o.Detail = Unsupported, beginning(err.Error(), 400)
			return nil
		}
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	primary, last := t.Nodes[0], t.Nodes[len(t.Nodes)-1]
	source, err := open(ctx, primary.Sandbox)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.close()) }()
	if _, err := load(ctx, source.conn, r.Source, source.flavor, r.began); err != nil {
		return err
	}
	stopped, err := r.follow(ctx, t)
	if err != nil {
		return err
	}
	if stopped != nil {
		return r.stoppedReplica(ctx, o, primary, last, *stopped)
	}
	begin := time.Now()
	if err := Promote(ctx, last.Server); err != nil {
		return err
	}
	o.Detail = fmt.Sprintf("promoted in %.1f s", time.Since(begin).Seconds())
	r.returns(ctx, o, primary.Server, last.Server, t.GTID)
	old, err := r.old(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.remove()) }()
	next, err := open(ctx, last.Sandbox)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, next.close()) }()
	return r.compare(ctx, o, old.side, next, nil, nil)
}

// Promote makes a replica a primary.
func Promote(ctx context.Context, s *server.Server) error {
	return errors.Join(s.StopReplica(ctx, ""), s.ResetReplica(ctx, ""), s.SetReadOnly(ctx, false))
}

// follow waits until every replica has applied what its source has written; an applier that stops is no error, and told.
func (r *runner) follow(ctx context.Context, t *topology.Topology) (*server.ReplicaStatus, error) {
	for i, n := range t.Nodes[1:] {
		at, gtid, err := t.Nodes[i].Server.BinaryLogStatus(ctx)
		if err != nil {
			return nil, err
		}
		var stopped *server.ReplicaStatus
		state := wait.State{What: n.Name + " has applied " + at.String() + " " + gtid, Limit: catchUpLimit, Poll: 50 * time.Millisecond}
		err = state.Until(ctx, func(ctx context.Context) (string, bool, error) {
			list, err := n.Server.ReplicaStatus(ctx)
			if err != nil || len(list) == 0 {
				return "", false, err
			}
			if list[0].SQLErrno != 0 || list[0].IOErrno != 0 && list[0].IORunning == "No" {
				stopped = &list[0]
				return list[0].String(), true, nil
			}
			return list[0].String(), list[0].Executed.Compare(at) >= 0, nil
		})
		if stopped != nil || err != nil {
			return stopped, err
		}
	}
	return nil, nil
}

// stoppedReplica makes a finding of the statement that a replica's applier has stopped at.
func (r *runner) stoppedReplica(ctx context.Context, o *Outcome, primary, last *topology.Node, status server.ReplicaStatus) (err error) {
	message := status.SQLError
	number := uint16(status.SQLErrno)
	if number == 0 {
		message, number = status.IOError, uint16(status.IOErrno)
	}
	if workers, err := last.Server.BrokenWorkers(ctx); err == nil && len(workers) > 0 {
		message = workers[0]
	}
	o.Status, o.Detail = Refused, fmt.Sprintf("the replica stops: ERROR %d: %s", number, beginning(serverMessage(message), 300))
	o.WayBack = "the old primary goes on as it was"
	if known := r.sameRefusal(number, message); known != nil {
		r.all.add(o.Way, *known)
		return nil
	}
	var probes [2]*side
	for i, n := range []*topology.Node{primary, last} {
		if probes[i], err = open(ctx, n.Sandbox); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, probes[i].close()) }()
	}
	e, err := newExplainer(ctx, probes[0], probes[1])
	if err != nil {
		return err
	}
	e.functions = r.first.functions()
	st := r.stoppedAt(message)
	object := Object{Kind: "replica", Name: last.Sandbox.Flavor().String()}
	if about, known := subject(st.list, st.in); known {
		object = about
	}
	f := Finding{Grade: Breaks, Object: object, What: "the new version refuses this statement of the dump", New: answer{number: number, message: message}.String()}
	for _, one := range e.refusedAll(ctx, f, st, number, serverMessage(message)) {
		r.all.add(o.Way, one)
	}
	return nil
}

// sameRefusal is a finding of another way with the same error about what the replica's message names.
func (r *runner) sameRefusal(number uint16, message string) *Finding {
	for _, f := range r.all.list {
		if f.Grade == Breaks && f.Number == int(number) && f.Text != "" && strings.Contains(squeeze(message), squeeze(beginning(strings.TrimSuffix(f.Text, "…"), 60))) {
			return &f
		}
	}
	for _, f := range r.all.list {
		if f.Grade == Breaks && f.Number == int(number) && f.Object.Name != "" && strings.Contains(message, strings.Split(f.Object.Name, "@")[0]) {
			return &f
		}
	}
	return nil
}

func squeeze(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// stoppedAt is the dump's statement that a replica's message speaks of.
func (r *runner) stoppedAt(message string) statement {
	text := squeeze(message)
	for _, st := range r.first.defines {
		if strings.Contains(text, squeeze(beginning(st.sql, 60))) {
			return st
		}
	}
	return statement{}
}

// serverMessage is the server's own message in a replica's: "… Error 'MESSAGE' on query. …".
func serverMessage(message string) string {
	_, rest, found := strings.Cut(message, "Error '")
	if !found {
		return message
	}
	own, _, _ := strings.Cut(rest, "' on query")
	return own
}

// nodes are the servers of the path by their place in the chain.
func (r *runner) nodes() map[int]*sandbox.Golden {
	nodes := map[int]*sandbox.Golden{}
	for i, g := range r.Goldens {
		nodes[i] = g
	}
	return nodes
}

// returns tries the way back: the old server replicates from the new primary.
func (r *runner) returns(ctx context.Context, o *Outcome, old, new *server.Server, gtid bool) {
	o.WayBack = "until the new primary is written to: the old one has everything"
	arrived, err := Reverse(ctx, old, new, gtid)
	if err != nil {
		o.WayBack += "; afterwards none: the old version does not replicate from the new one: " + beginning(err.Error(), 200)
		return
	}
	o.WayBack += fmt.Sprintf("; afterwards by replication from new to old, which no vendor supports: tried, %s arrived", countText(arrived, "row"))
}

// reverseRows is how many rows are sent the way back.
const reverseRows = 3

// Reverse has an old server replicate from a new one, and counts the rows that arrive.
func Reverse(ctx context.Context, old, new *server.Server, gtid bool) (int, error) {
	at, _, err := new.BinaryLogStatus(ctx)
	if err != nil {
		return 0, err
	}
	table := quote(loadDatabase) + ".back"
	source := server.Source{Endpoint: new.Endpoint, At: at, GTID: gtid}
	source.Endpoint.User, source.Endpoint.Password = "rsandbox", "rsandbox"
	if err := errors.Join(old.PointTo(ctx, source), old.StartReplica(ctx, "")); err != nil {
		return 0, err
	}
	if err := new.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+loadDatabase, "CREATE TABLE "+table+" (id INT PRIMARY KEY)"); err != nil {
		return 0, err
	}
	for i := range reverseRows {
		if err := new.Exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%d)", table, i)); err != nil {
			return 0, err
		}
	}
	arrived := 0
	state := wait.State{What: "the old server has the new primary's rows", Limit: 10 * time.Second, Poll: 50 * time.Millisecond}
	err = state.Until(ctx, func(ctx context.Context) (string, bool, error) {
		list, err := old.ReplicaStatus(ctx)
		if err != nil {
			return "", false, err
		}
		for _, s := range list {
			if s.SQLErrno != 0 || s.IOErrno != 0 && s.IORunning == "No" {
				return s.String(), false, wait.Stop(errors.New(s.SQLError + s.IOError))
			}
		}
		err = old.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table).Scan(&arrived)
		return fmt.Sprint(arrived), arrived == reverseRows, err
	})
	return arrived, errors.Join(err, old.StopReplica(context.WithoutCancel(ctx), ""), new.Exec(ctx, "DROP TABLE "+table))
}
