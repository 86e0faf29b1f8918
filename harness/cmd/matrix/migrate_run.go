package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/usertables"
)

// migrateSubject is one tool on one server.
type migrateSubject struct {
	entry matrix.Entry
	tool  matrix.ToolRef
	named bool // the server was named in full: that it cannot be obtained is an error
}

// migrateRun runs what the flags of matrix migrate ask for.
type migrateRun struct {
	*app
	flags  migrateFlags
	matrix *matrix.Matrix
	schema *dump.Source
	out    string
}

func (a *app) migrate(ctx context.Context, w io.Writer, o migrateFlags) error {
	r := &migrateRun{app: a}
	var err error
	if r.schema, err = o.check(); err != nil {
		return unfit(err)
	}
	r.flags = o
	if r.matrix, err = a.loadMatrix(); err != nil {
		return err
	}
	subjects, err := r.subjects()
	if err != nil {
		return unfit(err)
	}
	if _, err := a.openRoot(ctx); err != nil {
		return err
	}
	if r.out, err = a.migrateDir(o.out, o.force); err != nil {
		return err
	}
	if len(subjects) == 1 && subjects[0].named {
		return r.one(ctx, w, subjects[0])
	}
	return r.several(ctx, w, subjects)
}

// subjects are each tool on each server.
func (r *migrateRun) subjects() (list []migrateSubject, err error) {
	var cells []matrix.Cell
	for _, ref := range r.flags.entries {
		entries, named, err := r.matrix.Select(ref)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if entry, err = trusting(entry, r.flags.checksum, r.flags.trust); err != nil {
				return nil, err
			}
			for _, name := range r.flags.tools {
				ref, err := r.matrix.ResolveTool(name)
				if err != nil {
					return nil, err
				}
				cells = append(cells, matrix.Cell{Entry: entry, Tool: ref})
				list = append(list, migrateSubject{entry, ref, named})
			}
		}
	}
	return list, present(cells)
}

// one changes the tables with one tool on one server, and tells of each table.
func (r *migrateRun) one(ctx context.Context, w io.Writer, s migrateSubject) error {
	report, err := r.change(ctx, s, r.out)
	var mistake *usertables.Mistake
	if errors.As(err, &mistake) {
		return unfit(err)
	}
	if report != nil && (len(report.Tables) > 0 || err == nil) {
		err = errors.Join(err, r.tell(w, report))
	}
	if err == nil && !report.Good() {
		return codeError{exitFailed}
	}
	return err
}

// several makes one table of verdicts. A server that takes the dump or the change as no other does is listed.
func (r *migrateRun) several(ctx context.Context, w io.Writer, subjects []migrateSubject) error {
	var summary usertables.Summary
	var mistakes []error
	refused := false // a server that was named does not take the dump or the change
	for _, s := range subjects {
		logLine(fmt.Sprintf("%s with %s", s.entry.Name, s.tool.Flag()))
		out := filepath.Join(r.out, strings.NewReplacer("/", "_", ":", "_", "=", "-").Replace(s.entry.Name+"-"+s.tool.Flag()))
		if err := os.MkdirAll(out, 0o755); err != nil {
			return fmt.Errorf("output folder: %w", err)
		}
		report, err := r.change(ctx, s, out)
		if report != nil && len(report.Tables) > 0 {
			summary.Reports = append(summary.Reports, report)
		}
		if ctx.Err() != nil {
			return errors.Join(err, r.tellSummary(w, &summary))
		}
		var mistake *usertables.Mistake
		switch {
		case err == nil:
		case s.named && !errors.As(err, &mistake):
			return errors.Join(err, r.tellSummary(w, &summary))
		default:
			refused = refused || s.named
			mistakes = append(mistakes, err)
			summary.Missing = append(summary.Missing, usertables.Missing{Entry: s.entry.Name, Tool: s.tool.Flag(), Why: err.Error()})
		}
	}
	if len(summary.Reports) == 0 {
		return unfit(fmt.Errorf("no server could try it: %w", errors.Join(mistakes...)))
	}
	if err := r.tellSummary(w, &summary); err != nil {
		return err
	}
	if refused || !summary.Good() {
		return codeError{exitFailed}
	}
	return nil
}

