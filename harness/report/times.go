package report

import (
	"cmp"
	"errors"
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
	least := map[string]float64{} // by what: columns stand in the order of what comes first
	var hows, whats []string
	for i := range run.Cells {
		for _, s := range run.Cells[i].Specs {
			for _, m := range s.Measurements {
				at := slices.IndexFunc(spreadOf[:], func(suffix string) bool { return strings.HasSuffix(m.Name, suffix) })
				if at < 0 {
					continue
				}
				what, how, _ := strings.Cut(strings.TrimSuffix(m.Name, spreadOf[at]), ", ")
				key := timed{run.Cells[i].ID, what, how}
				spread := values[key]
				spread[at] = m
				values[key] = spread
				if first, ok := least[what]; !ok || m.Value < first {
					least[what] = m.Value
				}
				hows, whats = append(hows, how), append(whats, what)
			}
		}
	}
	if len(values) == 0 {
		return errors.New("write the times: no spec of the run has timed anything many times: run the specs of the failover suite that match 'repeated failovers'")
	}
	slices.Sort(hows)
	slices.Sort(whats)
	whats = slices.SortedStableFunc(slices.Values(slices.Compact(whats)), func(a, b string) int { return cmp.Compare(least[a], least[b]) })
	var b strings.Builder
	fmt.Fprintf(&b, "# Failover times\n\nFrom a run on %s, from the moment of the fault on. Each field has the median, the 95th percentile and the greatest, or the one time\n"+
		"that was measured.\n", run.Started.UTC().Format(time.DateOnly))
	entries, columns := axes(run)
	servers := serverNames(run)
	for _, how := range slices.Compact(hows) {
		title := "Usual"
		if how != "" {
			title = strings.ToUpper(how[:1]) + how[1:]
		}
		b.WriteString("\n## " + prose(title) + "\n\n| server | tool |")
		for _, what := range whats {
			b.WriteString(" " + prose(what) + " |")
		}
		b.WriteString("\n|" + strings.Repeat(" --- |", 2+len(whats)) + "\n")
		for _, entry := range entries {
			for _, c := range columns {
				fields := make([]string, len(whats))
				for i, what := range whats {
					if spread, ok := values[timed{c.on(entry), what, how}]; ok {
						fields[i] = spreadText(spread)
					}
				}
				if strings.Join(fields, "") != "" {
					fmt.Fprintf(&b, "| %s | %s | %s |\n", prose(entry+": "+servers[entry]), prose(CellID(c).ToolID()), strings.Join(fields, " | "))
				}
			}
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the times: %w", err)
	}
	return nil
}

// spreadText is "61 / 80 / 95 ms", or "61 ms" for one time.
func spreadText(spread [len(spreadOf)]Measurement) string {
	var texts []string
	for _, m := range spread {
		texts = append(texts, fmt.Sprintf("%.0f", m.Value))
	}
	return strings.Join(slices.Compact(texts), " / ") + " " + spread[0].Unit
}
