package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	var asJSON, offline, outdated bool
	var known knownFlags
	c := &cobra.Command{
		Use: "list", Short: "List entries and tools, and why an entry is unavailable here", Args: exactArgs(0, "no argument"),
		Long: "list asks the machine's package mirror and the vendors' sites (for their headers only) whether each entry could be fetched.\n" +
			"With --known it prints the known failures instead, of all servers and tools or of those named, and when each was last seen to be true.",
		Example: "  matrix list\n  matrix list --offline\n  matrix list --json\n  matrix list --known --entry mysql-9.7 --tool gh-ost\n  matrix list --outdated",
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := a.loadMatrix()
			if err != nil {
				return err
			}
			if known.asJSON = asJSON; known.known {
				return a.listKnown(c.Context(), c.OutOrStdout(), m, known)
			}
			if known != (knownFlags{asJSON: asJSON}) {
				return usageError{errors.New("--entry, --tool and --seen-in are for known failures: add --known")}
			}
			if outdated {
				return printOutdated(c.Context(), c.OutOrStdout(), m)
			}
			cache, err := a.lookIntoCache()
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
	c.Flags().BoolVar(&known.known, "known", false, "print the known failures")
	c.Flags().StringVar(&known.entry, "entry", "", "with --known: those of a server, as it says itself where it is cached")
	c.Flags().StringVar(&known.tool, "tool", "", "with --known: those of a tool, such as gh-ost or gh-ost=v1.1.8")
	c.Flags().StringVar(&known.seen, "seen-in", "", "with --known: the run in which to look when each was true (default: the newest below build/runs)")
	c.Flags().BoolVar(&offline, "offline", false, "ask nobody: say only what is cached")
	c.Flags().BoolVar(&outdated, "outdated", false, "compare the listed releases with what the vendors have tagged")
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
