package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/devtopology"
	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
	"mysqlmatrix/harness/topology"
)

// upFlags are what matrix up is told.
type upFlags struct {
	shape, profile, format, checksum   string
	positions, semiSync, asJSON, trust bool
	options                            []string
	manager                            string
	links, smallDisk                   bool
}

func (a *app) upCommand() *cobra.Command {
	var o upFlags
	c := &cobra.Command{
		Use:   "up ENTRY",
		Short: "Bring up a running, proven topology of one server version",
		Long: `up obtains a server, deploys a replication topology of it, proves that replication carries a row to every
node, and prints how to connect. It keeps running until matrix down.

With --manager a failover manager looks after it, in a process of its own that matrix down ends as well; its address is
printed: orchestrator's page, and a small API in JSON (audits; the embedded manager's state and health, too). Break the
topology with matrix fault, and look on with matrix watch. --links puts a proxy before every server, so that the traffic
between two of them can be cut or delayed.

ENTRY is a name of matrix.yaml (mysql-8.4), an exact release (mysql@8.0.21, percona@8.0.36-28,
mariadb@10.6.9), an installation of your own (dir:/path/to/basedir), or an archive of one (tarball:/path).`,
		Example: `  matrix up mariadb-10.11
  matrix up mysql-9.7 --topology chain:2 --profile durable
  matrix up mysql-8.0 --topology star:2 --manager orchestrator
  matrix up mariadb-11.8 --semi-sync --manager embedded --links
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
	f.StringVar(&o.profile, "profile", string(sandbox.ProfileFast), "server options: fast (durability off), durable, or lower-case (names of tables)")
	f.StringVar(&o.format, "binlog-format", "ROW", "ROW, STATEMENT or MIXED")
	f.BoolVar(&o.positions, "no-gtid", false, "replicate by binary log coordinates even where the server has GTIDs")
	f.BoolVar(&o.semiSync, "semi-sync", false, "semi-synchronous replication")
	f.StringArrayVar(&o.options, "option", nil, "a line for every node's my.cnf; may be repeated")
	f.StringVar(&o.manager, "manager", "", "a failover manager that looks after it: embedded, orchestrator, orchestrator=/path/to/orchestrator")
	f.BoolVar(&o.links, "links", false, "a proxy before every server, for matrix fault cut, drop and delay")
	f.BoolVar(&o.smallDisk, "small-disk", false, "the tables of each server get 24 MiB, for matrix fault fill-disk")
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
	manager, managerErr := managerRef(m, o.manager)
	if err := errors.Join(entryErr, shapeErr, profileErr, managerErr); err != nil {
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
	if o.smallDisk {
		options.Server = append(options.Server, devtopology.SmallDisk...)
	}
	request := devtopology.Request{Options: options, Links: o.links}
	if request.Self, err = self(); err != nil {
		return nil, err
	}
	if o.manager != "" {
		if request.Manager, err = a.tools(cache).Obtain(ctx, manager); err != nil {
			return nil, err
		}
	}
	return store.Up(ctx, golden, request)
}

// managerRef is the tool that --manager names, which has to be a failover manager.
func managerRef(m *matrix.Matrix, argument string) (ref matrix.ToolRef, err error) {
	if argument == "" {
		return ref, nil
	}
	if ref, err = m.ResolveTool(argument); err != nil {
		return ref, fmt.Errorf("--manager: %w", err)
	}
	i := slices.IndexFunc(m.Tools, func(t matrix.Tool) bool { return t.Name == ref.Name })
	if !slices.Contains(m.Tools[i].Suites, "failover") {
		return ref, fmt.Errorf("--manager: %s is no failover manager", ref.Name)
	}
	return ref, tool.Check(ref)
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
	if m := l.Manager; m != nil {
		state := m.Manager
		if !m.Runs {
			state += ", not running"
		}
		fmt.Fprintf(&text, "  %-14s %s, log %s\n", "manager", state, m.Log)
		if m.Page != "" {
			fmt.Fprintf(&text, "  %-14s page %s\n", "", m.Page)
		}
		fmt.Fprintf(&text, "  %-14s API  %s\n", "", m.API)
	}
	for _, f := range l.Faults {
		fmt.Fprintf(&text, "  %-14s %s, since %s\n", "injected", f, f.At.Format(time.TimeOnly))
	}
	if len(l.Nodes) > 0 {
		fmt.Fprintf(&text, "  matrix use %s/%s     dbdeployer's scripts: %s\n  matrix down %s\n", l.Name, l.Nodes[0].Name, l.Nodes[0].Dir, l.Name)
	}
	_, err := io.WriteString(w, text.String())
	return err
}
