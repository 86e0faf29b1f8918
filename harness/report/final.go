package report

import (
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

const (
	excerptLines = 12   // of an error, in the final report
	excerptWidth = 1000 // columns of such a line: the terminal wraps it, and a log keeps it
	notesShown   = 20
)

// WriteFinal writes the report that stands at the end of a run: the table, known failures by their link, what was
// unavailable or unsupported, measurements, notes, failures with evidence and the command that repeats them, totals.
// Failures come last, since a terminal, and what a CI system shows of a long log, is its end.
func WriteFinal(w io.Writer, run *Run, o Options) error {
	now := run.Started.Add(run.Seconds.Duration())
	var lines []line
	for _, section := range [][]line{
		declaredLines(run, o, VerdictKnown, "Known failures, as declared"), declaredLines(run, o, VerdictFixedByBuild, "Fixed by this build"), reasonLines(run, o, VerdictVacuous),
		reasonLines(run, o, VerdictUnavailable), reasonLines(run, o, VerdictUnsupported), measurementLines(run, o), unprovenLines(run), noteLines(run, o),
		failureLines(run, o, "Flaky", only(VerdictFlaky)), failureLines(run, o, "Failures", Verdict.Bad), append(totalLines(run), buildLines(run)...),
	} {
		if len(section) > 0 {
			lines = append(append(lines, nil), section...)
		}
	}
	// Only the table is drawn to the width: whoever copies a command or a path wants all of it.
	loose := o
	loose.Width = 0
	if _, err := io.WriteString(w, text([]line{summary(run, o), nil}, loose)+text(grid(run, now, o), o)+text(lines, loose)); err != nil {
		return fmt.Errorf("write the final report: %w", err)
	}
	return nil
}

func head(title string) line { return line{{styleBold, title}} }

// failureLines shows what failed, and with both outcomes what is flaky: an error that several have in common once, with
// the first of them whole and the others by name.
func failureLines(run *Run, o Options, title string, choose func(Verdict) bool) []line {
	found := findings(run, choose)
	if len(found) == 0 {
		return nil
	}
	lines := []line{head(fmt.Sprintf("%s (%d)", title, len(found)))}
	for i, c := range causes(found) {
		if i > 0 {
			lines = append(lines, nil)
		}
		if len(c.found) > 1 {
			lines = append(lines, line{{verdicts[c.Verdict].style, c.Verdict.Mark(o.ASCII) + " " + c.Size()}, {stylePlain, ": " + c.Text}})
		}
		lines = append(lines, failureLine(c.found[0], o)...)
		named, rest := c.others()
		for _, f := range named {
			lines = append(lines, line{{stylePlain, "  likewise " + f.what() + " (" + clock(f.Seconds.Duration()) + ")"}, {styleDim, "  [" + f.id() + "]"}})
		}
		if rest != "" {
			lines = append(lines, plainLine("  "+rest))
		}
	}
	return lines
}

// failureLine shows one finding whole.
func failureLine(f finding, o Options) []line {
	lines := []line{{{verdicts[f.Verdict].style, f.Verdict.Mark(o.ASCII) + " " + f.Verdict.String()},
		{stylePlain, "  " + f.what() + " (" + clock(f.Seconds.Duration()) + ")"}, {styleDim, "  [" + f.id() + "]"}}}
	if len(f.Attempts) > 0 {
		lines = append(lines, plainLine("    "+attemptsText(f.Outcome)))
	}
	for _, text := range excerpt(f.why(), excerptLines, excerptWidth, o.ASCII) {
		lines = append(lines, plainLine("    | "+text))
	}
	if f.Evidence != "" {
		lines = append(lines, plainLine("    evidence: "+evidence(f.Evidence, o)))
	}
	if f.Repro != "" {
		lines = append(lines, plainLine("    repro:    "+Command(f.Repro)))
	}
	return lines
}

func evidence(folder string, o Options) string { return Command(path.Join(o.Out, folder)) }

// declaredLines shows what ended so because of declarations, once for each of these.
func declaredLines(run *Run, o Options, v Verdict, title string) []line {
	all := groups(findings(run, only(v)))
	if len(all) == 0 {
		return nil
	}
	lines := []line{head(title)}
	for _, g := range all {
		lines = append(lines, line{{verdicts[v].style, v.Mark(o.ASCII) + " " + g.size()},
			{stylePlain, ": " + OneLine(g.expectation.Error)}}, plainLine("    "+g.names()))
		var more []string
		for _, s := range []string{OneLine(g.expectation.Link), review(g.expectation, run.Started), OneLine(g.expectation.Note)} {
			if s != "" {
				more = append(more, s)
			}
		}
		if len(more) > 0 {
			lines = append(lines, plainLine("    "+strings.Join(more, o.dot())))
		}
	}
	return lines
}

// reasonLines shows what was vacuous, unavailable or unsupported, once for each reason.
func reasonLines(run *Run, o Options, v Verdict) []line {
	all := groups(findings(run, only(v)))
	if len(all) == 0 {
		return nil
	}
	word := v.String()
	lines := []line{head(strings.ToUpper(word[:1]) + word[1:])}
	for _, g := range all {
		whose := strings.Join(g.entries, ", ")
		lines = append(lines, line{{styleDim, v.Mark(o.ASCII)}, {stylePlain, " " + OneLine(whose) + " (" + g.size() + ")"}})
		reason := g.reason
		if strings.TrimSpace(reason) == "" {
			reason = "no reason was given"
		}
		for _, text := range excerpt(reason, excerptLines, excerptWidth, o.ASCII) {
			lines = append(lines, plainLine("    | "+text))
		}
	}
	return lines
}

func measurementLines(run *Run, o Options) []line {
	stats := Statistics(run, Shown)
	if len(stats) == 0 {
		return nil
	}
	rows := [][]string{{"Measurements", "cell", "median", "min", "max", "n"}}
	name := ""
	for _, s := range stats {
		label := OneLine(s.Name)
		if s.Unit != "" {
			label += ", " + OneLine(s.Unit)
		}
		shown := label
		if label == name {
			shown = ""
		}
		name = label
		v := Numbers(s.Median, s.Min, s.Max)
		rows = append(rows, []string{shown, OneLine(s.Cell.String()), v[0], v[1], v[2], fmt.Sprint(s.N)})
	}
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for j, text := range r {
			widths[j] = max(widths[j], textWidth(text))
		}
	}
	var lines []line
	for i, r := range rows {
		var b strings.Builder
		for j, text := range r {
			if j < 2 {
				b.WriteString(pad(text, widths[j]+gap))
			} else {
				b.WriteString(padLeft(text, widths[j]) + "  ")
			}
		}
		l := plainLine(b.String())
		if i == 0 {
			l[0].style = styleBold
		}
		lines = append(lines, l)
	}
	return lines
}

