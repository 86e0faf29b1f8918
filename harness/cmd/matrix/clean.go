package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) cleanCommand() *cobra.Command {
	var everything bool
	c := &cobra.Command{
		Use: "clean", Short: "Stop every server and remove what runs have left", Args: exactArgs(0, "no argument"),
		Long:    "clean takes down every topology and clears what killed runs have left; with --all it also empties the cache.",
		Example: "  matrix clean\n  matrix clean --all",
		RunE: func(c *cobra.Command, _ []string) error {
			store, err := a.store(c.Context())
			if err != nil {
				return err
			}
			removed, err := store.Down(c.Context(), "")
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "took down %d topologies\n", len(removed))
			if !everything {
				return nil
			}
			cache, err := a.openCache(c.Context())
			if err != nil {
				return err
			}
			size, err := cache.Size()
			if err != nil {
				return err
			}
			if err := cache.Clear(); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "removed %d MiB of servers, golden sandboxes and tools\n", size>>20)
			return nil
		},
	}
	c.Flags().BoolVar(&everything, "all", false, "empty the cache as well")
	return c
}
