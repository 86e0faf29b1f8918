package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// WriteCompatibility writes a table in Markdown: for each server and each version of a tool whether it works there. It says
// first what the table is of: which specs, which servers, on which day.
func WriteCompatibility(w io.Writer, run *Run) error {
	var b strings.Builder
	rows, columns := axes(run)
	b.WriteString("# What works where\n\n" + run.scope(len(rows)))
	at := map[CellID]*Cell{}
	for i := range run.Cells {
		at[run.Cells[i].ID] = &run.Cells[i]
	}
	servers := serverNames(run)
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
					b.WriteString(" " + linkedCompatibility(at[c.on(entry)]) + " |")
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

// serverNames are the servers that were obtained, by entry.
func serverNames(run *Run) map[string]string {
	names := map[string]string{}
	for _, c := range run.Cells {
		if c.Server != (Server{}) {
			names[c.ID.Entry], _, _ = strings.Cut(c.Server.String(), " -- ") // what a build says beyond its name
		}
	}
	return names
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

// scope says what a run is of: its day, its tier, how many servers, and what it does not say.
func (r *Run) scope(servers int) string {
	tier := "a tier that it did not record"
	switch {
	case r.Tier == "pr":
		tier = "the pr tier, the short one that pull requests run"
	case r.Tier != "":
		tier = "the " + r.Tier + " tier"
	}
	day := "a day that it did not record"
	if !r.Started.IsZero() {
		day = r.Started.UTC().Format(time.DateOnly)
	}
	text := fmt.Sprintf("From a run on %s of %s, on %s.", day, tier, plural(servers, "server"))
	if r.Tier == "pr" {
		text += "\nThe full tier has more servers and several times as many specs: \"works\" here means in the specs of the pr tier."
	}
	if r.Focus != "" {
		text += "\nOnly specs that match " + prose(r.Focus) + " were chosen."
	}
	if r.Status != RunComplete {
		text += "\nThe run was cut off before its end."
	}
	return text + "\nEach cell says in how many specs the tool works. A spec that needs what the server does not have is unsupported. Where a tool is" +
		"\ndeclared not to work on a server at all, a few specs run and show it, and the others are not run.\n"
}

// linkedCompatibility is Compatibility in Markdown, with a link to the reason where the tool cannot work.
func linkedCompatibility(c *Cell) string {
	text := prose(Compatibility(c))
	if c == nil || c.blocking() == nil {
		return text
	}
	if link := c.blocking().Link; link != "" {
		text += " ([link](" + link + "))"
	}
	return text
}

// Compatibility says in words whether the tool of a cell works on its server, and in how many specs that was seen.
func Compatibility(c *Cell) string {
	switch {
	case c == nil:
		return ""
	case c.State != StateFinished:
		return c.State.String()
	case c.Verdict == VerdictUnavailable:
		return "not run: the server or the tool could not be obtained"
	case len(c.Specs) == 0:
		return "not run: " + c.Verdict.String()
	case c.Count(VerdictUnsupported) == len(c.Specs):
		return fmt.Sprintf("unsupported: %s", Gist(c.Specs[0].Reason))
	}
	var parts []string
	x := c.blocking()
	if x != nil {
		parts = append(parts, "cannot work: "+Gist(firstPart(cmp.Or(x.Note, x.Error))))
	} else if n := c.Count(VerdictPassed); n > 0 {
		parts = append(parts, fmt.Sprintf("works in %s", plural(n, "spec")))
	}
	for _, v := range []Verdict{VerdictKnown, VerdictFailed, VerdictTimedOut, VerdictErrored, VerdictFlaky, VerdictFixed, VerdictFixedByBuild, VerdictVacuous, VerdictUnsupported} {
		n := c.Count(v)
		if x != nil && (v == VerdictKnown || v == VerdictUnsupported) || n == 0 {
			continue
		}
		text := fmt.Sprintf("%d %s", n, v)
		if v == VerdictKnown {
			text = plural(n, "known failure")
		}
		parts = append(parts, text)
	}
	if n := c.notRun(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s not run", n, plural(len(c.Specs), "spec")))
	}
	return strings.Join(parts, ", ")
}

// firstPart is a note up to its first semicolon or sentence, without the versions that it was seen on.
func firstPart(note string) string {
	note, _, _ = strings.Cut(note, " (seen ")
	note, _, _ = strings.Cut(note, "; ")
	return note
}

// notRun counts the cell's specs that are known without having run.
func (c *Cell) notRun() int {
	n := 0
	for i := range c.Specs {
		if c.Specs[i].NotRun {
			n++
		}
	}
	return n
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
