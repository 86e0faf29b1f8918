package main

import (
	"github.com/spf13/cobra"

	"mysqlmatrix/harness/matrix"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of matrix.yaml", Args: exactArgs(0, "no argument"),
		Example: "  matrix schema >harness/matrix/matrix.schema.json",
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := matrix.Schema()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
}
