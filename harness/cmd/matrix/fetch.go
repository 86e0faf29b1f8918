package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
)

func (a *app) fetchCommand() *cobra.Command {
	var checksum string
	var trust, install, lenient bool
	c := &cobra.Command{
		Use: "fetch [ENTRY…]", Short: "Obtain servers ahead of a run",
		Long:    "fetch obtains the named entries, or all that are obtainable here, into the cache. ENTRY is a name, a pattern or an exact release.",
		Example: "  matrix fetch\n  matrix fetch mysql-8.4 'mariadb-*'\n  matrix fetch mariadb@10.6.9",
		RunE: func(c *cobra.Command, args []string) error {
			m, err := a.loadMatrix()
			if err != nil {
				return err
			}
			entries, named, err := toFetch(m, args, checksum, trust)
			if err != nil {
				return unfit(err)
			}
			cache, err := a.openCache(c.Context())
			if err != nil {
				return err
			}
			if lenient {
				named = nil
			}
			return fetch(c.Context(), c.OutOrStdout(), a.basedirs(cache, m), m, entries, named, install)
		},
	}
	trustFlags(c.Flags(), &checksum, &trust)
	c.Flags().BoolVar(&lenient, "lenient", false, "an entry that is unavailable is told, and no error: the run will report it")
	c.Flags().BoolVar(&install, "install-libraries", false, "install the system packages that a server's libraries are missing from (apt-get, by sudo)")
	return c
}

// toFetch are the entries to obtain, all of them without arguments, and the names of those that were named in full.
func toFetch(m *matrix.Matrix, args []string, checksum string, trust bool) (entries []matrix.Entry, named []string, err error) {
	if len(args) == 0 {
		return m.Entries, nil, nil
	}
	for _, ref := range references(args) {
		selected, inFull, err := m.Select(ref)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range selected {
			if inFull {
				named = append(named, e.Name)
				if err := presentServer(e); err != nil {
					return nil, nil, err
				}
				if e, err = trusting(e, checksum, trust); err != nil {
					return nil, nil, err
				}
			}
			entries = append(entries, e)
		}
	}
	return entries, named, nil
}

// references are the entries that arguments name: several in one, parted by blanks, as a job of a plan has them, or the
// place of one, which may have blanks itself.
func references(args []string) (refs []string) {
	for _, arg := range args {
		if strings.Contains(arg, ":") {
			refs = append(refs, arg)
		} else {
			refs = append(refs, strings.Fields(arg)...)
		}
	}
	return refs
}

// fetch obtains entries; one that is unavailable is an error only when it was named.
func fetch(ctx context.Context, w io.Writer, store *basedir.Store, m *matrix.Matrix, entries []matrix.Entry, named []string, install bool) error {
	var errs []error
	for _, e := range entries {
		b, err := obtainWithLibraries(ctx, w, store, m, e, install)
		var unavailable *basedir.UnavailableError
		switch {
		case err == nil:
			fmt.Fprintf(w, "%s: %s (%s)\n", e.Name, b.Flavor, b.Source)
		case ctx.Err() != nil:
			return err
		case !slices.Contains(named, e.Name) && errors.As(err, &unavailable):
			fmt.Fprintln(w, err)
		default:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

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
	if _, installErr := proc.Run(ctx, proc.Cmd{Path: command[0], Args: command[1:], Env: []string{"DEBIAN_FRONTEND=noninteractive"}, Inherit: true}); installErr != nil {
		return nil, errors.Join(err, installErr)
	}
	return store.Obtain(ctx, e, projectDir(m))
}
