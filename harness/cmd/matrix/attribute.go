package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/attribution"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/run"
)

func (a *app) attributeCommand() *cobra.Command {
	var o runFlags
	c := &cobra.Command{
		Use: "attribute RUN/ID", Short: "Find whose fault a failure is: the tool's version or the server's", Args: exactArgs(1, "RUN/ID"),
		Long: `attribute runs the failed spec again, with the neighbouring version of the tool on the same server, and with the same
tool on the neighbouring server version, and says which of the two changes the verdict. The finding is kept in the run's
folder, and its page shows it.`,
		Example: "  matrix attribute build/runs/20261123-180000.000/25d71237",
		RunE: func(c *cobra.Command, args []string) error {
			f, err := findFailure(args[0])
			if err != nil {
				return err
			}
			return a.attribute(c.Context(), c.OutOrStdout(), f, o)
		},
	}
	o.registerRunning(c.Flags(), 0)
	return c
}

func (a *app) attribute(ctx context.Context, w io.Writer, f *failure, o runFlags) error {
	m, cells, focus, err := a.again(f, &o)
	if err != nil {
		return err
	}
	obtainable, err := a.obtainable(ctx, m)
	if err != nil {
		return err
	}
	n := attribution.Find(m, cells[0], obtainable)
	for _, neighbour := range []*matrix.Cell{n.Tool, n.Server} {
		if neighbour != nil {
			cells = append(cells, *neighbour)
		}
	}
	result, _, err := a.runCells(ctx, w, m, cells, focus, o)
	if err != nil {
		return err
	}
	finding := func(c *matrix.Cell) *attribution.Finding {
		if c == nil {
			return nil
		}
		return &attribution.Finding{Cell: c.ID(), Verdict: specIn(result, c.ID(), f.spec)}
	}
	conclusion := attribution.Conclude(*finding(&cells[0]), finding(n.Tool), finding(n.Server))
	fmt.Fprintf(w, "\n%s  %s\nwhose fault: %s\n", f.cell.ID, report.OneLine(f.spec), conclusion)
	return keepAttribution(f, conclusion)
}

// specIn is how a spec of one of a run's cells ended; without a spec, or where it did not run, the cell.
func specIn(run *report.Run, id report.CellID, spec string) report.Verdict {
	for i := range run.Cells {
		if run.Cells[i].ID == id {
			return verdictOf(&report.Run{Cells: run.Cells[i : i+1]}, spec)
		}
	}
	return report.VerdictUnknown
}

// keepAttribution puts a finding beside the run, and makes the run's page anew.
func keepAttribution(f *failure, conclusion string) error {
	known, err := readAttributions(f.folder)
	if err != nil {
		return err
	}
	known[f.Failure] = conclusion
	if err := writeAttributions(f.folder, known); err != nil {
		return err
	}
	return writePage(f.folder, f.run)
}

// obtainable asks which entries can be had here, each only once.
func (a *app) obtainable(ctx context.Context, m *matrix.Matrix) (func(matrix.Entry) bool, error) {
	cache, err := a.openCache(ctx)
	if err != nil {
		return nil, err
	}
	store := a.basedirs(cache, m)
	return func(e matrix.Entry) bool {
		if _, cached := store.Cached(e); cached {
			return true
		}
		_, err := store.Obtainable(ctx, e)
		return err == nil
	}, nil
}

