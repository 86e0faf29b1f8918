package usertables

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"mysqlmatrix/harness/workload"
)

// Verdict is what became of a table.
type Verdict string

// The verdicts.
const (
	VerdictMigrated    Verdict = "migrated"     // rows and structure are those that the server's own ALTER TABLE leaves
	VerdictDiffers     Verdict = "differs"      // the tool says it is done, and they are not
	VerdictRefused     Verdict = "refused"      // the tool does not take the table or the change, and has begun nothing
	VerdictFailed      Verdict = "failed"       // the tool ended otherwise, or the table could not be compared
	VerdictNotCompared Verdict = "not compared" // the structure is the same, and there was no row to compare
)

// verdicts are all of them, the best first.
var verdicts = []Verdict{VerdictMigrated, VerdictNotCompared, VerdictRefused, VerdictDiffers, VerdictFailed}

var marks = map[Verdict]string{VerdictMigrated: "✓", VerdictDiffers: "✗", VerdictRefused: "–", VerdictFailed: "✗", VerdictNotCompared: "∅"}

// Outcome is one table's result.
type Outcome struct {
	Database    string        `json:"database"`
	Table       string        `json:"table"`
	Verdict     Verdict       `json:"verdict"`
	Message     string        `json:"message,omitempty"`      // of the tool or the server
	Differences []string      `json:"differences,omitempty"`  // the first ones
	NotCompared []string      `json:"not_compared,omitempty"` // columns that nobody can compare, with the reason
	Rows        int64         `json:"rows"`
	Seconds     float64       `json:"seconds"` // of the tool
	Rate        float64       `json:"rows_per_second,omitempty"`
	Writes      *Writes       `json:"writes,omitempty"` // while the tool worked
	Server      *ServerChange `json:"server,omitempty"` // the server's own ALTER TABLE
	Cost        *Cost         `json:"cost,omitempty"`
	Log         string        `json:"log,omitempty"` // what the tool printed
	number      int
}

// writes counts what the server acknowledged while the tool worked.
func (o Outcome) writes() int64 {
	if o.Writes == nil {
		return 0
	}
	return o.Writes.Acknowledged()
}

// String is one line, and below it what there is to say.
func (o Outcome) String() string {
	text := fmt.Sprintf("%s %-8s  %s  %s  %.1fs", marks[o.Verdict], o.Verdict, o.name(), count(o.Rows, "row"), o.Seconds)
	if o.Rate >= 1 {
		text += fmt.Sprintf("  %.0f rows/s", o.Rate)
	}
	if o.Writes != nil {
		text += "  " + o.Writes.String()
	}
	if o.Message != "" {
		text += "\n    " + shorten(o.Message, 600)
	}
	for _, difference := range o.Differences {
		text += "\n    " + shorten(difference, 400)
	}
	for _, column := range o.NotCompared {
		text += "\n    not compared: " + shorten(column, 200)
	}
	if o.Server != nil {
		if advice := o.Server.Advice(); advice != "" {
			text += "\n    " + advice
		}
	}
	return text
}

func (o Outcome) name() string { return Display(workload.Table{Database: o.Database, Name: o.Table}) }

// Report is a whole run.
type Report struct {
	Schema      string    `json:"schema"`
	Entry       string    `json:"entry"`
	Server      string    `json:"server"`
	Tool        string    `json:"tool"`
	Version     string    `json:"tool_version"`
	Mode        string    `json:"mode"`
	Alter       string    `json:"alter"`
	LoadSeconds float64   `json:"load_seconds"`
	Seconds     float64   `json:"seconds"`
	Chosen      int       `json:"chosen"`   // tables to change
	Complete    bool      `json:"complete"` // each of them was tried
	Tables      []Outcome `json:"tables"`
	// PassedOver are the dump's statements that were not run, Unread the files of its folder that hold no SQL.
	PassedOver []PassedOver `json:"passed_over,omitempty"`
	Unread     []string     `json:"unread,omitempty"`
	Filled     []Filled     `json:"filled,omitempty"` // tables that were given rows
	Seed       int64        `json:"seed"`
}

// Count counts the tables of a verdict.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, o := range r.Tables {
		if o.Verdict == v {
			n++
		}
	}
	return n
}

// Good says whether every table was migrated and is the same.
func (r *Report) Good() bool { return r.Complete && r.Count(VerdictMigrated) == len(r.Tables) }

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteText writes the report for people: first what was migrated, last what was not.
func (r *Report) WriteText(w io.Writer) error {
	var text strings.Builder
	var rows int64
	for _, good := range []bool{true, false} {
		for _, o := range r.Tables {
			if (o.Verdict == VerdictMigrated) == good {
				text.WriteString(o.String() + "\n")
			}
		}
	}
	for _, o := range r.Tables {
		rows += o.Rows
	}
	r.writePassedOver(&text)
	fmt.Fprintf(&text, "\n%s %s, mode %s, on %s: ALTER TABLE … %s\n", r.Tool, r.Version, r.Mode, printable(r.Server), printable(r.Alter))
	var counts []string
	for _, v := range verdicts {
		if n := r.Count(v); n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, v))
		}
	}
	fmt.Fprintf(&text, "%s: %s · %s · %.1fs, of which the load took %.1fs\n", count(int64(len(r.Tables)), "table"), strings.Join(counts, ", "),
		count(rows, "row"), r.Seconds, r.LoadSeconds)
	if !r.Complete {
		fmt.Fprintf(&text, "the run ended before every table was tried: %d of %d\n", len(r.Tables), r.Chosen)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// shownPassed is how many statements that were passed over are shown.
const shownPassed = 12

func (r *Report) writePassedOver(text *strings.Builder) {
	for i, one := range r.PassedOver {
		if i == shownPassed {
			fmt.Fprintf(text, "  … %d more, see migrate.json\n", len(r.PassedOver)-i)
			break
		}
		if i == 0 {
			text.WriteString("\npassed over in the dump:\n")
		}
		text.WriteString("  " + one.String() + "\n")
	}
	for i, one := range r.Filled {
		if i == 0 {
			text.WriteString("\nrows that were made for tables without any:\n")
		}
		text.WriteString("  " + one.String() + "\n")
	}
	if len(r.Unread) > 0 {
		text.WriteString("not read: " + printable(strings.Join(r.Unread, ", ")) + "\n")
	}
}

// count is a number with its noun.
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printable is a text in one line without what a terminal would obey.
func printable(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)), " ")
}

// shorten is a printable text of at most n characters.
func shorten(s string, n int) string {
	runes := []rune(printable(s))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n-1]) + "…"
}