// change obtains the server and the tool and runs the tables through it. The report is nil when they cannot be obtained.
func (r *migrateRun) change(ctx context.Context, s migrateSubject, out string) (*usertables.Report, error) {
	o := r.flags
	c := usertables.Config{Schema: r.schema, Alter: o.alter, Tables: o.tables, Jobs: o.jobs, Limit: o.limit, Options: o.options, Logs: out,
		ToolOptions: slices.Concat(r.matrix.ToolOptions(s.tool.Name), o.toolOptions), Writes: o.writes, Rows: o.rows, Seed: o.seed, Keep: o.keep, Progress: logLine}
	cache, err := r.openCache(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.obtain(ctx, cache, s, &c); err != nil {
		return nil, err
	}
	root, err := r.openRoot(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := root.Create(ctx, "migrate")
	if err != nil {
		return nil, err
	}
	c.Dir = dir.Path
	report, err := usertables.Run(ctx, c)
	if ctx.Err() != nil {
		err = errors.New("interrupted: the tables under way are not judged")
	}
	return report, errors.Join(err, letGo(ctx, dir, o.keep))
}

func (r *migrateRun) obtain(ctx context.Context, cache *cache.Cache, s migrateSubject, c *usertables.Config) error {
	program, err := r.tools(cache).Obtain(ctx, s.tool)
	if err != nil {
		return err
	}
	if c.Tool, err = migration.New(program); err != nil {
		return unfit(err)
	}
	if c.Mode, err = migration.ParseMode(c.Tool, r.flags.mode); err != nil {
		return unfit(err)
	}
	c.Version = program.Version
	c.Golden, err = r.golden(ctx, r.matrix, cache, s.entry, sandbox.ProfileFast)
	return err
}

func (a *app) migrateDir(out string, force bool) (string, error) {
	if out == "" {
		m, err := a.loadMatrix()
		if err != nil {
			return "", err
		}
		out = filepath.Join(projectDir(m), "build", "migrate", time.Now().Format("20060102-150405.000"))
	}
	return resultFolder(out, force)
}

// letGo ends what a run has left in its folder, or keeps it for later commands.
func letGo(ctx context.Context, dir *rundir.Dir, keep bool) error {
	if keep && ctx.Err() == nil {
		return dir.Keep("matrix migrate")
	}
	return dir.Remove(context.WithoutCancel(ctx))
}

// tell writes a report to the folder of results, and prints it.
func (r *migrateRun) tell(w io.Writer, report *usertables.Report) error {
	summary := &usertables.Summary{Reports: []*usertables.Report{report}}
	if err := r.writeResults(report.WriteJSON, summary); err != nil {
		return err
	}
	return r.print(w, report.WriteJSON, report.WriteText)
}

// tellSummary writes and prints what several servers and tools made of the tables.
func (r *migrateRun) tellSummary(w io.Writer, summary *usertables.Summary) error {
	if err := r.writeResults(summary.WriteJSON, summary); err != nil {
		return err
	}
	return r.print(w, summary.WriteJSON, summary.WriteText)
}

func (r *migrateRun) writeResults(asJSON func(io.Writer) error, summary *usertables.Summary) error {
	for name, write := range map[string]func(io.Writer) error{
		"migrate.json": asJSON, "migrate.md": summary.WriteMarkdown, "migrate.html": summary.WriteHTML,
	} {
		file, err := os.Create(filepath.Join(r.out, name))
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		if err := errors.Join(write(file), file.Close()); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

func (r *migrateRun) print(w io.Writer, asJSON, asText func(io.Writer) error) error {
	if r.flags.asJSON {
		return asJSON(w)
	}
	if err := asText(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "report, page and logs: %s\n", r.out)
	return err
}
