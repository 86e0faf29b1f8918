package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteCompatibility writes a table in Markdown: for each server and each version of a tool whether it works there.
func WriteCompatibility(w io.Writer, run *Run) error {
	var b strings.Builder
	b.WriteString("# What works where\n\n")
	if !run.Started.IsZero() {
		fmt.Fprintf(&b, "From the run of %s; %s.\n", run.Started.UTC().Format("2006-01-02"), plural(len(run.Cells), "cell"))
	}
	rows, columns := axes(run)
	at := map[CellID]*Cell{}
	servers := map[string]string{}
	for i := range run.Cells {
		c := &run.Cells[i]
		at[c.ID] = c
		if c.Server != (Server{}) {
			servers[c.ID.Entry] = c.Server.String()
		}
	}
	for _, suite := range suitesOf(columns) {
		fmt.Fprintf(&b, "\n## %s\n\n| server |", prose(suite))
		line := "|---|"
		for _, c := range columns {
			if c.Suite == suite {
				b.WriteString(" " + prose(CellID(c).ToolID()) + " |")
				line += "---|"
			}
		}
		b.WriteString("\n" + line + "\n")
		for _, entry := range rows {
			name := prose(entry)
			if server := servers[entry]; server != "" {
				name += "<br>" + prose(server)
			}
			b.WriteString("| " + name + " |")
			for _, c := range columns {
				if c.Suite == suite {
					b.WriteString(" " + prose(Compatibility(at[c.on(entry)])) + " |")
				}
			}
			b.WriteString("\n")
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the compatibility table: %w", err)
	}
	return nil
}

func suitesOf(columns []column) []string {
	var suites []string
	for _, c := range columns {
		if !slices.Contains(suites, c.Suite) {
			suites = append(suites, c.Suite)
		}
	}
	return suites
}

// Compatibility says in words whether the tool of a cell works on its server.
func Compatibility(c *Cell) string {
	switch {
	case c == nil:
		return ""
	case c.State != StateFinished:
		return c.State.String()
	case c.Verdict == VerdictUnavailable:
		return "not run: the server or the tool could not be had"
	case len(c.Specs) == 0:
		return "not run: " + c.Verdict.String()
	}
	if x := c.blocking(); x != nil {
		return "cannot work: " + Gist(cmp.Or(x.Note, x.Error))
	}
	var parts []string
	if n := c.Count(VerdictKnown); n > 0 {
		parts = append(parts, "works but for "+plural(n, "known failure"))
	} else {
		parts = append(parts, "works")
	}
	for _, v := range []Verdict{VerdictFailed, VerdictTimedOut, VerdictErrored, VerdictFlaky, VerdictFixed} {
		if n := c.Count(v); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	return strings.Join(parts, ", ")
}

// blocking is the declaration by which the tool cannot work on the cell's server at all, or nil.
func (c *Cell) blocking() *Expectation {
	for i := range c.Specs {
		if s := &c.Specs[i]; s.Verdict == VerdictKnown && s.Expectation != nil && s.Expectation.Blocks {
			return s.Expectation
		}
	}
	return nil
}
