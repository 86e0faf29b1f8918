package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "Show the topologies that are up", Args: exactArgs(0, "no argument"),
		Example: "  matrix status\n  matrix status --json",
		RunE: func(c *cobra.Command, _ []string) error {
			labs, err := a.labs(c.Context())
			if err != nil {
				return err
			}
			list, err := labs.List()
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
				if err := printLab(c.OutOrStdout(), one); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return c
}

func (a *app) useCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "use NODE [-- SQL]",
		Short: "Open a client on a node, or run SQL on it",
		Long:  "use runs the mysql client of dbdeployer's sandbox. NODE is a node's name, or TOPOLOGY/NODE where several are up.",
		Example: `  matrix use primary
  matrix use mariadb-10.11/replica1 -- 'SHOW SLAVE STATUS\G'`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("matrix use wants a NODE: see matrix status")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			labs, err := a.labs(c.Context())
			if err != nil {
				return err
			}
			lab, node, err := labs.Node(args[0])
			if err != nil {
				return unfit(err)
			}
			if !node.Running {
				return fmt.Errorf("%s/%s does not run: its error log is %s", lab.Name, node.Name, node.ErrorLog)
			}
			script := filepath.Join(node.Dir, "use")
			argv := []string{script}
			if len(args) > 1 {
				argv = append(argv, "-t", "-e", strings.Join(args[1:], " "))
			}
			// The client takes this process's place, and with it the terminal.
			return fmt.Errorf("%s: %w", script, syscall.Exec(script, argv, os.Environ()))
		},
	}
}

func (a *app) downCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "down [TOPOLOGY]", Short: "Stop and remove a topology that is up",
		Example: "  matrix down                  the only one\n  matrix down mysql-9.7\n  matrix down --all",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			labs, err := a.labs(c.Context())
			if err != nil {
				return err
			}
			var name string
			if len(args) == 1 {
				name = args[0]
			}
			if name == "" && !all {
				list, err := labs.List()
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
			removed, err := labs.Down(c.Context(), name)
			for _, one := range removed {
				fmt.Fprintln(c.OutOrStdout(), "down:", one)
			}
			return err
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every topology")
	return c
}
