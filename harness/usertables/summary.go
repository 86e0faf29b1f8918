package usertables

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"text/tabwriter"
)

// Summary is the same change with several tools on several servers.
type Summary struct {
	Reports []*Report `json:"reports"`
	// Missing are the servers and tools that could not be tried, with the reason.
	Missing []Missing `json:"missing,omitempty"`
}

// Missing is a server, or a tool on it, that could not be tried.
type Missing struct {
	Entry string `json:"entry"`
	Tool  string `json:"tool,omitempty"`
	Why   string `json:"why"`
}

// Good says whether every table was migrated everywhere.
func (s *Summary) Good() bool {
	for _, r := range s.Reports {
		if !r.Good() {
			return false
		}
	}
	return len(s.Reports) > 0
}

// WriteJSON writes the summary for programs.
func (s *Summary) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}

// Line is a row of the table of verdicts: a table on a server, changed by a tool or by the server itself.
type Line struct {
	Entry, Tool, Table    string
	Verdict               Verdict
	Seconds, Rate, Lag    string
	LockWaits, Disk, Note string
}

// ServerName stands in the column of tools for the server's own ALTER TABLE.
const ServerName = "the server itself"

// Lines are those of the table of verdicts.
func (s *Summary) Lines() (lines []Line) {
	byServer := map[string]bool{}
	for _, r := range s.Reports {
		for _, o := range r.Tables {
			if key := r.Entry + "\x00" + o.name(); o.Server != nil && !byServer[key] {
				byServer[key] = true
				lines = append(lines, o.Server.line(r.Entry, o.name()))
			}
			l := Line{Entry: r.Entry, Tool: r.Tool + " " + r.Version, Table: o.name(), Verdict: o.Verdict, Seconds: fmt.Sprintf("%.1f", o.Seconds),
				Note: shorten(strings.Join(append([]string{o.Message}, o.Differences...), " "), 200)}
			if o.Rate >= 1 {
				l.Rate = fmt.Sprintf("%.0f", o.Rate)
			}
			if o.Cost != nil {
				l.LockWaits, l.Disk = fmt.Sprint(o.Cost.LockWaits), fmt.Sprintf("%.1f", float64(o.Cost.DiskBytes)/(1<<20))
				if o.Cost.LagKnown {
					l.Lag = fmt.Sprintf("%.1f", o.Cost.LagSeconds)
				}
			}
			lines = append(lines, l)
		}
	}
	return lines
}

// line is the server's own change as one of the contestants.
func (s *ServerChange) line(entry, table string) Line {
	l := Line{Entry: entry, Tool: ServerName, Table: table, Verdict: VerdictMigrated, Seconds: fmt.Sprintf("%.2f", s.Seconds), Note: s.Advice()}
	switch {
	case s.Refusal != "":
		l.Verdict, l.Note = VerdictRefused, s.Refusal
	case s.Algorithm != "INSTANT":
		l.Lag = fmt.Sprintf("%.1f", s.Seconds)
	}
	return l
}

var lineNames = []string{"entry", "tool", "table", "verdict", "seconds", "rows/s", "lag s", "lock waits", "disk MB", ""}

func (l Line) fields() []string {
	return []string{l.Entry, l.Tool, l.Table, string(l.Verdict), l.Seconds, l.Rate, l.Lag, l.LockWaits, l.Disk, l.Note}
}

// WriteText writes the table of verdicts.
func (s *Summary) WriteText(w io.Writer) error {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	rows := [][]string{lineNames}
	for _, l := range s.Lines() {
		rows = append(rows, l.fields())
	}
	for _, row := range rows {
		if _, err := fmt.Fprintln(t, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	for _, m := range s.Missing {
		if _, err := fmt.Fprintf(t, "%s\t%s\tnot tried: %s\n", m.Entry, m.Tool, shorten(m.Why, 300)); err != nil {
			return err
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := io.WriteString(w, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// cell escapes a text for a table in Markdown.
var cell = strings.NewReplacer("|", "\\|", "<", "&lt;", "\n", " ", "`", "\\`", "*", "\\*", "_", "\\_")

// WriteMarkdown writes the table of verdicts for a page of CI or an issue.
func (s *Summary) WriteMarkdown(w io.Writer) error {
	var text strings.Builder
	for i, row := range append([][]string{lineNames}, s.rows()...) {
		for j := range row {
			if i > 0 {
				row[j] = cell.Replace(row[j])
			}
		}
		text.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			text.WriteString(strings.Repeat("| --- ", len(row)) + "|\n")
		}
	}
	for _, m := range s.Missing {
		text.WriteString("\n" + cell.Replace(strings.TrimSpace(m.Entry+" "+m.Tool)+": not tried: "+m.Why) + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (s *Summary) rows() (rows [][]string) {
	for _, l := range s.Lines() {
		rows = append(rows, l.fields())
	}
	return rows
}

// page shows the table of verdicts, and below it all that is known of each table. It loads nothing.
var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Your own tables</title>
<style>
:root { color-scheme: light dark }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 110em; padding: 0 1em }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .25em .7em; border-bottom: 1px solid #8886; vertical-align: top }
td.differs, td.failed { color: #c22; font-weight: 600 } td.refused, td.not { color: #a60 } td.migrated { color: #282 }
pre { white-space: pre-wrap } details { margin: .5em 0 }
</style></head><body><h1>Your own tables</h1>
<table><thead><tr>{{range .Names}}<th>{{.}}</th>{{end}}</tr></thead><tbody>
{{range .Lines}}<tr><td>{{.Entry}}</td><td>{{.Tool}}</td><td>{{.Table}}</td><td class="{{.Verdict}}">{{.Verdict}}</td><td>{{.Seconds}}</td><td>{{.Rate}}</td><td>{{.Lag}}</td><td>{{.LockWaits}}</td><td>{{.Disk}}</td><td>{{.Note}}</td></tr>
{{end}}</tbody></table>
{{range .Missing}}<p>{{.Entry}} {{.Tool}}: not tried: {{.Why}}</p>{{end}}
{{range .Reports}}<h2>{{.Tool}} {{.Version}} on {{.Server}}</h2><p>mode {{.Mode}}, ALTER TABLE … {{.Alter}}, seed {{.Seed}}</p>
{{range .Tables}}<details><summary>{{.Verdict}}: {{.Database}}.{{.Table}}</summary><pre>{{.}}</pre></details>{{end}}
{{if .PassedOver}}<details><summary>{{len .PassedOver}} statements of the dump were passed over</summary><pre>{{range .PassedOver}}{{.}}
{{end}}</pre></details>{{end}}{{end}}</body></html>
`))

// WriteHTML writes the page.
func (s *Summary) WriteHTML(w io.Writer) error {
	return page.Execute(w, struct {
		*Summary
		Names []string
	}{s, lineNames})
}
