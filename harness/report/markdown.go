package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// MarkdownLimit is the size that GitHub takes for one job summary: 1 MiB; a bigger one is dropped whole.
const MarkdownLimit = 1 << 20

const (
	markdownLines = 40  // of an error
	markdownWidth = 400 // columns of such a line
	cutNotice     = 600 // bytes kept free for the words on what was cut
)

// block is a piece of Markdown that stands or is left out as a whole.
type block struct{ noun, text string }

// WriteMarkdown writes a summary in GitHub's Markdown of at most limit bytes (0: MarkdownLimit): the grid, failures,
// known failures, what was unavailable or unsupported, measurements. What does not fit is left out piece by piece,
// and the last lines say how much of what that was.
func WriteMarkdown(w io.Writer, run *Run, o Options, limit int) error {
	if limit <= 0 {
		limit = MarkdownLimit
	}
	var b strings.Builder
	cut := map[string]int{}
	var order []string
	for _, bl := range markdownBlocks(run, o) {
		// Once a noun is cut, all that follows of it is, too: what is left is a beginning, and no table without its head.
		if cut[bl.noun] == 0 && b.Len()+len(bl.text)+cutNotice <= limit {
			b.WriteString(bl.text)
			continue
		}
		if cut[bl.noun] == 0 {
			order = append(order, bl.noun)
		}
		cut[bl.noun]++
	}
	if len(order) > 0 {
		var what []string
		for _, noun := range order {
			what = append(what, plural(cut[noun], noun))
		}
		fmt.Fprintf(&b, "\n> **Cut:** a summary may have %d bytes; left out are %s. run.json has everything.\n",
			limit, strings.Join(what, ", "))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the Markdown summary: %w", err)
	}
	return nil
}

func markdownBlocks(run *Run, o Options) []block {
	plain := Options{ASCII: o.ASCII}
	var sum strings.Builder
	for _, s := range summary(run, plain) {
		sum.WriteString(s.text)
	}
	blocks := []block{{"summary line", "### " + sum.String() + "\n\n"}, {"table", markdownGrid(run, o)}}
	if total := markdownTotals(run); total != "" {
		blocks = append(blocks, block{"totals line", total})
	}
	for _, b := range run.Builds() {
		blocks = append(blocks, block{"build line", "\n**" + prose(b.String()) + "**\n"})
	}
	if n := len(run.Unproven()); n > 0 {
		blocks = append(blocks, block{"unproven line", fmt.Sprintf("\n%s unproven: this run had none of their servers.\n", plural(n, "declaration"))})
	}
	blocks = append(blocks, markdownFailures(findings(run, Verdict.Bad), "failure", "Failures", o)...)
	blocks = append(blocks, markdownFailures(findings(run, only(VerdictFlaky)), "flaky spec", "Flaky", o)...)
	for i, g := range groups(findings(run, only(VerdictKnown))) {
		text := "\n#### Known failures, as declared\n\n"
		if i > 0 {
			text = ""
		}
		text += fmt.Sprintf("- %s %s: %s", VerdictKnown.Mark(o.ASCII), g.size(), code(g.expectation.Error))
		if g.expectation.Link != "" {
			text += " " + link(g.expectation.Link)
		}
		if r := review(g.expectation, run.Started); r != "" {
			text += ", " + prose(r)
		}
		blocks = append(blocks, block{"known-failure group", text + "\n  " + code(g.names()) + "\n"})
	}
	for _, v := range []Verdict{VerdictVacuous, VerdictUnavailable, VerdictUnsupported} {
		for i, g := range groups(findings(run, only(v))) {
			text := ""
			if i == 0 {
				word := v.String()
				text = "\n#### " + strings.ToUpper(word[:1]) + word[1:] + "\n\n"
			}
			text += fmt.Sprintf("- %s %s (%s): %s\n", v.Mark(o.ASCII), code(strings.Join(g.entries, ", ")), g.size(),
				code(truncate(OneLine(g.reason), 2*markdownWidth, o.ASCII)))
			blocks = append(blocks, block{v.String() + " reason", text})
		}
	}
	return append(blocks, markdownMeasurements(run)...)
}

