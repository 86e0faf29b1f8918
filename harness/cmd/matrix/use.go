package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/proc"
)

func (a *app) useCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "use NODE [-- SQL]",
		Short: "Open a client on a node, or run SQL on it",
		Long:  "use runs the mysql client of dbdeployer's sandbox. NODE is a node's name, or TOPOLOGY/NODE where several are up.",
		Example: `  matrix use primary
  matrix use mariadb-10.11/replica1 -- 'SHOW SLAVE STATUS\G'`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("name a NODE: matrix status lists them")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			store, err := a.store(c.Context())
			if err != nil {
				return err
			}
			standing, node, err := store.Node(args[0])
			if err != nil {
				return unfit(err)
			}
			if !node.Running {
				return fmt.Errorf("%s/%s does not run: its error log is %s", standing.Name, node.Name, node.ErrorLog)
			}
			script := filepath.Join(node.Dir, "use")
			argv := []string{script}
			if len(args) > 1 {
				argv = append(argv, "-t", "-e", strings.Join(args[1:], " "))
			}
			// The client takes this process's place, and with it the terminal.
			return fmt.Errorf("%s: %w", script, syscall.Exec(script, argv, proc.Interactive()))
		},
	}
}
