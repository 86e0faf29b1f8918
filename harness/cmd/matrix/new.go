package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/scenario"
)

func (a *app) newCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "new", Short: "Make what people add to this project",
		Example: "  matrix new scenario order-lines",
	}
	c.AddCommand(&cobra.Command{
		Use: "scenario NAME", Short: "Make the folder of a migration scenario, which runs as it stands", Args: exactArgs(1, "one NAME"),
		Long: `scenario writes fixtures/scenarios/migration/NAME: create.sql, load.sql, alter, writes.sql and expect.yaml, with comments on
what stands where. The migration suite runs it with every tool on every server, in each of the tool's ways to change the primary.`,
		Example: "  matrix new scenario order-lines",
		RunE: func(c *cobra.Command, args []string) error {
			m, err := a.loadMatrix()
			if err != nil {
				return err
			}
			dir, err := scenario.New(filepath.Join(projectDir(m), "fixtures", "scenarios", "migration"), args[0])
			if err != nil {
				return unfit(err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\nrun it:\n  bin/matrix run --entry mariadb-11.8 --suite migration --focus 'scenario: %s'\n", relative(dir), args[0])
			return err
		},
	})
	return c
}
