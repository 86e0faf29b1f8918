package upgrade

import (
	"fmt"
	"slices"
	"strings"
)

// Grade is what a finding means for the upgrade.
type Grade string

// The grades. Breaks, Differs and Order count; the others do not.
const (
	Breaks  Grade = "breaks"        // the new version refuses what the old one takes
	Differs Grade = "differs"       // no error, and something else
	Order   Grade = "order"         // the same rows in another order
	Broken  Grade = "broken before" // the old version refuses it as well
	Note    Grade = "note"          // worth knowing, and no difference
)

// counts says whether a finding of the grade makes two versions differ.
func (g Grade) counts() bool { return g == Breaks || g == Differs || g == Order }

// Finding is one thing that the new version refuses, reads otherwise, or has lost.
type Finding struct {
	Grade  Grade    `json:"grade"`
	Ways   []string `json:"ways"` // that it was seen on
	Object Object   `json:"object"`
	File   string   `json:"file,omitempty"`
	Line   int      `json:"line,omitempty"`  // of the statement, or of the word in it that is the cause
	Lines  []int    `json:"lines,omitempty"` // of further places with the same cause
	Text   string   `json:"text,omitempty"`  // the beginning of the statement
	What   string   `json:"what"`            // what differs
	Old    string   `json:"old,omitempty"`   // what the old server says
	New    string   `json:"new,omitempty"`   // what the new server says
	Number int      `json:"error,omitempty"` // the new server's error number
	Cause  string   `json:"cause,omitempty"`
	Todo   string   `json:"todo,omitempty"`
}

// place is "dump.sql:70".
func (f Finding) place() string {
	if f.File == "" {
		return ""
	}
	place := f.File
	if f.Line > 0 {
		place += fmt.Sprintf(":%d", f.Line)
	}
	for _, line := range f.Lines {
		place += fmt.Sprintf(",%d", line)
	}
	return place
}

// same says whether two findings have one cause, seen twice.
func (f Finding) same(o Finding) bool {
	if f.Grade != o.Grade || f.Object.key() != o.Object.key() || f.File != o.File {
		return false
	}
	if f.Grade == Breaks && f.Cause != "" && f.Cause == o.Cause {
		return true // several statements about one object, such as a DROP and a CREATE
	}
	if f.Line != o.Line {
		return false
	}
	if f.Cause != "" || o.Cause != "" {
		return f.Cause == o.Cause
	}
	return f.What == o.What && f.Number == o.Number
}

// findings gathers findings, each once, with the ways that it was seen on.
type findings struct{ list []Finding }

func (l *findings) add(way string, f Finding) {
	for i := range l.list {
		if l.list[i].same(f) {
			old := &l.list[i]
			if !slices.Contains(old.Ways, way) {
				old.Ways = append(old.Ways, way)
			}
			if f.Line != old.Line && f.Line > 0 && !slices.Contains(old.Lines, f.Line) {
				old.Lines = append(old.Lines, f.Line)
			}
			return
		}
	}
	f.Ways = []string{way}
	l.list = append(l.list, f)
}

// sorted are the findings as a report has them: what counts first, in the order of the file.
func (l *findings) sorted() []Finding {
	order := []Grade{Breaks, Differs, Order, Broken, Note}
	list := append([]Finding{}, l.list...) // never nil: a report has a list
	slices.SortStableFunc(list, func(a, b Finding) int {
		if d := slices.Index(order, a.Grade) - slices.Index(order, b.Grade); d != 0 {
			return d
		}
		if d := strings.Compare(a.File, b.File); d != 0 {
			return d
		}
		return a.Line - b.Line
	})
	return list
}

// at gives a finding the place of a statement.
func (f Finding) at(st statement) Finding {
	if st.sql != "" {
		f.File, f.Line, f.Text = st.file, st.line, beginning(st.sql, 160)
	}
	return f
}
