package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema [expectations|run]", Short: "Print the JSON Schema of matrix.yaml, of its files of known failures, or of run.json", Args: cobra.MaximumNArgs(1),
		Example: "  matrix schema >harness/matrix/matrix.schema.json\n  matrix schema expectations\n  matrix schema run",
		RunE: func(c *cobra.Command, args []string) error {
			schemas := map[string]func() ([]byte, error){"": matrix.Schema, "expectations": matrix.DeclarationsSchema, "run": report.Schema}
			schema, ok := schemas[strings.Join(args, "")]
			if !ok {
				return usageError{fmt.Errorf("no schema %q: want none (matrix.yaml), expectations or run", args[0])}
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
