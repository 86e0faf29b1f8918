package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/matrix"
)

// listed is one entry as list prints it.
type listed struct {
	Name       string   `json:"name"`
	Tier       string   `json:"tier"`
	Sources    []string `json:"sources"`
	Cached     bool     `json:"cached"`
	Obtainable bool     `json:"obtainable"`
	Why        string   `json:"why,omitempty"` // why it is not obtainable, or what it would come from
	Server     string   `json:"server,omitempty"`
}

func (a *app) listCommand() *cobra.Command {
	var asJSON, offline bool
	c := &cobra.Command{
		Use: "list", Short: "List entries and tools: what can be had here, and why not the rest", Args: exactArgs(0, "no argument"),
		Long:    "list asks the machine's package mirror and the vendors' sites (for their headers only) whether each entry could be fetched.",
		Example: "  matrix list\n  matrix list --offline\n  matrix list --json",
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := a.loadMatrix()
			if err != nil {
				return err
			}
			cache, err := a.openCache(c.Context())
			if err != nil {
				return err
			}
			entries := listEntries(c.Context(), m, a.basedirs(cache, m), offline)
			if asJSON {
				return printJSON(c.OutOrStdout(), map[string]any{"entries": entries, "tools": m.Tools})
			}
			return printList(c.OutOrStdout(), entries, m.Tools)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	c.Flags().BoolVar(&offline, "offline", false, "ask nobody: say only what is cached")
	return c
}

func listEntries(ctx context.Context, m *matrix.Matrix, store *basedir.Store, offline bool) []listed {
	var entries []listed
	for _, e := range m.Entries {
		one := listed{Name: e.Name, Tier: string(e.Tier)}
		for _, source := range e.Sources {
			one.Sources = append(one.Sources, source.Kind())
		}
		if b, ok := store.Cached(e); ok {
			one.Cached, one.Obtainable, one.Server = true, true, b.Flavor.String()
		} else if offline {
			one.Why = "not cached"
		} else if from, err := store.Obtainable(ctx, e); err != nil {
			one.Why = firstLines(err)
		} else {
			one.Obtainable, one.Why = true, from
		}
		entries = append(entries, one)
	}
	return entries
}

// firstLines keeps an error to what fits a table: each source's reason on the same line.
func firstLines(err error) string {
	var unavailable *basedir.UnavailableError
	if errors.As(err, &unavailable) {
		var reasons []string
		for _, attempt := range unavailable.Attempts {
			reason, _, _ := strings.Cut(attempt.Error(), "\n")
			reasons = append(reasons, reason)
		}
		return strings.Join(reasons, "; ")
	}
	reason, _, _ := strings.Cut(err.Error(), "\n")
	return reason
}

func printList(w io.Writer, entries []listed, tools []matrix.Tool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENTRY\tTIER\tSOURCES\tSTATE")
	for _, e := range entries {
		state := "unavailable: " + e.Why
		switch {
		case e.Cached:
			state = "cached: " + e.Server
		case e.Obtainable:
			state = "obtainable: " + e.Why
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", e.Name, e.Tier, strings.Join(e.Sources, ", "), state)
	}
	fmt.Fprintln(table, "\nTOOL\tVERSIONS\tSUITES")
	for _, t := range tools {
		var versions []string
		for _, v := range t.Versions {
			versions = append(versions, v.Version)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", t.Name, strings.Join(versions, ", "), strings.Join(t.Suites, ", "))
	}
	return table.Flush()
}

func (a *app) fetchCommand() *cobra.Command {
	var checksum string
	var trust, install bool
	c := &cobra.Command{
		Use: "fetch [ENTRY…]", Short: "Obtain servers ahead of a run",
		Long:    "fetch obtains the named entries, or every entry that can be had, into the cache.",
		Example: "  matrix fetch\n  matrix fetch mysql-8.4 mariadb-10.11\n  matrix fetch mariadb@10.6.9",
		RunE: func(c *cobra.Command, args []string) error {
			m, err := a.loadMatrix()
			if err != nil {
				return err
			}
			cache, err := a.openCache(c.Context())
			if err != nil {
				return err
			}
			entries := m.Entries
			if len(args) > 0 {
				entries = nil
			}
			for _, ref := range args {
				e, err := m.Resolve(ref)
				if err == nil {
					e, err = trusting(e, checksum, trust)
				}
				if err != nil {
					return unfit(err)
				}
				entries = append(entries, e)
			}
			return fetch(c.Context(), c.OutOrStdout(), a.basedirs(cache, m), m, entries, len(args) > 0, install)
		},
	}
	trustFlags(c.Flags(), &checksum, &trust)
	c.Flags().BoolVar(&install, "install-libraries", false, "install the system packages that a server's libraries are missing from (apt-get, by sudo)")
	return c
}

// fetch obtains entries; one that is unavailable is an error only when it was named.
func fetch(ctx context.Context, w io.Writer, store *basedir.Store, m *matrix.Matrix, entries []matrix.Entry, named, install bool) error {
	var errs []error
	for _, e := range entries {
		b, err := obtainWithLibraries(ctx, w, store, m, e, install)
		var unavailable *basedir.UnavailableError
		switch {
		case err == nil:
			fmt.Fprintf(w, "%s: %s (%s)\n", e.Name, b.Flavor, b.Source)
		case ctx.Err() != nil:
			return err
		case !named && errors.As(err, &unavailable):
			fmt.Fprintln(w, err)
		default:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (a *app) cleanCommand() *cobra.Command {
	var everything bool
	c := &cobra.Command{
		Use: "clean", Short: "Stop every server and remove what runs have left", Args: exactArgs(0, "no argument"),
		Long:    "clean takes down every topology and clears what killed runs have left; with --cache it also empties the cache.",
		Example: "  matrix clean\n  matrix clean --all",
		RunE: func(c *cobra.Command, _ []string) error {
			labs, err := a.labs(c.Context())
			if err != nil {
				return err
			}
			removed, err := labs.Down(c.Context(), "")
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "took down %d topologies\n", len(removed))
			if !everything {
				return nil
			}
			cache, err := a.openCache(c.Context())
			if err != nil {
				return err
			}
			size, err := cache.Size()
			if err != nil {
				return err
			}
			if err := cache.Clear(); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "removed %d MiB of servers, golden sandboxes and tools\n", size>>20)
			return nil
		},
	}
	c.Flags().BoolVar(&everything, "all", false, "empty the cache as well")
	return c
}

// check is one line of doctor.
type check struct {
	what string
	need string // what it is needed for
	run  func() (string, error)
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check what this machine has and lacks", Args: exactArgs(0, "no argument"),
		Example: "  matrix doctor",
		RunE: func(c *cobra.Command, _ []string) error {
			failed := 0
			for _, one := range a.checks(c.Context()) {
				text, err := one.run()
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
		return check{name, need, func() (string, error) { return exec.LookPath(name) }}
	}
	return []check{
		program("go", "suites, gh-ost and dbdeployer, which are built from source"),
		program("bash", "dbdeployer's scripts"),
		program("apt-get", "servers from Debian's packages"),
		program("dpkg-deb", "servers from Debian's packages"),
		program("npm", "mysql-5.6, which comes from an npm package"),
		program("perl", "pt-online-schema-change"),
		program("ps", "dbdeployer's scripts (package procps)"),
		{"matrix.yaml", "everything", func() (string, error) {
			m, err := a.loadMatrix()
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%s, %d entries", m.Path, len(m.Entries)), nil
		}},
		{"cache folder", "everything", func() (string, error) {
			c, err := a.openCache(ctx)
			if err != nil {
				return "", err
			}
			size, err := c.Size()
			return fmt.Sprintf("%s, %d MiB", c.Root(), size>>20), err
		}},
		{"run folder", "servers", func() (string, error) {
			root, err := a.openRoot(ctx)
			if err != nil {
				return "", err
			}
			return root.Path(), probeSocketSpace(root.Path())
		}},
	}
}

// probeSocketSpace says whether Unix sockets fit below a folder.
func probeSocketSpace(dir string) error {
	const deepest = "/up-percona-server-8.0-1234567890/t/intermediate1/data/mysql_sandbox20000.sock"
	const limit = 107 // sun_path without its NUL, unix(7)
	if length := len(filepath.Join(dir, deepest)); length > limit {
		return fmt.Errorf("sockets below %s would have paths of %d bytes, the limit is %d: choose a shorter --run-dir", dir, length, limit)
	}
	return os.MkdirAll(dir, 0o700)
}
