package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema [run]", Short: "Print the JSON Schema of matrix.yaml, or of run.json", Args: cobra.MaximumNArgs(1),
		Example: "  matrix schema >harness/matrix/matrix.schema.json\n  matrix schema run",
		RunE: func(c *cobra.Command, args []string) error {
			schema := matrix.Schema
			if len(args) == 1 {
				if args[0] != "run" {
					return usageError{fmt.Errorf("no schema %q: there are that of matrix.yaml, without an argument, and run", args[0])}
				}
				schema = report.Schema
			}
			text, err := schema()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
}
