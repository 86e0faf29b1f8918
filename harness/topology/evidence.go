package topology

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/server"
)

const (
	evidenceLimit = 10 * time.Second
	// tailLimit is how many bytes of the end of a log are kept.
	tailLimit = 256 << 10
)

// Evidence writes into dir what every node says of itself: the end of its error log, its configuration,
// and its replication. A node that does not answer is described as such: that is evidence, too.
func (t *Topology) Evidence(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), evidenceLimit)
	defer cancel()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	// Not the group's context: that one node's log cannot be copied says nothing of the others.
	return t.each(ctx, func(_ context.Context, _ int, n *Node) error {
		if n.Sandbox == nil {
			return nil
		}
		return errors.Join(
			copyTail(n.Sandbox.ErrorLogPath(), filepath.Join(dir, n.Name+".error.log")),
			copyTail(filepath.Join(n.Sandbox.Dir(), "start.log"), filepath.Join(dir, n.Name+".start.log")),
			copyTail(n.Sandbox.ConfigPath(), filepath.Join(dir, n.Name+".cnf")),
			os.WriteFile(filepath.Join(dir, n.Name+".state.txt"), []byte(n.Describe(ctx)), 0o644),
		)
	})
}

// Left is what a process that is dead has left in a topology's folder, however far it had got: the nodes that it had
// made, whose wiring is not known.
func Left(dir string) (*Topology, error) {
	t := &Topology{Dir: dir}
	sandboxes, err := sandbox.OpenAll(dir)
	for _, s := range sandboxes {
		t.Nodes = append(t.Nodes, &Node{Name: filepath.Base(s.Dir()), Sandbox: s})
	}
	return t, err
}

// SaveData kills the servers and copies their folders into dir, one for each node. They can then be started again by
// nothing but the basedir and the my.sandbox.cnf that lies with them.
func (t *Topology) SaveData(dir string) error {
	var errs []error
	for _, n := range t.Nodes {
		if n.Sandbox != nil {
			errs = append(errs, n.Sandbox.Save(filepath.Join(dir, n.Name)))
		}
	}
	return errors.Join(errs...)
}

// Describe is what a node says of its replication, as text.
func (n *Node) Describe(ctx context.Context) string {
	var text strings.Builder
	fmt.Fprintf(&text, "node %s: %s, port %d, server id %d\n", n.Name, n.Sandbox.Flavor(), n.Sandbox.Port(), n.Sandbox.ServerID())
	if !n.Sandbox.Running() {
		text.WriteString("the server does not run\n")
		return text.String()
	}
	s := n.Server
	if s == nil { // another process's node, or one that had not answered yet
		var err error
		if s, err = server.Open(ctx, n.Sandbox.Endpoint()); err != nil {
			fmt.Fprintf(&text, "the server runs and does not answer: %v\n", err)
			return text.String()
		}
		defer s.Close()
	}
	say := func(what string, value any, err error) {
		if err != nil {
			value = err
		}
		fmt.Fprintf(&text, "%s: %v\n", what, value)
	}
	at, gtid, err := s.BinaryLogStatus(ctx)
	say("binary log coordinates", at, err)
	say("GTIDs executed", gtid, err)
	readOnly, err := s.ReadOnly(ctx)
	say("read_only", readOnly, err)
	statuses, err := s.ReplicaStatus(ctx)
	if err != nil {
		say("replica status", nil, err)
	}
	for _, status := range statuses {
		fmt.Fprintf(&text, "replica status: %s\n", status)
		for _, column := range slices.Sorted(maps.Keys(status.Raw)) {
			fmt.Fprintf(&text, "  %s: %s\n", column, status.Raw[column])
		}
	}
	workers, err := s.BrokenWorkers(ctx)
	if err != nil {
		say("applier's workers", nil, err)
	}
	for _, worker := range workers {
		say("applier's worker", worker, nil)
	}
	return text.String()
}

// copyTail copies the end of a file, from the beginning of a line: half a line may begin within a password.
func copyTail(from, to string) (err error) {
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	text := bufio.NewReader(in)
	if extra := info.Size() - tailLimit; extra > 0 {
		if _, err := in.Seek(extra-1, io.SeekStart); err != nil {
			return err
		}
		if _, err := text.ReadString('\n'); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, text)
	return errors.Join(err, out.Close())
}
