package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/report"
)

// head is what a page says of the run as a whole.
type head struct {
	Status, Started, Took, Hosts, Matrix string
	Seed                                 int64
	Cells                                []count
	Specs, Entries                       int
	Vendors, Suites                      []string
	Builds                               []string // builds of the user's own, against their baseline
	Unproven                             int      // declarations
	NotRun                               int      // specs that are known without having run
}

// unended are the states of cells that have no verdict.
var unended = []report.State{report.StateInterrupted, report.StateRunning, report.StatePending}

// count is of the cells with a verdict, or in a state without one.
type count struct {
	Verdict, Mark string
	N             int
}

func newHead(run *report.Run) head {
	h := head{Status: run.Status.String(), Took: run.Seconds.Duration().Round(time.Second).String(), Matrix: run.MatrixDigest, Seed: run.Seed}
	h.Matrix = h.Matrix[:min(len(h.Matrix), 12)]
	if !run.Started.IsZero() {
		h.Started = run.Started.UTC().Format("2006-01-02 15:04 UTC")
	}
	var hosts []string
	for _, host := range run.Hosts {
		hosts = append(hosts, fmt.Sprintf("%s, %s, %d processors", report.OneLine(host.OS), report.OneLine(host.GoVersion), host.CPUs))
	}
	h.Hosts = strings.Join(hosts, "; ")
	totals := run.CellTotals()
	for _, v := range report.Verdicts() {
		if totals[v] > 0 {
			h.Cells = append(h.Cells, count{v.String(), v.Mark(false), totals[v]})
		}
	}
	for _, state := range unended {
		n := 0
		for i := range run.Cells {
			if run.Cells[i].State == state {
				n++
			}
		}
		if n > 0 {
			h.Cells = append(h.Cells, count{state.String(), state.Mark(false), n})
		}
	}
	for _, b := range run.Builds() {
		h.Builds = append(h.Builds, b.String())
	}
	h.Unproven, h.NotRun = len(run.Unproven()), run.NotRun()
	seen := map[string]bool{}
	for i := range run.Cells {
		c := &run.Cells[i]
		h.Specs += cmp.Or(c.Total, len(c.Specs))
		if !seen[c.ID.Entry] {
			seen[c.ID.Entry] = true
			h.Entries++
		}
		if v := vendor(c.ID.Entry); !slices.Contains(h.Vendors, v) {
			h.Vendors = append(h.Vendors, v)
		}
		if s := report.OneLine(c.ID.Suite); !slices.Contains(h.Suites, s) {
			h.Suites = append(h.Suites, s)
		}
	}
	return h
}

// vendor is the part of an entry's name that says whose server it is: mysql-8.4, percona@8.0.36-28, dir:/opt/x.
func vendor(entry string) string {
	return report.OneLine(entry[:max(0, indexOr(entry, "-@:", len(entry)))])
}

func indexOr(s, chars string, otherwise int) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return otherwise
}

// brokenEntry is one server version on which something needs a look: the first thing that a reader sees.
type brokenEntry struct {
	Entry string
	Lines []brokenCell
}

type brokenCell struct {
	Cell            int // index
	Name            string
	Verdict, Mark   string
	Broken, Total   int
	New             int // of the broken, those that an earlier run did not have
	Gist            string
	Link, LinkLabel string
}

func brokenEntries(run *report.Run, diff *report.Diff) []brokenEntry {
	var fresh map[string]bool
	if diff != nil {
		fresh = diff.NewIDs()
	}
	var list []brokenEntry
	for i := range run.Cells {
		c := &run.Cells[i]
		if !c.Verdict.Bad() && c.Verdict != report.VerdictKnown && c.Verdict != report.VerdictFlaky {
			continue
		}
		at := slices.IndexFunc(list, func(b brokenEntry) bool { return b.Entry == report.OneLine(c.ID.Entry) })
		if at < 0 {
			at = len(list)
			list = append(list, brokenEntry{Entry: report.OneLine(c.ID.Entry)})
		}
		list[at].Lines = append(list[at].Lines, newBrokenCell(i, c, fresh))
	}
	// What nobody declared comes first.
	slices.SortStableFunc(list, func(a, b brokenEntry) int { return a.rank() - b.rank() })
	return list
}

func (b brokenEntry) rank() int {
	for _, l := range b.Lines {
		if l.Verdict != report.VerdictKnown.String() && l.Verdict != report.VerdictFlaky.String() {
			return 0
		}
	}
	return 1
}

func newBrokenCell(index int, c *report.Cell, fresh map[string]bool) brokenCell {
	b := brokenCell{Cell: index, Name: report.OneLine(c.ID.Suite + " " + c.ID.ToolID()), Verdict: c.Verdict.String(), Mark: c.Verdict.Mark(false), Total: c.Total}
	worst := &c.Outcome
	if fresh[c.Failure] {
		b.New++
	}
	for i := range c.Specs {
		s := &c.Specs[i].Outcome
		if s.Failure == "" {
			continue
		}
		b.Broken++
		if fresh[s.Failure] {
			b.New++
		}
		if s.Verdict == c.Verdict && worst.Error == "" {
			worst = s
		}
	}
	b.Gist = report.ErrorLine(worst.Error)
	if x := worst.Expectation; x != nil {
		b.Gist = report.OneLine(x.Error)
		if web(x.Link) {
			b.Link, b.LinkLabel = x.Link, strings.TrimPrefix(x.Link, "https://")
		}
	}
	return b
}

// cause is an error that several failures have in common.
type cause struct{ Verdict, Mark, Size, Text string }

func causes(run *report.Run) (list []cause) {
	for _, c := range report.Causes(run) {
		list = append(list, cause{c.Verdict.String(), c.Verdict.Mark(false), c.Size(), c.Text})
	}
	return list
}

// web reports whether a link may be followed from a page; html/template would make others harmless, but not say so.
func web(link string) bool {
	return strings.HasPrefix(link, "https://") || strings.HasPrefix(link, "http://")
}

const notesShown = 200

func notes(run *report.Run) []string {
	var list []string
	for _, n := range run.Notes {
		text := report.OneLine(n.Text)
		if n.Cell.Entry != "" {
			text = report.OneLine(n.Cell.String()) + ": " + text
		}
		list = append(list, text)
	}
	if extra := len(list) - notesShown; extra > 0 {
		list = append([]string{fmt.Sprintf("%d notes before these are in run.json", extra)}, list[extra:]...)
	}
	return list
}
