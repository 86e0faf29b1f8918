package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// annotationLimit is how many annotations of a kind GitHub shows of one step; what is beyond them would be dropped.
const annotationLimit = 10

// annotation is what is said of one server version.
type annotation struct {
	entry         string
	failed, flaky size
	about         []string // the cells
	first         finding
}

// size counts specs, and the cells that they or a finding of the whole cell are of.
type size struct {
	specs int
	cells []CellID
}

func (s *size) add(f finding) {
	if f.spec != "" {
		s.specs++
	}
	if !slices.Contains(s.cells, f.cell.ID) {
		s.cells = append(s.cells, f.cell.ID)
	}
}

func (s size) String() string {
	if s.specs == 0 {
		return plural(len(s.cells), "cell")
	}
	return plural(s.specs, "spec") + " in " + plural(len(s.cells), "cell")
}

// WriteAnnotations writes workflow commands for GitHub, one for each server version: an error where something failed
// that nobody declared, however many of its specs did, else a warning where something is flaky. Versions beyond what
// GitHub shows are named together in the last one.
func WriteAnnotations(w io.Writer, run *Run) error {
	var errored, warned []annotation
	for _, a := range annotations(append(findings(run, Verdict.Bad), findings(run, only(VerdictFlaky))...)) {
		if len(a.failed.cells) > 0 {
			errored = append(errored, a)
		} else {
			warned = append(warned, a)
		}
	}
	var b strings.Builder
	annotate(&b, "error", errored)
	annotate(&b, "warning", warned)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write annotations: %w", err)
	}
	return nil
}

// annotations gathers findings by server version; the first of each is the one that is shown.
func annotations(found []finding) []annotation {
	var all []annotation
	at := map[string]int{}
	for _, f := range found {
		entry := f.cell.ID.Entry
		i, ok := at[entry]
		if !ok {
			i = len(all)
			at[entry] = i
			all = append(all, annotation{entry: entry, first: f})
		}
		a := &all[i]
		if f.Verdict == VerdictFlaky {
			a.flaky.add(f)
		} else {
			a.failed.add(f)
		}
		if name := strings.TrimSuffix(f.cell.ID.Suite+" "+f.cell.ID.ToolID(), " "); !slices.Contains(a.about, name) {
			a.about = append(a.about, name)
		}
	}
	return all
}

func (a annotation) title() string {
	var parts []string
	if len(a.failed.cells) > 0 {
		parts = append(parts, fmt.Sprintf("%s %s", a.failed, a.first.Verdict))
	}
	if len(a.flaky.cells) > 0 {
		parts = append(parts, fmt.Sprintf("%s flaky", a.flaky))
	}
	return OneLine(a.entry) + ": " + strings.Join(parts, ", ")
}

func annotate(b *strings.Builder, level string, all []annotation) {
	shown := all
	if len(all) > annotationLimit {
		shown = all[:annotationLimit-1]
	}
	for _, a := range shown {
		lines := []string{OneLine(strings.Join(a.about, ", "))}
		if a.first.spec != "" {
			lines = append(lines, OneLine(a.first.spec))
		}
		lines = append(lines, excerpt(a.first.why(), excerptLines, markdownWidth, false)...)
		if a.first.Repro != "" {
			lines = append(lines, Command(a.first.Repro))
		}
		fmt.Fprintf(b, "::%s title=%s::%s\n", level, escapeProperty(a.title()), escapeData(strings.Join(lines, "\n")))
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
