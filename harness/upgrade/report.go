package upgrade

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
)

// Status is how a way of upgrading ended.
type Status string

// The statuses.
const (
	Same        Status = "same"        // compared, and nothing that counts differs
	Different   Status = "differs"     // something does
	Refused     Status = "refused"     // the new server does not start on the old data, or a replica stops
	Unsupported Status = "unsupported" // it cannot be done here, or by these versions
)

// Outcome is one way of upgrading, as it went.
type Outcome struct {
	WayPlan
	Status  Status  `json:"status"`
	Seconds float64 `json:"seconds"`
	// Gap is for how many seconds no write was acknowledged; -1 where no writer ran.
	Gap     float64        `json:"seconds_without_writes"`
	Writes  int            `json:"writes,omitempty"`
	WayBack string         `json:"way_back,omitempty"`
	Detail  string         `json:"detail,omitempty"`
	Old     map[string]int `json:"objects_before,omitempty"`
	New     map[string]int `json:"objects_after,omitempty"`
}

// Report is a whole comparison.
type Report struct {
	From     string    `json:"from"`
	To       string    `json:"to"`
	Path     string    `json:"path"`
	Schema   string    `json:"schema"`
	Queries  string    `json:"queries,omitempty"`
	MyCnf    string    `json:"my_cnf,omitempty"`
	Seed     uint64    `json:"seed"`
	Ways     []Outcome `json:"ways"`
	Safe     []string  `json:"safe"` // ways on which nothing that counts was found
	Findings []Finding `json:"findings"`
	Skipped  []Skipped `json:"skipped,omitempty"`
	Defaults []Default `json:"changed_defaults,omitempty"`
	Seconds  float64   `json:"seconds"`
	Complete bool      `json:"complete"`
}

// Skipped is a statement that was not run.
type Skipped struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
	Why  string `json:"why"`
}

// Default is a variable that the two servers set otherwise when nobody does.
type Default struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Good says whether all that was asked for was compared, and nothing differs.
func (r *Report) Good() bool {
	compared := false
	for _, w := range r.Ways {
		compared = compared || w.Status != Unsupported
	}
	return r.Complete && compared && !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Grade.counts() })
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// WriteText writes the report for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s → %s: %s\n", r.From, r.To, r.verdict())
	for _, o := range r.Ways {
		fmt.Fprintf(&b, "  %-9s %s\n", o.Way, o.line())
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n%s: %s: %s (%s)\n", f.Grade, f.Object, f.What, strings.Join(f.Ways, ", "))
		for _, line := range f.lines() {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	if len(r.Skipped) > 0 {
		fmt.Fprintf(&b, "\nnot run, since it would leave the sandbox or change it:\n")
		for _, s := range r.Skipped {
			fmt.Fprintf(&b, "  %s:%d: %s: %s\n", s.File, s.Line, s.Text, s.Why)
		}
	}
	if len(r.Defaults) > 0 {
		fmt.Fprintf(&b, "\nother defaults:\n")
		for _, d := range r.Defaults {
			fmt.Fprintf(&b, "  %s: %s → %s\n", d.Name, d.Old, d.New)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) verdict() string {
	n := 0
	for _, f := range r.Findings {
		if f.Grade.counts() {
			n++
		}
	}
	switch {
	case !r.Complete:
		return "not complete"
	case n > 0:
		safe := "no way is safe"
		if len(r.Safe) > 0 {
			safe = "safe: " + strings.Join(r.Safe, ", ")
		}
		return countText(n, "finding") + "; " + safe
	case !r.Good():
		return "nothing was compared"
	}
	return "nothing differs"
}

func (o Outcome) line() string {
	text := fmt.Sprintf("%-11s %5.1f s", o.Status, o.Seconds)
	if o.Gap >= 0 {
		text += fmt.Sprintf(", %.1f s without writes (%d writes)", o.Gap, o.Writes)
	}
	for _, more := range []string{countsText(o.Old, o.New), o.Detail, o.Why} {
		if more != "" {
			text += "; " + more
		}
	}
	if o.WayBack != "" {
		text += "; way back: " + o.WayBack
	}
	return text
}

func countsText(old, new map[string]int) string {
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(old)) {
		if old[kind] == new[kind] {
			list = append(list, countText(old[kind], kind))
			continue
		}
		list = append(list, fmt.Sprintf("%d of %s", new[kind], countText(old[kind], kind)))
	}
	return strings.Join(list, ", ")
}

func (f Finding) lines() []string {
	var list []string
	for _, l := range []struct{ name, text string }{{"at", f.place()}, {"statement", f.Text}, {"old", f.Old}, {"new", f.New}, {"cause", f.Cause}, {"to do", f.Todo}} {
		if l.text != "" {
			list = append(list, fmt.Sprintf("%-9s %s", l.name+":", l.text))
		}
	}
	return list
}

// WriteMarkdown writes the report for an issue or a merge request.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s → %s: %s\n\n| way | status | seconds | without writes | way back |\n| --- | --- | --- | --- | --- |\n", r.From, r.To, r.verdict())
	for _, o := range r.Ways {
		gap := ""
		if o.Gap >= 0 {
			gap = fmt.Sprintf("%.1f s", o.Gap)
		}
		fmt.Fprintf(&b, "| %s | %s %s | %.1f | %s | %s |\n", o.Way, o.Status, tableCell(o.Detail+" "+o.Why), o.Seconds, gap, tableCell(o.WayBack))
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n## %s: %s: %s\n\nways: %s\n\n", f.Grade, f.Object, f.What, strings.Join(f.Ways, ", "))
		for _, line := range f.lines() {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func tableCell(s string) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`))
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"join": strings.Join, "lines": Finding.lines, "line": Outcome.line,
}).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.R.From}} → {{.R.To}}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}pre{white-space:pre-wrap;background:#8881;padding:.6rem}
h2{font-size:1rem;margin-bottom:.2rem}.breaks{color:#b00}.differs,.order{color:#a60}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}.breaks{color:#f77}.differs,.order{color:#fb5}}</style>
<h1>{{.R.From}} → {{.R.To}}</h1><p>{{.Verdict}}</p><ul>{{range .R.Ways}}<li>{{.Way}}: {{line .}}</li>{{end}}</ul>
{{range .R.Findings}}<h2 class="{{.Grade}}">{{.Grade}}: {{.Object}}: {{.What}} ({{join .Ways ", "}})</h2><pre>{{range lines .}}{{.}}
{{end}}</pre>{{end}}</html>
`))

// WriteHTML writes the report as a page.
func (r *Report) WriteHTML(w io.Writer) error {
	return page.Execute(w, struct {
		R       *Report
		Verdict string
	}{r, r.verdict()})
}
