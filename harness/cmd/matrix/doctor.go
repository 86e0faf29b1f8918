package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/folder"
)

// check is one line of doctor.
type check struct {
	what string
	need string // what it is needed for
	run  func() (string, error)
	// spare is what no run needs.
	spare bool
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check what this machine has and lacks", Args: exactArgs(0, "no argument"),
		Example: "  matrix doctor",
		RunE: func(c *cobra.Command, _ []string) error {
			failed := 0
			for _, one := range a.checks(c.Context()) {
				text, err := one.run()
				if err != nil && one.spare {
					fmt.Fprintf(c.OutOrStdout(), "without  %-18s %v (only needed for %s)\n", one.what, err, one.need)
					continue
				}
				if err != nil {
					failed++
					fmt.Fprintf(c.OutOrStdout(), "missing  %-18s %v (needed for %s)\n", one.what, err, one.need)
					continue
				}
				fmt.Fprintf(c.OutOrStdout(), "ok       %-18s %s\n", one.what, text)
			}
			if failed > 0 {
				return codeError{exitErrored}
			}
			return nil
		},
	}
}

func (a *app) checks(ctx context.Context) []check {
	program := func(name, need string) check {
		return check{what: name, need: need, run: func() (string, error) { return exec.LookPath(name) }}
	}
	spare := func(name, need string) check {
		c := program(name, need)
		c.spare = true
		return c
	}
	return []check{
		program("go", "suites, gh-ost and dbdeployer, which are built from source"),
		program("bash", "dbdeployer's scripts"),
		program("apt-get", "servers from Debian's packages"),
		program("dpkg-deb", "servers from Debian's packages"),
		program("npm", "mysql-5.6, which comes from an npm package"),
		spare("mvn", "servers from Maven artifacts, such as mysql-5.7 and mysql-8.0 where their vendor cannot be reached"),
		program("perl", "pt-online-schema-change"),
		program("ps", "dbdeployer's scripts (package procps)"),
		spare("gcc", "orchestrator, which is built with it, and the race detector of make check"),
		spare("chromium", "make check: the test that opens the page"),
		{what: "matrix.yaml", need: "everything", run: func() (string, error) {
			m, err := a.loadMatrix()
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%s, %d entries", m.Path, len(m.Entries)), nil
		}},
		{what: "cache folder", need: "everything", run: func() (string, error) {
			c, err := a.lookIntoCache()
			if err != nil {
				return "", err
			}
			size, err := c.Size()
			if c.ReadOnly() {
				return fmt.Sprintf("%s, %d MiB, cannot be written: what is not in it cannot be obtained", c.Root(), size>>20), err
			}
			return fmt.Sprintf("%s, %d MiB: %s", c.Root(), size>>20, folder.Cache.Can()), err
		}},
		{what: "TMPDIR", need: "programs' temporary files; the run folder has another one for them", spare: true, run: func() (string, error) {
			return os.TempDir() + ": " + folder.Temporary.Can(), folder.Check(os.TempDir(), folder.Temporary)
		}},
		{what: "run folder", need: "servers", run: func() (string, error) {
			root, err := a.openRoot(ctx)
			if err != nil {
				return "", err
			}
			return root.Path() + ": " + folder.Run.Can(), nil
		}},
	}
}
