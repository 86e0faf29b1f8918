package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

// obtainWithLibraries obtains an entry and, when asked to, installs the system libraries that its
// preflight names and tries again.
func obtainWithLibraries(ctx context.Context, w io.Writer, store *basedir.Store, m *matrix.Matrix, e matrix.Entry, install bool) (*basedir.Basedir, error) {
	b, err := store.Obtain(ctx, e, projectDir(m))
	var missing *basedir.MissingLibrariesError
	if !install || !errors.As(err, &missing) {
		return b, err
	}
	var packages []string
	for _, library := range missing.Libraries {
		if library.Package == "" {
			return nil, err
		}
		packages = append(packages, library.Package)
	}
	command := append([]string{"apt-get", "install", "-y"}, packages...)
	if os.Getuid() != 0 {
		command = append([]string{"sudo"}, command...)
	}
	fmt.Fprintf(w, "%s: installing %v\n", e.Name, packages)
	if _, installErr := proc.Run(ctx, proc.Cmd{Path: command[0], Args: command[1:], Env: []string{"DEBIAN_FRONTEND=noninteractive"}}); installErr != nil {
		return nil, errors.Join(err, installErr)
	}
	return store.Obtain(ctx, e, projectDir(m))
}