func markdownGrid(run *Run, o Options) string {
	entries, columns := axes(run)
	at := map[CellID]*Cell{}
	for i := range run.Cells {
		at[run.Cells[i].ID] = &run.Cells[i]
	}
	var b strings.Builder
	b.WriteString("| |")
	for _, c := range columns {
		b.WriteString(" " + prose(c.Suite))
		if c.Tool != "" {
			b.WriteString("<br>" + prose(CellID(c).ToolID()))
		}
		b.WriteString(" |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, e := range entries {
		b.WriteString("| " + prose(e) + " |")
		for _, c := range columns {
			text := ""
			if cell := at[c.on(e)]; cell != nil {
				text = prose(status(cell, true, run.Started.Add(run.Seconds.Duration()), o.ASCII).text)
			}
			b.WriteString(" " + text + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func markdownTotals(run *Run) string {
	var b strings.Builder
	for _, l := range totalLines(run)[:2] {
		for i, s := range l {
			if i == 0 {
				s.text = strings.TrimSpace(s.text) + ": "
			}
			b.WriteString(s.text)
		}
		b.WriteString(". ")
	}
	return "\n" + strings.TrimSpace(b.String()) + "\n"
}

// markdownFailures shows an error that several have in common once.
func markdownFailures(found []finding, noun, title string, o Options) []block {
	var blocks []block
	for i, c := range causes(found) {
		text := ""
		if i == 0 {
			text = "\n#### " + title + "\n"
		}
		if len(c.found) > 1 {
			text += fmt.Sprintf("\n**%s %s: %s**\n", prose(c.Verdict.Mark(o.ASCII)), c.Size(), code(c.Text))
		}
		blocks = append(blocks, block{noun, text + markdownFailure(c.found[0], o)})
		for j, f := range c.found[1:] {
			text := fmt.Sprintf("- likewise %s (%s) %s\n", code(f.what()), clock(f.Seconds.Duration()), code(f.id()))
			if j == 0 {
				text = "\n" + text
			}
			blocks = append(blocks, block{noun, text})
		}
	}
	return blocks
}

func markdownFailure(f finding, o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n**%s %s** %s (%s)\n", prose(f.Verdict.Mark(o.ASCII)), f.Verdict, code(f.what()), clock(f.Seconds.Duration()))
	if len(f.Attempts) > 0 {
		fmt.Fprintf(&b, "\n%s\n", prose(attemptsText(f.Outcome)))
	}
	if lines := excerpt(f.why(), markdownLines, markdownWidth, o.ASCII); len(lines) > 0 {
		text := strings.Join(lines, "\n")
		fence := strings.Repeat("`", max(3, longestTicks(text)+1))
		fmt.Fprintf(&b, "\n%stext\n%s\n%s\n", fence, text, fence)
	}
	if f.Evidence != "" {
		fmt.Fprintf(&b, "\nEvidence: %s\n", codeSpan(evidence(f.Evidence, o)))
	}
	if f.Repro != "" {
		fmt.Fprintf(&b, "\nRepro: %s\n", codeSpan(Command(f.Repro)))
	}
	return b.String()
}

func markdownMeasurements(run *Run) []block {
	var blocks []block
	for i, s := range Statistics(run, Shown) {
		text := ""
		if i == 0 {
			text = "\n#### Measurements\n\n| | unit | cell | median | min | max | n |\n|---|---|---|--:|--:|--:|--:|\n"
		}
		v := Numbers(s.Median, s.Min, s.Max)
		text += fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %d |\n", prose(s.Name), prose(s.Unit), prose(s.Cell.String()),
			v[0], v[1], v[2], s.N)
		blocks = append(blocks, block{"measurement", text})
	}
	return blocks
}

// code is a span of code that holds s on one line.
func code(s string) string { return codeSpan(OneLine(s)) }

// codeSpan is a span of code, whatever backquotes its text has (CommonMark 0.31, section 6.1).
func codeSpan(s string) string {
	if s == "" {
		return ""
	}
	ticks := strings.Repeat("`", longestTicks(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return ticks + s + ticks
}

func longestTicks(s string) int {
	longest, run := 0, 0
	for _, r := range s {
		run++
		if r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// prose escapes every character that Markdown, HTML or GitHub's mentions give a meaning: punctuation by a backslash
// (CommonMark 0.31, section 2.4), "@" and "#" by an entity.
func prose(s string) string {
	var b strings.Builder
	for _, r := range OneLine(s) {
		switch {
		case r == '@' || r == '#':
			fmt.Fprintf(&b, "&#%d;", r)
		case strings.ContainsRune("\\`*_{}[]<>|~&$", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// link is an autolink when s is a plain web address, else code.
func link(s string) string {
	odd := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("<>|", r) }
	if clean := OneLine(s); (strings.HasPrefix(clean, "https://") || strings.HasPrefix(clean, "http://")) && !strings.ContainsFunc(clean, odd) {
		return "<" + clean + ">"
	}
	return code(s)
}
