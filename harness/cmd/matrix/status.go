package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "Show the topologies that are up", Args: exactArgs(0, "no argument"),
		Example: "  matrix status\n  matrix status --json",
		RunE: func(c *cobra.Command, _ []string) error {
			store, err := a.store(c.Context())
			if err != nil {
				return err
			}
			list, err := store.List()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), list)
			}
			if len(list) == 0 {
				_, err := fmt.Fprintln(c.OutOrStdout(), "no topology is up; bring one up with: matrix up ENTRY")
				return err
			}
			for _, one := range list {
				if err := printTopology(c.OutOrStdout(), one); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return c
}
