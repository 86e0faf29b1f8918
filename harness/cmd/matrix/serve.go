package main

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/devtopology"
	"mysqlmatrix/harness/failover/process"
)

// The commands that matrix up starts for what stands beside a topology. They end with its folder.
const (
	serveLinks   = "serve-links"
	serveManager = "serve-manager"
)

func (a *app) serveCommands() []*cobra.Command {
	return []*cobra.Command{
		{Use: serveLinks + " FOLDER", Short: "Carry the traffic of a topology's links", Hidden: true, Args: exactArgs(1, "one FOLDER"),
			RunE: func(c *cobra.Command, args []string) error { return devtopology.ServeLinks(c.Context(), args[0]) }},
		{Use: serveManager + " FOLDER", Short: "Run a failover manager, and answer by HTTP what it does", Hidden: true, Args: exactArgs(1, "one FOLDER"),
			RunE: func(c *cobra.Command, args []string) error { return process.Serve(c.Context(), args[0]) }},
	}
}

// self is how this program is started again.
func self() (devtopology.Self, error) {
	s := devtopology.Self{Links: []string{serveLinks}, Manager: []string{serveManager}}
	// As it was called: a program may look at its name.
	path, err := exec.LookPath(os.Args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		path, err = os.Executable()
	}
	s.Path = path
	return s, err
}
