package topology

import (
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
)

const (
	evidenceLimit = 10 * time.Second
	// errorLogLimit is how many bytes of the end of an error log are kept.
	errorLogLimit = 256 << 10
)

// Evidence writes into dir what every node says of itself: the end of its error log, its configuration,
// and its replication. A node that does not answer is described as such: that is evidence, too.
func (t *Topology) Evidence(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), evidenceLimit)
	defer cancel()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return t.each(ctx, func(ctx context.Context, _ int, n *Node) error {
		if n.Sandbox == nil {
			return nil
		}
		return errors.Join(
			copyTail(n.Sandbox.ErrorLogPath(), filepath.Join(dir, n.Name+".error.log")),
			copyTail(filepath.Join(n.Sandbox.Dir(), "start.log"), filepath.Join(dir, n.Name+".start.log")),
			os.WriteFile(filepath.Join(dir, n.Name+".state.txt"), []byte(n.Describe(ctx)), 0o644),
		)
	})
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
	if !n.Sandbox.Running() || n.Server == nil {
		text.WriteString("the server does not run\n")
		return text.String()
	}
	say := func(what string, value any, err error) {
		if err != nil {
			value = err
		}
		fmt.Fprintf(&text, "%s: %v\n", what, value)
	}
	at, gtid, err := n.Server.BinaryLogStatus(ctx)
	say("binary log coordinates", at, err)
	say("GTIDs executed", gtid, err)
	readOnly, err := n.Server.ReadOnly(ctx)
	say("read_only", readOnly, err)
	statuses, err := n.Server.ReplicaStatus(ctx)
	if err != nil {
		say("replica status", nil, err)
	}
	for _, s := range statuses {
		fmt.Fprintf(&text, "replica status: %s\n", s)
		for _, column := range slices.Sorted(maps.Keys(s.Raw)) {
			fmt.Fprintf(&text, "  %s: %s\n", column, s.Raw[column])
		}
	}
	return text.String()
}

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
	if extra := info.Size() - errorLogLimit; extra > 0 {
		if _, err := in.Seek(extra, io.SeekStart); err != nil {
			return err
		}
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