func noteLines(run *Run, o Options) []line {
	if len(run.Notes) == 0 {
		return nil
	}
	lines := []line{head("Notes")}
	from := max(0, len(run.Notes)-notesShown)
	if from > 0 {
		lines = append(lines, plainLine(fmt.Sprintf("%s %s before these", ellipsis(o.ASCII), plural(from, "note"))))
	}
	for _, n := range run.Notes[from:] {
		lines = append(lines, plainLine("  "+notePrefix(n.Cell)+OneLine(n.Text)))
	}
	return lines
}

func totalLines(run *Run) []line {
	cells := append(line{{styleBold, "Cells  "}}, tally(run.CellTotals())...)
	open := map[State]int{}
	for i := range run.Cells {
		open[run.Cells[i].State]++
	}
	for _, s := range []State{StateInterrupted, StateRunning, StatePending} {
		if n := open[s]; n > 0 {
			if len(cells) > 1 {
				cells = append(cells, span{stylePlain, ", "})
			}
			word := s.String()
			if s == StatePending && run.Status != RunRunning {
				word = "not begun"
			}
			cells = append(cells, span{styleYellow, fmt.Sprintf("%d %s", n, word)})
		}
	}
	specs := append(line{{styleBold, "Specs  "}}, tally(run.SpecTotals())...)
	if n := run.NotRun(); n > 0 {
		specs = append(specs, span{stylePlain, fmt.Sprintf("; %d of the known were not run", n)})
	}
	lines := []line{cells, specs}
	if t := run.Topologies(); t.Reused+len(t.Refused) > 0 {
		lines = append(lines, line{{styleBold, "Topologies  "}, {stylePlain, fmt.Sprintf("%d started, %d used again, %d not left as they were found (in run.json: refused)", t.Started, t.Reused, len(t.Refused))}})
	}
	took := line{{styleBold, "Took   "}, {stylePlain, clock(run.Seconds.Duration())}}
	if !run.Started.IsZero() {
		took = append(took, span{stylePlain, ", from " + run.Started.UTC().Format(time.RFC3339)})
	}
	return append(lines, took)
}
