package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/devtopology"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/topology"
)

// upFlags are what matrix up is told.
type upFlags struct {
	shape, profile, format, checksum   string
	positions, semiSync, asJSON, trust bool
	options                            []string
}

func (a *app) upCommand() *cobra.Command {
	var o upFlags
	c := &cobra.Command{
		Use:   "up ENTRY",
		Short: "Bring up a running, proven topology of one server version",
		Long: `up obtains a server, deploys a replication topology of it, proves that replication carries a row to every
node, and prints how to connect. It keeps running until matrix down.

ENTRY is a name of matrix.yaml (mysql-8.4), an exact release (mysql@8.0.21, percona@8.0.36-28,
mariadb@10.6.9), an installation of your own (dir:/path/to/basedir), or an archive of one (tarball:/path).`,
		Example: `  matrix up mariadb-10.11
  matrix up mysql-9.7 --topology chain:2 --profile durable
  matrix up mysql@8.0.21 --trust-first-use --topology single
  matrix up dir:/opt/mysql-8.0 --topology star:2 --option innodb_lock_wait_timeout=5 --json`,
		Args: exactArgs(1, "one ENTRY"),
		RunE: func(c *cobra.Command, args []string) error {
			up, err := a.up(c.Context(), args[0], o)
			if err != nil {
				return err
			}
			if o.asJSON {
				return printJSON(c.OutOrStdout(), up)
			}
			return printTopology(c.OutOrStdout(), *up)
		},
	}
	f := c.Flags()
	f.StringVar(&o.shape, "topology", "star:2", topology.ShapeHelp)
	f.StringVar(&o.profile, "profile", string(sandbox.ProfileFast), "server options: fast (durability off) or durable")
	f.StringVar(&o.format, "binlog-format", "ROW", "ROW, STATEMENT or MIXED")
	f.BoolVar(&o.positions, "no-gtid", false, "replicate by binary log coordinates even where the server has GTIDs")
	f.BoolVar(&o.semiSync, "semi-sync", false, "semi-synchronous replication")
	f.StringArrayVar(&o.options, "option", nil, "a line for every node's my.cnf; may be repeated")
	f.BoolVar(&o.asJSON, "json", false, "print how to connect as JSON")
	trustFlags(f, &o.checksum, &o.trust)
	return c
}

// up brings up a topology of one entry. Mistakes in the request are found before anything is obtained.
func (a *app) up(ctx context.Context, ref string, o upFlags) (*devtopology.Topology, error) {
	m, err := a.loadMatrix()
	if err != nil {
		return nil, err
	}
	entry, entryErr := m.Resolve(ref)
	if entryErr == nil {
		entry, entryErr = trusting(entry, o.checksum, o.trust)
	}
	if entryErr == nil {
		entryErr = presentServer(entry)
	}
	options := topology.Options{SemiSync: o.semiSync, Format: strings.ToUpper(o.format), Server: o.options}
	var shapeErr error
	options.Shape, shapeErr = topology.ParseShape(o.shape)
	profile, profileErr := sandbox.ParseProfile(o.profile)
	if err := errors.Join(entryErr, shapeErr, profileErr); err != nil {
		return nil, unfit(err)
	}
	store, err := a.store(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := a.openCache(ctx)
	if err != nil {
		return nil, err
	}
	golden, err := a.golden(ctx, m, cache, entry, profile)
	if err != nil {
		return nil, err
	}
	options.GTID = !o.positions && golden.Capabilities[flavor.CapGTID]
	return store.Up(ctx, golden, options)
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func printTopology(w io.Writer, l devtopology.Topology) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s of %s, profile %s (%s)\n", l.Name, l.Topology, l.Server, l.Profile, l.Why)
	for _, n := range l.Nodes {
		state := fmt.Sprintf("port %d", n.Port)
		if !n.Running {
			state += ", not running"
		}
		if len(n.Sources) > 0 {
			state += ", below " + strings.Join(n.Sources, " and ")
		}
		fmt.Fprintf(&text, "  %-14s %s\n", n.Name, state)
		fmt.Fprintf(&text, "  %-14s mysql -h 127.0.0.1 -P %d -u %s -p%s\n", "", n.Port, n.User, n.Password)
	}
	if len(l.Nodes) > 0 {
		fmt.Fprintf(&text, "  matrix use %s/%s     dbdeployer's scripts: %s\n  matrix down %s\n", l.Name, l.Nodes[0].Name, l.Nodes[0].Dir, l.Name)
	}
	_, err := io.WriteString(w, text.String())
	return err
}
