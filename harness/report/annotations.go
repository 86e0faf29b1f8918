package report

import (
	"fmt"
	"io"
	"strings"
)

// annotationLimit is how many annotations of a kind GitHub shows of one step; what is beyond them would be dropped.
const annotationLimit = 10

// annotation is what is said of one server version.
type annotation struct {
	entry        string
	specs, cells int
	about        []string // the cells
	first        finding
}

// WriteAnnotations writes workflow commands for GitHub: one error for each server version on which something failed
// that nobody declared, however many of its specs did, and one warning for each that is flaky. Versions beyond what
// GitHub shows are named together in the last one.
func WriteAnnotations(w io.Writer, run *Run) error {
	var b strings.Builder
	annotate(&b, "error", annotations(findings(run, Verdict.Bad)))
	annotate(&b, "warning", annotations(findings(run, only(VerdictFlaky))))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write annotations: %w", err)
	}
	return nil
}

func annotations(found []finding) []annotation {
	var all []annotation
	at := map[string]int{}
	seen := map[CellID]bool{}
	for _, f := range found {
		entry := f.cell.ID.Entry
		i, ok := at[entry]
		if !ok {
			i = len(all)
			at[entry] = i
			all = append(all, annotation{entry: entry, first: f})
		}
		a := &all[i]
		if f.spec != "" {
			a.specs++
		}
		if !seen[f.cell.ID] {
			seen[f.cell.ID] = true
			a.cells++
			a.about = append(a.about, strings.TrimSuffix(f.cell.ID.Suite+" "+f.cell.ID.Tool, " "))
		}
	}
	return all
}

func annotate(b *strings.Builder, level string, all []annotation) {
	shown := all
	if len(all) > annotationLimit {
		shown = all[:annotationLimit-1]
	}
	for _, a := range shown {
		size := plural(a.cells, "cell")
		if a.specs > 0 {
			size = plural(a.specs, "spec") + " in " + size
		}
		title := fmt.Sprintf("%s: %s %s", OneLine(a.entry), size, a.first.Verdict)
		if level == "warning" {
			title = fmt.Sprintf("%s: %s flaky", OneLine(a.entry), size)
		}
		lines := []string{OneLine(strings.Join(a.about, ", "))}
		if a.first.spec != "" {
			lines = append(lines, OneLine(a.first.spec))
		}
		lines = append(lines, excerpt(a.first.why(), excerptLines, markdownWidth, false)...)
		if a.first.Repro != "" {
			lines = append(lines, Command(a.first.Repro))
		}
		fmt.Fprintf(b, "::%s title=%s::%s\n", level, escapeProperty(title), escapeData(strings.Join(lines, "\n")))
	}
	if rest := all[len(shown):]; len(rest) > 0 {
		var names []string
		for _, a := range rest {
			names = append(names, OneLine(a.entry))
		}
		fmt.Fprintf(b, "::%s title=%s::%s\n", level, escapeProperty(fmt.Sprintf("%s more", plural(len(rest), "server version"))), escapeData(strings.Join(names, ", ")))
	}
}

// escapeData and escapeProperty are those of GitHub's own toolkit (actions/toolkit, packages/core/src/command.ts).
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
