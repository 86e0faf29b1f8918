package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/pool"
	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/run"
)

// runFlags are the options of matrix run.
type runFlags struct {
	selection   matrix.Selection
	cells       []string
	tier        string
	focus       string
	out         string
	jobs, procs int
	force       bool
	keep        bool
	keepData    bool
	allKnown    bool
	fresh       bool
	attempts    run.Attempts
	strict      bool
	plain, live bool
	seed        int64
	histories   int
	history     string
	limit       time.Duration
	checksum    string
	trust       bool
}

func (a *app) runCommand() *cobra.Command {
	var o runFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run suites against server versions and report",
		Long: `run runs every chosen cell: one entry (server version) × one suite × one tool version.

--entry and --suite take names, patterns such as 'mysql-*', and entries also exact releases (mysql@8.0.21)
installations of your own (dir:/path) and archives of them (tarball:/path). --tool chooses a version (gh-ost=v1.1.8) or a build of your own
(gh-ost=/path/to/gh-ost).

A spec of which some attempts passed and some did not is flaky. With --retries it is reported and the run goes on as
if it had passed; with --repeat, --until-failure or --strict it fails the run. A cell of several specs
of which none passed is broken, and is not tried again.

Exit codes: 0 everything is as declared; 1 failed, fixed or timed-out cells; 2 bad usage or matrix.yaml;
3 errored cells, or with --strict (or for an entry named in full) unavailable ones; 130 interrupted.`,
		Example: `  matrix run                                            everything that is available here
  matrix run --tier pr
  matrix run --entry 'mariadb-*' --suite migration --tool gh-ost=v1.1.8
  matrix run --entry mysql-9.7 --suite failover --focus 'semi-sync' --keep
  matrix run --tool gh-ost=$HOME/gh-ost/bin/gh-ost --out /tmp/mine
  matrix run --entry mysql-9.7 --suite failover --repeat 10   what is flaky?`,
		Args: exactArgs(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error { return a.run(c.Context(), c.OutOrStdout(), o) },
	}
	o.register(c.Flags())
	return c
}

func (o *runFlags) register(f *pflag.FlagSet) {
	namesVar(f, &o.selection.Entries, "entry", nil, "entries, parted by commas or repeated: name, pattern, vendor@release, dir:/path or tarball:/path")
	namesVar(f, &o.selection.Suites, "suite", nil, "suites, parted by commas or repeated: migration, failover, pseudogtid, upgrade, or a pattern")
	namesVar(f, &o.selection.Tools, "tool", nil, "tools, parted by commas or repeated: tool=version, or tool=/path of your own build")
	f.StringVar(&o.selection.Baseline, "baseline", "", "listed version by whose known failures a build of your own is judged, or none (default: the newest listed of which failures are known)")
	f.StringVar(&o.tier, "tier", "", "pr (the short tier) or full; default full")
	f.StringVar(&o.focus, "focus", "", "run only specs whose text matches this regular expression")
	f.StringArrayVar(&o.cells, "cell", nil, "run only these cells of those chosen: entry/suite/tool@version, parted by blanks; may be repeated")
	f.BoolVar(&o.allKnown, "all-known", false, "run every spec of a cell in which the tool is declared not to work at all, and not only a sample")
	f.BoolVar(&o.fresh, "fresh", false, "start fresh servers for every spec, and use none again that a spec has left as it found them")
	f.BoolVar(&o.keep, "keep", false, "leave the servers of failed specs running: see matrix status")
	f.IntVar(&o.attempts.Repeat, "repeat", 0, "run every spec N times; one that does not always end alike is flaky, and fails the run")
	f.IntVar(&o.attempts.Retries, "retries", 0, "run a failed spec up to N times more; if it passes then it is reported as flaky, never as passed")
	f.BoolVar(&o.attempts.UntilFailure, "until-failure", false, "run every spec again and again until one fails")
	f.BoolVar(&o.strict, "strict", false, "exit 3 when a cell is unavailable")
	f.Int64Var(&o.seed, "seed", 0, "seed of random workloads (default: drawn)")
	trustFlags(f, &o.checksum, &o.trust)
	o.registerRunning(f, run.DefaultLimit)
}

