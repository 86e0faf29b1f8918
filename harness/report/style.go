package report

import "strings"

// Options say how a view may look. The zero Options suit a file: no limit of width, no colours, Unicode marks.
type Options struct {
	Width int    // columns; 0 for no limit
	Color bool   // ANSI colours; they never carry meaning alone
	ASCII bool   // marks and rules from ASCII, for terminals and locales without UTF-8
	Out   string // the run's output folder, put before evidence folders; may be empty
}

// style is how a piece of text looks on a terminal that has colours.
type style uint8

const (
	stylePlain style = iota
	styleBold
	styleDim
	styleRed
	styleGreen
	styleYellow
)

// sgr holds the ANSI "select graphic rendition" parameter of each style (ECMA-48, section 8.3.117).
var sgr = [...]string{stylePlain: "", styleBold: "1", styleDim: "2", styleRed: "31", styleGreen: "32", styleYellow: "33"}

// span is a piece of a line in one style.
type span struct {
	style style
	text  string
}

// line is one line of a view, already neutralised.
type line []span

func plainLine(text string) line { return line{{stylePlain, text}} }

// width is the line's width in columns.
func (l line) width() int {
	n := 0
	for _, s := range l {
		n += textWidth(s.text)
	}
	return n
}

// render writes the line, cut to the options' width with an ellipsis at its end, without its line feed.
func (l line) render(b *strings.Builder, o Options) {
	if o.Width > 0 && l.width() > o.Width {
		l = l.cut(o.Width, o.ASCII)
	}
	for _, s := range l {
		if !o.Color || s.style == stylePlain || s.text == "" {
			b.WriteString(s.text)
			continue
		}
		b.WriteString("\x1b[" + sgr[s.style] + "m" + s.text + "\x1b[0m")
	}
}

// cut is the beginning of a line that is wider than width, with an ellipsis.
func (l line) cut(width int, ascii bool) line {
	var short line
	for i, s := range l {
		if used := textWidth(s.text); used+textWidth(ellipsis(ascii)) <= width || i == len(l)-1 && used <= width {
			short, width = append(short, s), width-used
			continue
		}
		// A marker that is cut off on purpose makes truncate put its ellipsis even where s alone would fit.
		return append(short, span{s.style, truncate(s.text+strings.Repeat(" ", width+1), width, ascii)})
	}
	return short
}

// trimmed drops the blanks at the end of the line, which tables pad with.
func (l line) trimmed() line {
	for len(l) > 0 {
		last := &l[len(l)-1]
		last.text = strings.TrimRight(last.text, " ")
		if last.text != "" {
			break
		}
		l = l[:len(l)-1]
	}
	return l
}

// text renders lines as one text.
func text(lines []line, o Options) string {
	var b strings.Builder
	for _, l := range lines {
		l.trimmed().render(&b, o)
		b.WriteByte('\n')
	}
	return b.String()
}

// dot separates parts of a line.
func (o Options) dot() string {
	if o.ASCII {
		return " | "
	}
	return " · "
}
