package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/devtopology"
	"mysqlmatrix/harness/report"
)

// watchFlags are what matrix watch is told.
type watchFlags struct {
	once, asJSON, plain bool
	every               time.Duration
}

func (a *app) watchCommand() *cobra.Command {
	var o watchFlags
	c := &cobra.Command{
		Use:   "watch [TOPOLOGY]",
		Short: "Watch a topology that is up: roles, GTIDs, lag, faults, and what its manager decides",
		Long: `watch shows of every server what it is to the others, whether it takes writes, whom it follows and how far behind, where its
binary log is, its GTID set and its semi-synchronous replication; then the faults that are injected, and what the
failover manager has decided. On a terminal the table is drawn anew; elsewhere a line is printed for each change.
It ends with Ctrl-C, or when the topology is taken down.`,
		Example: "  matrix watch\n  matrix watch mysql-9.7 --once\n  matrix watch --json | jq .nodes",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("matrix watch wants one TOPOLOGY, got %d: see matrix status", len(args))}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if o.every < watchLeast {
				return usageError{fmt.Errorf("--every %s: want %s or more", o.every, watchLeast)}
			}
			return a.watch(c.Context(), c.OutOrStdout(), append(args, "")[0], o)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.once, "once", false, "look once, and end")
	f.BoolVar(&o.asJSON, "json", false, "a line of JSON whenever something has changed")
	f.BoolVar(&o.plain, "plain", false, "lines of changes, also on a terminal")
	f.DurationVar(&o.every, "every", time.Second/2, "how often to look")
	return c
}

// watchLeast keeps a watch from being a load of its own.
const watchLeast = 50 * time.Millisecond

func (a *app) watch(ctx context.Context, w io.Writer, name string, o watchFlags) (err error) {
	store, err := a.store(ctx)
	if err != nil {
		return err
	}
	up, err := store.Find(name)
	if err != nil {
		return unfit(err)
	}
	watcher, err := store.Watch(up)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watcher.Close()) }()
	show := o.view(w)
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for {
		now, err := watcher.Look(ctx)
		if ctx.Err() != nil {
			return nil // somebody has seen enough
		}
		if errors.As(err, new(*devtopology.AbsentError)) {
			_, err = fmt.Fprintf(w, "%s was taken down\n", up.Name)
			return err
		}
		if err != nil {
			return err
		}
		if err := show(now); err != nil || o.once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// view is how a look is shown.
func (o watchFlags) view(w io.Writer) func(*devtopology.Snapshot) error {
	fd, ok := terminal(w)
	switch {
	case o.asJSON:
		return jsonView(w)
	case o.once:
		return func(s *devtopology.Snapshot) error {
			_, err := fmt.Fprintln(w, strings.Join(watchTable(s), "\n"))
			return err
		}
	case ok && !o.plain && !logged():
		screen := report.NewScreen(w, sizeOf(fd))
		options := viewOptions(w, "")
		return func(s *devtopology.Snapshot) error { return screen.Draw(watchTable(s), options) }
	}
	var before *devtopology.Snapshot
	return func(s *devtopology.Snapshot) error {
		lines := devtopology.Changes(before, s)
		before = s
		if len(lines) == 0 {
			return nil
		}
		_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
		return err
	}
}

// jsonView prints a look when it differs from the one before.
func jsonView(w io.Writer) func(*devtopology.Snapshot) error {
	var before string
	return func(s *devtopology.Snapshot) error {
		same := *s
		same.At = time.Time{}
		text, err := json.Marshal(same)
		if err != nil || string(text) == before {
			return err
		}
		before = string(text)
		return json.NewEncoder(w).Encode(s)
	}
}

// watchTable is a look as a table, a line each.
func watchTable(s *devtopology.Snapshot) []string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tROLE\tWRITES\tFOLLOWS\tI/O\tSQL\tLAG\tAT\tSEMI-SYNC")
	for _, n := range s.Nodes {
		cells := []string{n.Name, n.Role, map[bool]string{true: "no", false: "yes"}[n.ReadOnly], "", "", "", "", n.Coordinates, n.SemiSync}
		if n.Coordinates == "" {
			cells[2] = ""
		}
		if len(n.Channels) == 0 {
			fmt.Fprintln(table, strings.Join(cells, "\t"))
		}
		for _, c := range n.Channels {
			lag := devtopology.Lag(c)
			if c.Delay > 0 {
				lag += fmt.Sprintf(" (%d s by its settings)", c.Delay)
			}
			cells[3], cells[4], cells[5], cells[6] = c.Source, c.IO, c.SQL, lag
			fmt.Fprintln(table, strings.Join(cells, "\t"))
			cells[0], cells[1], cells[2], cells[7], cells[8] = "", "", "", "", ""
		}
	}
	_ = table.Flush() // into memory
	lines := []string{fmt.Sprintf("%s: %s of %s, %s", s.Name, s.Topology, s.Server, s.At.Format(time.TimeOnly)), ""}
	for line := range strings.Lines(text.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return append(lines, beside(s)...)
}

// beside is what stands below the table: GTID sets, errors, faults, and what the manager has decided.
func beside(s *devtopology.Snapshot) []string {
	lines := []string{""}
	for _, n := range s.Nodes {
		if n.GTID != "" {
			lines = append(lines, n.Name+" has "+n.GTID)
		}
		if n.Error != "" {
			lines = append(lines, n.Name+": "+n.Error)
		}
		for _, c := range n.Channels {
			if c.Error != "" {
				lines = append(lines, n.Name+": "+c.Error)
			}
		}
	}
	injected := "injected:"
	if len(s.Faults) == 0 {
		injected += " nothing"
	}
	lines = append(lines, "", injected)
	for _, f := range s.Faults {
		lines = append(lines, "  "+f.At.Format(time.TimeOnly)+"  "+f.String())
	}
	if s.Manager == "" {
		return lines
	}
	lines = append(lines, "", "manager "+strings.TrimSpace(s.Manager+": "+s.API+" "+s.Page))
	if s.ManagerError != "" {
		lines = append(lines, "  "+s.ManagerError)
	}
	for i := len(s.Decisions) - 1; i >= 0; i-- { // the last comes first: a small window shows it
		at := ""
		if t := s.Decisions[i].At(); !t.IsZero() {
			at = t.Local().Format(time.TimeOnly) + "  "
		}
		lines = append(lines, "  "+at+s.Decisions[i].String())
	}
	return lines
}
