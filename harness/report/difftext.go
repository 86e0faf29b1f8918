package report

import (
	"fmt"
	"io"
	"strings"
)

// WriteDiff writes what changed from one run to another, as text.
func WriteDiff(w io.Writer, d Diff, o Options) error {
	var lines []line
	for _, t := range d.Tools {
		lines = append(lines, plainLine(OneLine(t.Old)+" → "+OneLine(t.New)))
	}
	for _, section := range d.sections() {
		if len(section.Changes) == 0 {
			continue
		}
		lines = append(lines, nil, head(fmt.Sprintf("%s (%d)", section.Title, len(section.Changes))))
		for _, c := range section.Changes {
			lines = append(lines, changeLines(c, o)...)
		}
	}
	if len(d.Slower) > 0 {
		lines = append(lines, nil, head(fmt.Sprintf("Slower beyond noise (%d)", len(d.Slower))))
		for _, s := range d.Slower {
			v := Numbers(s.Old, s.New)
			lines = append(lines, plainLine(strings.TrimRight(fmt.Sprintf("  %s  %s: %s → %s %s (×%.1f)  %s", OneLine(s.Cell.String()), OneLine(s.Name), v[0], v[1],
				OneLine(s.Unit), s.New/s.Old, OneLine(s.Spec)), " ")))
		}
	}
	lines = append(lines, goneLines(d.GoneSpecs, o)...)
	for _, part := range []struct {
		title string
		cells []CellID
	}{{"New cells", d.New}, {"Gone cells", d.Gone}} {
		if len(part.cells) == 0 {
			continue
		}
		lines = append(lines, nil, head(fmt.Sprintf("%s (%d)", part.title, len(part.cells))))
		for _, id := range part.cells {
			lines = append(lines, plainLine("  "+OneLine(id.String())))
		}
	}
	if len(lines) == 0 {
		lines = []line{plainLine("nothing changed")}
	}
	if _, err := io.WriteString(w, strings.TrimLeft(text(lines, o), "\n")); err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	return nil
}

// goneLines names the specs that are gone, under their cells.
func goneLines(gone []GoneSpec, o Options) []line {
	var lines []line
	for i, g := range gone {
		if i == 0 {
			lines = append(lines, nil, head(fmt.Sprintf("Gone specs (%d)", len(gone))))
		}
		if i == 0 || gone[i-1].Cell != g.Cell {
			lines = append(lines, plainLine("  "+g.Whose()))
		}
		lines = append(lines, plainLine("    "+g.Old.Mark(o.ASCII)+" "+g.Old.String()+"  "+OneLine(g.Spec)))
	}
	return lines
}

// Whose is the cell of the spec, and that it was cut off, if it was.
func (g GoneSpec) Whose() string {
	if g.State == StateFinished {
		return OneLine(g.Cell.String())
	}
	return OneLine(g.Cell.String()) + ", which is " + g.State.String()
}

func changeLines(c Change, o Options) []line {
	was, is := c.Old.String(), c.New.String()
	if c.Old == VerdictUnknown {
		was = "not there"
	}
	spec := OneLine(c.Spec)
	if spec == "" {
		spec = "(the cell as a whole)"
	}
	lines := []line{{{verdicts[c.New].style, "  " + c.New.Mark(o.ASCII) + " " + was + " → " + is}, {stylePlain, "  " + OneLine(c.Cell.String()) + "  " + spec}}}
	if c.New.Broken() {
		lines[0] = append(lines[0], span{styleDim, "  [" + c.ID + "]"})
		if g := ErrorLine(c.Error); g != "" {
			lines = append(lines, plainLine("    | "+g))
		}
	}
	return lines
}
