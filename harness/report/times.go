package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// The suffixes of measurements that speak of many times of the same: their median, their 95th percentile and the greatest.
var spreadOf = [...]string{", median", ", p95", ", worst"}

// timed is what measurements of three such names say: of what (detected), under which circumstances (hung), in which cell.
type timed struct {
	cell      CellID
	what, how string
}

// WriteTimes writes tables in Markdown of what specs have measured many times: a table for each circumstance, a line for each server
// and tool, and in each field the median, the 95th percentile and the greatest.
func WriteTimes(w io.Writer, run *Run) error {
	values := map[timed][len(spreadOf)]Measurement{}
	var hows, whats []string
	var cells []CellID
	servers := map[string]string{}
	for i := range run.Cells {
		c := &run.Cells[i]
		servers[c.ID.Entry], _, _ = strings.Cut(c.Server.String(), " -- ")
		for _, s := range c.Specs {
			for _, m := range s.Measurements {
				at := slices.IndexFunc(spreadOf[:], func(suffix string) bool { return strings.HasSuffix(m.Name, suffix) })
				if at < 0 {
					continue
				}
				what, how, _ := strings.Cut(strings.TrimSuffix(m.Name, spreadOf[at]), ", ")
				key := timed{c.ID, what, how}
				spread := values[key]
				spread[at] = m
				values[key] = spread
				hows, whats, cells = added(hows, how), added(whats, what), added(cells, c.ID)
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Failover times\n\nFrom a run on %s, from the moment of the fault on. Each field has the median, the 95th percentile and the greatest.\n", run.Started.UTC().Format(time.DateOnly))
	slices.SortFunc(cells, func(a, b CellID) int {
		return cmp.Or(entryOrder(run, a.Entry)-entryOrder(run, b.Entry), cmp.Compare(a.ToolID(), b.ToolID()))
	})
	slices.Sort(hows)
	for _, how := range hows {
		title := "Usual"
		if how != "" {
			title = strings.ToUpper(how[:1]) + how[1:]
		}
		fmt.Fprintf(&b, "\n## %s\n\n| server | tool |", prose(title))
		line := "| --- | --- |"
		for _, what := range whats {
			b.WriteString(" " + prose(what) + " |")
			line += " --- |"
		}
		b.WriteString("\n" + line + "\n")
		for _, id := range cells {
			fields, any := "", false
			for _, what := range whats {
				spread, ok := values[timed{id, what, how}]
				any = any || ok
				fields += " " + spreadText(spread, ok) + " |"
			}
			if any {
				fmt.Fprintf(&b, "| %s | %s |%s\n", prose(id.Entry+": "+servers[id.Entry]), prose(id.ToolID()), fields)
			}
		}
	}
	if len(values) == 0 {
		return fmt.Errorf("write the times: no spec of the run has measured one many times: run the specs of the failover suite that match 'repeated failovers'")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the times: %w", err)
	}
	return nil
}

func added[T comparable](list []T, one T) []T {
	if slices.Contains(list, one) {
		return list
	}
	return append(list, one)
}

// entryOrder is an entry's place among the run's cells.
func entryOrder(run *Run, entry string) int {
	return slices.IndexFunc(run.Cells, func(c Cell) bool { return c.ID.Entry == entry })
}

// spreadText is "61 / 80 / 95 ms"; "" where nothing was measured.
func spreadText(spread [len(spreadOf)]Measurement, ok bool) string {
	if !ok {
		return ""
	}
	texts := make([]string, len(spread))
	for i, m := range spread {
		texts[i] = fmt.Sprintf("%.0f", m.Value)
	}
	return strings.Join(texts, " / ") + " " + spread[0].Unit
}
