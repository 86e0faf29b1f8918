package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/release"
)

// printOutdated says which lines of the list of published archives are behind what their vendors have tagged.
func printOutdated(ctx context.Context, w io.Writer, m *matrix.Matrix) error {
	list, err := release.Published()
	if err != nil {
		return err
	}
	upstream := release.Ask(ctx, release.RemoteTags)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENTRY\tLISTED\tPUBLISHED\t")
	for _, e := range m.Entries {
		listed := list.Line(e.Vendor, e.Series).Last()
		newest, err := upstream.Newest(e.Vendor, e.Series)
		state := ""
		switch {
		case err != nil:
			newest = "unknown"
			state, _, _ = strings.Cut(err.Error(), "\n")
		case release.Behind(listed, newest):
			state = "outdated: add " + newest + " to harness/release/releases.tsv"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", e.Name, listed, newest, state)
	}
	return table.Flush()
}
