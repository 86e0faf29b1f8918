package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/devtopology"
)

func (a *app) downCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "down [TOPOLOGY]", Short: "Stop and remove a topology that is up",
		Example: "  matrix down                  the only one\n  matrix down mysql-9.7\n  matrix down --all",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && all {
				return usageError{errors.New("matrix down wants one TOPOLOGY, or --all: see matrix status")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			store, err := a.store(c.Context())
			if err != nil {
				return err
			}
			var name string
			if len(args) == 1 {
				name = args[0]
			}
			if name == "" && !all {
				list, err := store.List()
				if err != nil {
					return err
				}
				if len(list) > 1 {
					var names []string
					for _, one := range list {
						names = append(names, one.Name)
					}
					return usageError{fmt.Errorf("several topologies are up: name one of %s, or --all", strings.Join(names, ", "))}
				}
			}
			removed, err := store.Down(c.Context(), name)
			var absent *devtopology.AbsentError
			if errors.As(err, &absent) {
				return unfit(err)
			}
			for _, one := range removed {
				fmt.Fprintln(c.OutOrStdout(), "down:", one)
			}
			return err
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every topology")
	return c
}
