package report

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Neutral makes text that came from a server or a tool harmless on a terminal and in a file: escape sequences
// (ECMA-48) are dropped, and every other control, invisible or direction-changing character becomes U+FFFD. Line
// feeds stay, other line ends become line feeds, tabs become blanks.
func Neutral(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		if n := escapeLength(s); n > 0 {
			s = s[n:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case strings.HasPrefix(s, "\r\n"):
			n = 2
			b.WriteByte('\n')
		case r == '\n', r == '\r', r == '\u2028', r == '\u2029', r == '\u0085':
			b.WriteByte('\n')
		case r == '\t':
			b.WriteString("    ")
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r&0xfffe == 0xfffe:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
		s = s[n:]
	}
	return b.String()
}

// escapeLength is the length in bytes of the whole escape sequence that s begins with, or 0. A control string without
// its end counts as the two characters that open it, so that nothing after it is lost.
func escapeLength(s string) int {
	var intro byte
	n := 0
	switch {
	case strings.HasPrefix(s, "\x1b") && len(s) > 1:
		intro, n = s[1], 2
	case len(s) > 1 && s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f: // the one-character forms, U+0080 to U+009F
		intro, n = s[1]-0x40, 2
	default:
		return 0
	}
	switch intro {
	case '[': // control sequence: parameters and intermediates, then one final character
		for n < len(s) && s[n] >= 0x20 && s[n] <= 0x3f {
			n++
		}
		if n < len(s) && s[n] >= 0x40 && s[n] <= 0x7e {
			n++
		}
		return n
	case ']', 'P', 'X', '^', '_': // control strings, up to BEL or ST
		return n + controlString(s[n:])
	}
	if s[0] != 0x1b {
		return 0 // another C1 character: Neutral shows it as U+FFFD, or as a line end
	}
	i := 1
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x2f {
		i++
	}
	if i < len(s) && s[i] >= 0x30 && s[i] <= 0x7e {
		return i + 1
	}
	return 0
}

// controlString is the length of a control string with its end, or 0 when another sequence begins before that: so no
// text is searched twice, however many beginnings it has.
func controlString(s string) int {
	for i := range len(s) {
		switch {
		case s[i] == '\a':
			return i + 1
		case strings.HasPrefix(s[i:], "\x1b\\"), strings.HasPrefix(s[i:], "\u009c"):
			return i + 2
		case s[i] == 0x1b, s[i] == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0:
			return 0
		}
	}
	return 0
}

// OneLine is Neutral, on one line.
func OneLine(s string) string { return strings.Join(strings.Fields(Neutral(s)), " ") }

// Gist is the beginning of a text on one line. Not its first line: an assertion's says no more than "Expected".
func Gist(s string) string {
	const bytes, columns = 4096, 200
	if len(s) > bytes {
		s = strings.ToValidUTF8(s[:bytes], "") + " ..."
	}
	return truncate(OneLine(s), columns, true)
}

// complaint finds the words of programs on what went wrong.
var complaint = regexp.MustCompile(`(?i)\b(fatal|error|panic)\b`)

// assertion is how an assertion on an error begins: it complains, and says nothing of what went wrong.
var assertion = regexp.MustCompile(`^\s*(Unexpected error|Expected success, but got an error):\s*$`)

// complains says whether a line tells what went wrong.
func complains(line string) bool { return complaint.MatchString(line) && !assertion.MatchString(line) }

// ErrorLine is the line of an error that says most: the last in which a program complains, else its beginning, which is
// often the command that failed.
func ErrorLine(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		if complains(line) {
			last = line
		}
	}
	if last == "" {
		last = text
	}
	return Gist(last)
}

// Command is Neutral, on one line, with the blanks that a shell may need.
func Command(s string) string {
	return strings.TrimSpace(strings.ReplaceAll(Neutral(s), "\n", " "))
}

// excerpt is the first lines of a neutralised text, without blank ones, each at most width columns wide, and a last
// line that says how many are left out.
func excerpt(s string, lines, width int, ascii bool) []string {
	var all []string
	for text := range strings.Lines(Neutral(s)) {
		if text = strings.TrimRight(text, " \n"); text != "" {
			all = append(all, text)
		}
	}
	left := 0
	if len(all) > lines {
		left = len(all) - lines
		all = all[:lines]
	}
	for i := range all {
		all[i] = truncate(all[i], width, ascii)
	}
	if left > 0 {
		all = append(all, fmt.Sprintf("%s %s more", ellipsis(ascii), plural(left, "line")))
	}
	return all
}

func ellipsis(ascii bool) string {
	if ascii {
		return "..."
	}
	return "…"
}

// truncate cuts s to at most width columns, the ellipsis included.
func truncate(s string, width int, ascii bool) string {
	if width <= 0 || textWidth(s) <= width {
		return s
	}
	dots := ellipsis(ascii)
	if textWidth(dots) > width {
		dots = ""
	}
	room := width - textWidth(dots)
	for i, r := range s {
		if room -= runeWidth(r); room < 0 {
			return s[:i] + dots
		}
	}
	return s
}

// shorten cuts s to at most width columns out of its middle, since a cell's name ends in what tells it apart.
func shorten(s string, width int, ascii bool) string {
	dots := ellipsis(ascii)
	room := width - textWidth(dots)
	if textWidth(s) <= width || room < 2 {
		return truncate(s, width, ascii)
	}
	head := truncate(s, room/2+textWidth(dots), ascii)
	runes := []rune(s)
	from := len(runes)
	for left := width - textWidth(head); from > 0; from-- {
		if left -= runeWidth(runes[from-1]); left < 0 {
			break
		}
	}
	return head + string(runes[from:])
}

// pad fills s with blanks up to width columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-textWidth(s)))
}

// padLeft is pad for numbers.
func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-textWidth(s))) + s
}

func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// wide are the blocks whose characters take two columns (Unicode Standard Annex 11, classes W and F, by blocks).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff01, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, {Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1}, {Lo: 0x1f900, Hi: 0x1faff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// plural is "1 spec", "2 specs".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "y") {
		return strconv.Itoa(n) + " " + strings.TrimSuffix(noun, "y") + "ies"
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// clock is a duration for people: 3.4s, 41s, 2m05s, 1h02m.
func clock(d time.Duration) string {
	switch {
	case d < 0:
		return "0.0s"
	case d < 9950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d.Round(time.Second) < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d.Round(time.Second) < time.Hour:
		s := int(d.Round(time.Second).Seconds())
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	m := int(d.Round(time.Minute).Minutes())
	return fmt.Sprintf("%dh%02dm", m/60, m%60)
}

// Numbers prints measured values alike: whole ones as they are, others so that the largest has three digits that mean
// something.
func Numbers(values ...float64) []string {
	digits, largest := 0, 0.0
	for _, v := range values {
		largest = max(largest, math.Abs(v))
		if v != math.Trunc(v) {
			digits = 2
		}
	}
	switch {
	case digits == 0 || largest >= 100:
		digits = 0
	case largest >= 10:
		digits = 1
	case largest < 0.1:
		digits = 4
	}
	var texts []string
	for _, v := range values {
		texts = append(texts, strconv.FormatFloat(v, 'f', digits, 64))
	}
	return texts
}

// Exact is a measured value as it was recorded: to a thousandth, and a smaller one to three digits that mean something.
func Exact(v float64) string {
	const thousandth = 3
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return "0"
	}
	digits := max(thousandth, thousandth-1-int(math.Floor(math.Log10(math.Abs(v)))))
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', digits, 64), "0"), ".")
}
