package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Declaration is a known failure that a run's cells could show.
type Declaration struct {
	Where   string   `json:"where"` // file and line
	Servers []string `json:"servers"`
	Build   string   `json:"build,omitempty"`
	Suite   string   `json:"suite"`
	Tool    string   `json:"tool"` // name and range of versions
	Error   string   `json:"error"`
	Cells   int      `json:"cells"` // whose server it speaks of; 0 is unproven: the run had none of its servers
}

// Unproven are the declarations none of whose servers could be obtained.
func (r *Run) Unproven() []Declaration {
	return slices.DeleteFunc(slices.Clone(r.Declarations), func(d Declaration) bool { return d.Cells > 0 })
}

func (d Declaration) String() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s: %s on %s %s", d.Where, d.Tool, strings.Join(d.Servers, ", "), d.Build)), " ")
}

// addDeclarations joins those of the parts of a run: the cells of each are added up.
func addDeclarations(all, more []Declaration) []Declaration {
	for _, d := range more {
		i := slices.IndexFunc(all, func(o Declaration) bool { return o.Where == d.Where })
		if i < 0 {
			all = append(all, d)
			continue
		}
		all[i].Cells += d.Cells
	}
	slices.SortStableFunc(all, func(a, b Declaration) int { return cmp.Compare(a.Where, b.Where) })
	return all
}

// unprovenLines names the declarations that this run could not prove.
func unprovenLines(run *Run) []line {
	unproven := run.Unproven()
	if len(unproven) == 0 {
		return nil
	}
	lines := []line{head(fmt.Sprintf("Unproven declarations (%d): this run had none of their servers", len(unproven)))}
	for _, d := range unproven {
		lines = append(lines, plainLine("  "+OneLine(d.String())))
	}
	return lines
}
