package report

import (
	"fmt"
	"io"
	"strings"
)

// Screen is the part of a terminal below the cursor, on which frames are drawn one over the other. It is not safe for
// concurrent use.
type Screen struct {
	w    io.Writer
	size func() (width, height int)
	rows int // lines of the frame that is on the screen
}

// NewScreen returns a Screen on the terminal w. size is asked before every frame, so that a resized window is drawn right;
// where it answers 0, 80 columns and 24 lines are taken.
func NewScreen(w io.Writer, size func() (width, height int)) *Screen {
	return &Screen{w: w, size: size}
}

// Size is how many columns and lines a frame may have.
func (s *Screen) Size() (width, height int) {
	width, height = s.size()
	if width <= 0 {
		width = 80
	}
	if height <= 0 {
		height = 24
	}
	return max(1, width-1), max(1, height-1) // many terminals wrap when the last column is written
}

// Draw draws lines of text over the frame before, in one Write. Lines that are too long are cut, and so are frames.
func (s *Screen) Draw(text []string, o Options) error {
	var lines []line
	width, height := s.Size()
	for _, one := range text[:min(len(text), height)] {
		lines = append(lines, plainLine(strings.ReplaceAll(Neutral(one), "\n", " ")))
	}
	o.Width = width
	return s.draw(lines, o)
}

// draw is Draw for lines that fit.
func (s *Screen) draw(lines []line, o Options) error {
	var b strings.Builder
	s.rewind(&b)
	for _, l := range lines {
		l.trimmed().render(&b, o)
		b.WriteString("\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	s.rows = len(lines)
	return s.write(b.String())
}

// Clear takes the frame off the screen.
func (s *Screen) Clear() error {
	var b strings.Builder
	s.rewind(&b)
	b.WriteString("\x1b[J")
	s.rows = 0
	return s.write(b.String())
}

// rewind puts the cursor on the first line of the frame on the screen.
func (s *Screen) rewind(b *strings.Builder) {
	b.WriteByte('\r')
	if s.rows > 0 {
		fmt.Fprintf(b, "\x1b[%dA", s.rows)
	}
}

func (s *Screen) write(text string) error {
	if _, err := io.WriteString(s.w, text); err != nil {
		return fmt.Errorf("draw on the terminal: %w", err)
	}
	return nil
}