// registerRunning registers how to run, whatever is run. A limit of 0 is that of the run that is repeated; see again.
func (o *runFlags) registerRunning(f *pflag.FlagSet, limit time.Duration) {
	f.StringVar(&o.out, "out", "", "folder for results (default: build/runs/<time>)")
	forceFlag(f, &o.force)
	f.IntVar(&o.histories, "histories", run.DefaultHistories, "random histories of faults, heals and takeovers that suite failover tries on each server")
	f.StringVar(&o.history, "history", "", "one such history that it tries instead, as a failed one is printed")
	f.IntVar(&o.jobs, "jobs", runtime.NumCPU()+1, "cells prepared or run at once")
	f.IntVar(&o.procs, "procs", runtime.NumCPU()+1, "specs run at once, over all cells, of those that mostly wait four times as many; fewer where memory is short")
	f.BoolVar(&o.plain, "plain", false, "plain lines even on a terminal (the default where CI, GITHUB_ACTIONS, BUILDKITE or TERM=dumb is set)")
	f.BoolVar(&o.live, "live", false, "the table that is drawn anew, even where one of those is set")
	words := "time limit of one spec"
	if limit == 0 {
		words += " (default: as it was)"
	}
	f.DurationVar(&o.limit, "limit", limit, words)
	f.BoolVar(&o.keepData, "keep-failed", false, "keep the data directories of failed specs with their evidence: see matrix bundle")
}

// trustFlags are for releases whose checksum nobody has recorded yet.
func trustFlags(f *pflag.FlagSet, checksum *string, trust *bool) {
	f.StringVar(checksum, "checksum", "", "checksum (MD5, SHA-256 or SHA-512) of a release that matrix.yaml does not list")
	f.BoolVar(trust, "trust-first-use", false, "take such a release unverified and record its SHA-256 in basedirs.lock")
}

// trustCells puts the user's word into the sources of cells' releases beyond matrix.yaml.
func (o *runFlags) trustCells(cells []matrix.Cell) (err error) {
	for i := range cells {
		if cells[i].Entry, err = trusting(cells[i].Entry, o.checksum, o.trust); err != nil {
			return unfit(err)
		}
	}
	return nil
}

// trusting puts a checksum, or the user's word, into the sources of a release beyond matrix.yaml.
func trusting(e matrix.Entry, checksum string, trust bool) (matrix.Entry, error) {
	if checksum == "" && !trust {
		return e, nil
	}
	return e.Trusting(checksum, trust)
}

func projectDir(m *matrix.Matrix) string { return filepath.Dir(m.Path) }

func (a *app) run(ctx context.Context, w io.Writer, o runFlags) error {
	m, err := a.loadMatrix()
	if err != nil {
		return err
	}
	if o.tier != "" {
		if o.selection.Tier, err = matrix.ParseTier(o.tier); err != nil {
			return unfit(err)
		}
	}
	focus, err := compileFocus(o.focus)
	if err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return unfit(err)
	}
	cells, err := m.Plan(o.selection)
	if err != nil {
		return unfit(err)
	}
	if cells, err = matrix.OnlyCells(cells, strings.Fields(strings.Join(o.cells, " "))); err != nil {
		return unfit(err)
	}
	if err := o.trustCells(cells); err != nil {
		return err
	}
	result, _, err := a.runCells(ctx, w, m, cells, focus, o)
	if err != nil && ctx.Err() == nil {
		return err
	}
	rules := report.ExitRules{Strict: o.strict, Named: namedInFull(m, o.selection.Entries), FlakyFails: o.strict || o.attempts.Repeat > 1 || o.attempts.UntilFailure}
	if code := report.ExitCode(result, rules); code != 0 {
		return codeError{code}
	}
	return nil
}

// compileFocus reads a regular expression on specs; "" is none.
func compileFocus(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	focus, err := regexp.Compile(text)
	if err != nil {
		return nil, unfit(fmt.Errorf("the regular expression on specs: %w", err))
	}
	return focus, nil
}

