package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/flavor"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
)

// knownFlags choose what list --known prints.
type knownFlags struct {
	known             bool
	entry, tool, seen string
	asJSON            bool
}

// knownFailure is one known failure as list --known prints it.
type knownFailure struct {
	Where   string   `json:"where"`
	Servers []string `json:"servers"`
	Build   string   `json:"build,omitempty"`
	Suite   string   `json:"suite"`
	Tool    string   `json:"tool"`
	Specs   string   `json:"specs,omitempty"`
	Error   string   `json:"error"`
	Link    string   `json:"link"`
	Note    string   `json:"note,omitempty"`
	Seen    string   `json:"seen,omitempty"` // when and where it was true in the last run
}

// listKnown prints what is declared of a server and a tool, and when it was last seen to be true.
func (a *app) listKnown(ctx context.Context, w io.Writer, m *matrix.Matrix, o knownFlags) error {
	var entry *matrix.Entry
	var server report.Server
	if o.entry != "" {
		e, err := m.Resolve(o.entry)
		if err != nil {
			return unfit(err)
		}
		cache, err := a.openCache(ctx)
		if err != nil {
			return err
		}
		entry = &e
		store := a.basedirs(cache, m)
		b, ok := store.Cached(e)
		if !ok && e.Vendor == flavor.VendorUnknown { // an installation says what it is
			if b, err = store.Obtain(ctx, e, projectDir(m)); err != nil {
				return err
			}
			ok = true
		}
		if ok {
			server = report.Server{Vendor: b.Flavor.Vendor, Version: b.Version, Build: b.Comment}
		}
	}
	known, err := m.KnownOf(entry, server, o.tool)
	if err != nil {
		return unfit(err)
	}
	last, err := lastRun(m, o.seen)
	if err != nil {
		return unfit(err)
	}
	list := make([]knownFailure, 0, len(known))
	for _, x := range known {
		list = append(list, knownFailure{x.Where(), x.Servers, string(x.Build), x.Suite, x.Tool, x.Specs, x.Error, x.Link, x.Note, seenIn(last, x.Declared())})
	}
	if o.asJSON {
		return printJSON(w, map[string]any{"known": list})
	}
	return printKnown(w, list)
}

// lastRun reads the run that is named, else the newest below build/runs, which need not be there.
func lastRun(m *matrix.Matrix, folder string) (*report.Run, error) {
	if folder != "" {
		return results.Read(folder)
	}
	runs := filepath.Join(projectDir(m), "build", "runs")
	entries, err := os.ReadDir(runs) // in the order of their names, which are times
	if err != nil {
		return nil, nil
	}
	for _, e := range slices.Backward(entries) {
		if run, err := results.Read(filepath.Join(runs, e.Name())); err == nil {
			return run, nil
		}
	}
	return nil, nil
}

// seenIn is the day and the server of a spec that failed as declared, "" where none did.
func seenIn(run *report.Run, declared *report.Expectation) string {
	if run == nil {
		return ""
	}
	for i := range run.Cells {
		c := &run.Cells[i]
		for j := range c.Specs {
			if s := &c.Specs[j]; s.Verdict == report.VerdictKnown && s.Expectation != nil && s.Expectation.Error == declared.Error && s.Expectation.Link == declared.Link {
				return run.Started.UTC().Format(time.DateOnly) + " on " + c.ID.Entry + " (" + c.Server.String() + ")"
			}
		}
	}
	return ""
}

// printKnown prints a block for each, since patterns are long.
func printKnown(w io.Writer, list []knownFailure) error {
	var text strings.Builder
	for _, k := range list {
		servers := strings.Join(k.Servers, ", ")
		if k.Build != "" {
			servers += ", built by " + k.Build
		}
		fmt.Fprintf(&text, "%s: %s in %s, on %s\n", k.Where, k.Tool, k.Suite, servers)
		for _, field := range []struct{ name, value string }{
			{"specs", cmp.Or(k.Specs, "all")}, {"error", k.Error}, {"why", k.Note}, {"link", k.Link}, {"seen", cmp.Or(k.Seen, "not in the last run")},
		} {
			if field.value != "" {
				fmt.Fprintf(&text, "    %-5s  %s\n", field.name, field.value)
			}
		}
	}
	if len(list) == 0 {
		text.WriteString("nothing is declared\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}
