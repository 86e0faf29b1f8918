package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/devtopology"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/topology"
)

func (a *app) upCommand() *cobra.Command {
	var shape, profile, format string
	var positions, semiSync, asJSON, trust bool
	var checksum string
	var options []string
	c := &cobra.Command{
		Use:   "up ENTRY",
		Short: "Bring up a running, proven topology of one server version",
		Long: `up obtains a server, deploys a replication topology of it, proves that replication carries a row to every
node, and prints how to connect. It keeps running until matrix down.

ENTRY is a name of matrix.yaml (mysql-8.4), an exact release (mysql@8.0.21, percona@8.0.36-28,
mariadb@10.6.9), or an installation of your own (dir:/path/to/basedir).`,
		Example: `  matrix up mariadb-10.11
  matrix up mysql-9.7 --topology chain:2 --profile durable
  matrix up mysql@8.0.21 --trust-first-use --topology single
  matrix up dir:/opt/mysql-8.0 --topology star:2 --option innodb_lock_wait_timeout=5 --json`,
		Args: exactArgs(1, "one ENTRY"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			m, err := a.loadMatrix()
			if err != nil {
				return err
			}
			entry, err := m.Resolve(args[0])
			if err != nil {
				return unfit(err)
			}
			if entry, err = trusting(entry, checksum, trust); err != nil {
				return unfit(err)
			}
			o := topology.Options{SemiSync: semiSync, Format: strings.ToUpper(format), Server: options}
			if o.Shape, err = topology.ParseShape(shape); err != nil {
				return unfit(err)
			}
			p, err := sandbox.ParseProfile(profile)
			if err != nil {
				return unfit(err)
			}
			store, err := a.store(ctx)
			if err != nil {
				return err
			}
			cache, err := a.openCache(ctx)
			if err != nil {
				return err
			}
			golden, err := a.golden(ctx, m, cache, entry, p)
			if err != nil {
				return err
			}
			o.GTID = !positions && golden.Capabilities[flavor.CapGTID]
			up, err := store.Up(ctx, golden, o)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), up)
			}
			return printTopology(c.OutOrStdout(), *up)
		},
	}
	f := c.Flags()
	f.StringVar(&shape, "topology", "star:2", topology.ShapeHelp)
	f.StringVar(&profile, "profile", string(sandbox.ProfileFast), "server options: fast (durability off) or durable")
	f.StringVar(&format, "binlog-format", "ROW", "ROW, STATEMENT or MIXED")
	f.BoolVar(&positions, "no-gtid", false, "replicate by binary log coordinates even where the server has GTIDs")
	f.BoolVar(&semiSync, "semi-sync", false, "semi-synchronous replication")
	f.StringArrayVar(&options, "option", nil, "a line for every node's my.cnf; may be repeated")
	f.BoolVar(&asJSON, "json", false, "print how to connect as JSON")
	trustFlags(f, &checksum, &trust)
	return c
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