// runCells runs cells as the flags say, and returns the result and the folder that it lies in.
func (a *app) runCells(ctx context.Context, w io.Writer, m *matrix.Matrix, cells []matrix.Cell, focus *regexp.Regexp, o runFlags) (*report.Run, string, error) {
	if err := errors.Join(o.check(), present(cells), buildable(projectDir(m))); err != nil {
		return nil, "", unfit(err)
	}
	plain, err := o.plainLines(w)
	if err != nil {
		return nil, "", unfit(err)
	}
	out, err := a.outDir(o.out, o.force, m)
	if err != nil {
		return nil, "", err
	}
	config, cleanup, err := a.runConfig(ctx, m, o, out)
	if err != nil {
		return nil, "", err
	}
	config.Focus = focus
	if focus == nil && o.selection.Tier != matrix.TierPR {
		config.Forecast = forecast(m, cells, o.jobs)
	}
	result, err := record(ctx, w, config, cells, out, plain)
	if cleanErr := cleanup(); err == nil {
		err = cleanErr
	}
	if errors.Is(err, run.ErrNoSpecs) {
		err = unfit(err)
		if len(o.cells) > 0 {
			err = nil // a part of a plan may be one that the focus leaves nothing of
		}
	}
	return result, out, err
}

// forecast says how long all specs of cells will take, by the durations that are recorded; "" where none is.
func forecast(m *matrix.Matrix, cells []matrix.Cell, jobs int) string {
	recorded, err := readDurations(m, nil)
	if err != nil {
		return ""
	}
	seconds, left := recorded.Total(cells, jobs)
	if seconds == 0 {
		return ""
	}
	text := fmt.Sprintf("about %.0f minutes, by %s", max(1, seconds/60), durationsFile)
	if left > 0 {
		text += fmt.Sprintf("; %d cells are of servers of which it has nothing", left)
	}
	return text
}

// failedBefore are the specs that needed somebody's attention in the newest run below build/runs.
func failedBefore(m *matrix.Matrix) map[report.CellID]map[string]bool {
	before, err := lastRun(m, "")
	if err != nil || before == nil {
		return nil // it only orders
	}
	failed := map[report.CellID]map[string]bool{}
	for i := range before.Cells {
		c := &before.Cells[i]
		for j := range c.Specs {
			if s := &c.Specs[j]; s.Verdict.Bad() {
				if failed[c.ID] == nil {
					failed[c.ID] = map[string]bool{}
				}
				failed[c.ID][s.Text] = true
			}
		}
	}
	return failed
}

// namedInFull are the entries that the user asked for by name and not by a pattern.
func namedInFull(m *matrix.Matrix, patterns []string) []string {
	var names []string
	for _, pattern := range patterns {
		if e, err := m.Resolve(pattern); err == nil {
			names = append(names, e.Name)
		}
	}
	return names
}

func (a *app) outDir(out string, force bool, m *matrix.Matrix) (string, error) {
	if out == "" {
		out = filepath.Join(projectDir(m), "build", "runs", time.Now().Format("20060102-150405.000"))
	}
	return resultFolder(out, force)
}

func (a *app) runConfig(ctx context.Context, m *matrix.Matrix, o runFlags, out string) (run.Config, func() error, error) {
	var none run.Config
	root, err := a.openRoot(ctx)
	if err != nil {
		return none, nil, err
	}
	cache, err := a.openCache(ctx)
	if err != nil {
		return none, nil, err
	}
	recorded, err := readDurations(m, nil)
	if err != nil {
		return none, nil, err
	}
	binaries, err := root.Create(ctx, "run")
	if err != nil {
		return none, nil, err
	}
	shared := ""
	if !o.fresh {
		shared = filepath.Join(binaries.Path, "p") // short, for sockets
		if err := os.Mkdir(shared, 0o700); err != nil {
			return none, nil, errors.Join(err, binaries.Remove(ctx))
		}
	}
	supply := &run.Supply{Project: projectDir(m), Basedirs: a.basedirs(cache, m), Farm: a.farm(cache, m), Tools: a.tools(cache), Binaries: binaries.Path}
	return run.Config{Matrix: m, Digest: m.Digest, Supply: supply, Root: root, Out: out, Tier: o.selection.Tier, Jobs: o.jobs, Procs: o.procs,
			AllKnown: o.allKnown, Keep: o.keep, KeepData: o.keepData, Attempts: o.attempts, Seed: o.seed, Limit: o.limit,
			Histories: o.histories, History: o.history,
			Checksum: o.checksum, TrustFirstUse: o.trust, Expected: recorded.Expected, Failed: failedBefore(m), Pool: shared},
		func() error {
			return errors.Join(pool.Clear(shared), binaries.Remove(context.WithoutCancel(ctx)))
		}, nil
}