func (a *app) bisectCommand() *cobra.Command {
	var o runFlags
	c := &cobra.Command{
		Use: "bisect SPEC --entries PATTERN", Short: "Find the first server version where a spec's verdict changes", Args: exactArgs(1, "a regular expression on specs"),
		Long: `bisect runs the specs that SPEC matches on as few of the entries as it takes, in the order of their versions, and says
on which one they first end otherwise. Entries that cannot be had are stepped over. All must be of one vendor.`,
		Example: "  matrix bisect 'gh-ost allow-on-master: changes' --entries 'mariadb-*'\n  matrix bisect 'semi-sync' --entries 'mysql-*' --suite failover",
		RunE: func(c *cobra.Command, args []string) error {
			o.focus = args[0]
			return a.bisect(c.Context(), c.OutOrStdout(), o)
		},
	}
	c.Flags().StringArrayVar(&o.selection.Entries, "entries", nil, "entries: names or patterns; may be repeated")
	c.Flags().StringArrayVar(&o.selection.Suites, "suite", nil, "suites; may be repeated")
	c.Flags().StringArrayVar(&o.selection.Tools, "tool", nil, "tool=version or tool=/path; the default is each tool's first")
	c.Flags().Int64Var(&o.seed, "seed", 1, "seed of random workloads, the same on every entry")
	c.Flags().BoolVar(&o.trust, "trust-first-use", false, "take releases that matrix.yaml does not list unverified, and record their SHA-256 in basedirs.lock")
	o.registerRunning(c.Flags(), run.DefaultLimit)
	return c
}

func (a *app) bisect(ctx context.Context, w io.Writer, o runFlags) error {
	m, err := a.loadMatrix()
	if err != nil {
		return err
	}
	focus, err := compileFocus(o.focus)
	if err != nil {
		return err
	}
	o.selection.Tier = matrix.TierFull
	cells, err := m.Plan(o.selection)
	if err != nil {
		return unfit(err)
	}
	if err := o.trustCells(cells); err != nil {
		return err
	}
	var entries []matrix.Entry
	byEntry := map[string][]matrix.Cell{}
	for _, c := range cells {
		if byEntry[c.Entry.Name] == nil {
			entries = append(entries, c.Entry)
		}
		byEntry[c.Entry.Name] = append(byEntry[c.Entry.Name], c)
	}
	if !attribution.SameVendor(entries) {
		return unfit(errors.New("the entries are of several vendors, whose versions have no common order: choose one, such as --entries 'mysql-*'"))
	}
	entries = attribution.InOrder(entries)
	out, err := a.outDir(o.out, m)
	if err != nil {
		return err
	}
	change, err := attribution.Bisect(ctx, len(entries), func(ctx context.Context, i int) (report.Verdict, error) {
		probe := o
		probe.out = filepath.Join(out, entries[i].Name)
		result, _, err := a.runCells(ctx, io.Discard, m, byEntry[entries[i].Name], focus, probe)
		if errors.Is(err, run.ErrNoSpecs) {
			fmt.Fprintf(w, "%s %s: no spec that matches\n", report.VerdictUnsupported.Mark(false), entries[i].Name)
			return report.VerdictUnsupported, nil
		}
		if err != nil {
			return report.VerdictUnknown, err
		}
		v := worstSpec(result)
		fmt.Fprintf(w, "%s %s\n", v.Mark(false), entries[i].Name+": "+v.String())
		return v, ctx.Err()
	})
	var none *attribution.NoChangeError
	if errors.As(err, &none) {
		fmt.Fprintln(w, none)
		return codeError{report.ExitFailed}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nit changes on %s: %s there, %s on %s\n", entries[change.First].Name, change.New, change.Old, entries[change.Before].Name)
	for _, i := range change.Skipped {
		fmt.Fprintf(w, "  %s is between them and tells nothing: the change may be there\n", entries[i].Name)
	}
	return nil
}

// worstSpec is how the specs of a run ended together. Cells in which the focus chose none say nothing.
func worstSpec(run *report.Run) report.Verdict {
	var verdicts []report.Verdict
	for i := range run.Cells {
		c := &run.Cells[i]
		if len(c.Specs) > 0 || c.Verdict != report.VerdictUnsupported {
			verdicts = append(verdicts, c.Verdict)
		}
	}
	if len(verdicts) == 0 {
		return report.VerdictUnsupported
	}
	return report.Worst(verdicts...)
}
