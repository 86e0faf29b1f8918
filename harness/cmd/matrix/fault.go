package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/devtopology"
)

func (a *app) faultCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "fault",
		Short: "Break a topology that is up, and heal it again",
		Long: `fault injects a fault into a topology that matrix up has brought up, and returns when the fault is seen to be in force.
It is recorded in the topology's folder: matrix status and matrix watch show it, and matrix fault heal ends it.

NODE is a node's name, or TOPOLOGY/NODE where several topologies are up. A name stays with its server: after a failover
"primary" is the old primary.`,
		Example: `  matrix fault kill primary
  matrix fault cut primary replica1
  matrix fault lag mysql-9.7/replica2 30s
  matrix fault heal`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("no fault %q; there are %s, and heal", args[0], strings.Join(faultNames(), ", "))}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	for _, kind := range devtopology.FaultKinds {
		c.AddCommand(a.injectCommand(kind))
	}
	c.AddCommand(a.healCommand())
	return c
}

func faultNames() (names []string) {
	for _, kind := range devtopology.FaultKinds {
		names = append(names, kind.Name)
	}
	return names
}

// faultExamples are those of the kinds; names of nodes are star:2's.
var faultExamples = map[string]string{"lag": "replica1 30s", "cut": "primary replica1", "drop": "manager primary", "delay": "primary replica1 200ms",
	"stop-applier": "replica1", "stop-receiver": "replica1"}

func (a *app) injectCommand(kind devtopology.FaultKind) *cobra.Command {
	use, wants := kind.Name+" NODE", "one NODE"
	if kind.Nodes == 2 {
		use, wants = kind.Name+" NODE NODE", "two NODEs"
	}
	count := kind.Nodes
	if kind.By != "" {
		use, wants = use+" TIME", wants+" and a TIME"
		count++
	}
	example, ok := faultExamples[kind.Name]
	if !ok {
		example = "primary"
	}
	first, rest, _ := strings.Cut(example, " ")
	return &cobra.Command{
		Use: use, Short: kind.Short, Long: strings.TrimSpace(kind.Short + ".\n" + kind.Long), Args: exactArgs(count, wants),
		Example: fmt.Sprintf("  matrix fault %s %s\n  matrix fault %s mariadb-10.11/%s", kind.Name, example, kind.Name, strings.TrimSpace(first+" "+rest)),
		RunE: func(c *cobra.Command, args []string) error {
			var by time.Duration
			if kind.By != "" {
				var err error
				if by, err = time.ParseDuration(args[kind.Nodes]); err != nil {
					return usageError{fmt.Errorf("matrix fault %s: %q is no time: want %s", kind.Name, args[kind.Nodes], kind.By)}
				}
			}
			return a.inject(c.Context(), c.OutOrStdout(), kind, args[:kind.Nodes], by)
		},
	}
}

func (a *app) inject(ctx context.Context, w io.Writer, kind devtopology.FaultKind, args []string, by time.Duration) error {
	store, err := a.store(ctx)
	if err != nil {
		return err
	}
	up, nodes, err := store.Place(args)
	if err != nil {
		return unfit(err)
	}
	one, err := up.Inject(ctx, kind, nodes, by)
	if err != nil {
		return mistaken(err)
	}
	_, err = fmt.Fprintf(w, "injected into %s: %s\n", up.Name, one)
	return err
}

// mistaken makes a fault that was asked for wrongly a usage error.
func mistaken(err error) error {
	if errors.As(err, new(*devtopology.MistakeError)) {
		return unfit(err)
	}
	return err
}

func (a *app) healCommand() *cobra.Command {
	return &cobra.Command{
		Use: "heal [all | NODE | TOPOLOGY]", Short: "End what is injected: all of it, or that of one node",
		Long: `heal ends faults and returns when what was broken is seen to work again. Servers are started first, then links, then the rest.
What cannot be healed stays recorded. Nothing is undone that a failover manager has done meanwhile.`,
		Example: "  matrix fault heal                  all, of the only topology\n  matrix fault heal replica1\n  matrix fault heal mysql-9.7/primary",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("matrix fault heal wants one NODE or TOPOLOGY, or all, got %d", len(args))}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			store, err := a.store(c.Context())
			if err != nil {
				return err
			}
			what := ""
			if len(args) == 1 {
				what = args[0]
			}
			up, node, err := store.PlaceToHeal(what)
			if err != nil {
				return unfit(err)
			}
			healed, err := up.Heal(c.Context(), node)
			for _, one := range healed {
				fmt.Fprintf(c.OutOrStdout(), "healed on %s: %s\n", up.Name, one)
			}
			return mistaken(err)
		},
	}
}
