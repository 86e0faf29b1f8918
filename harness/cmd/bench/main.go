// Command bench measures this project against what it replaces, and prints ratios taken in one run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/bench"
	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := flag.String("out", "build/bench.json", "file for the results")
	rounds := flag.Int("rounds", 5, "repetitions of each measurement; the median counts")
	only := flag.String("entry", "", "measure only this entry")
	which := flag.String("measure", strings.Join(measurements, ","), "what to measure, separated by commas")
	upstream := flag.String("upstream", "mysql-9.7=v1.1.10", "entry and gh-ost version for the measurement of gh-ost's own tests")
	folders := flag.String("folders", "", "only those of gh-ost's own tests whose name matches this regular expression")
	flag.Parse()
	if err := measure(ctx, *out, *only, *rounds, strings.Split(*which, ","), *upstream, *folders); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// The measurements by name.
const (
	provisioning  = "provisioning"
	upstreamTests = "upstream"
)

var measurements = []string{provisioning, upstreamTests}

// setting is what every measurement needs.
type setting struct {
	store      *basedir.Store
	farm       *sandbox.Farm
	root       *rundir.Root
	dbdeployer string
	project    string
	rounds     int
}

func measure(ctx context.Context, out, only string, rounds int, which []string, upstream, folders string) error {
	chosen, err := regexp.Compile(folders)
	if err != nil {
		return fmt.Errorf("folders: %w", err)
	}
	for _, name := range which {
		if !slices.Contains(measurements, name) {
			return fmt.Errorf("there is no measurement %q: want some of %s", name, strings.Join(measurements, ","))
		}
	}
	m, err := matrix.Load("matrix.yaml")
	if err != nil {
		return err
	}
	s, err := open(ctx, m, rounds)
	if err != nil {
		return err
	}
	var results []bench.Result
	var memories []bench.Memory
	if slices.Contains(which, provisioning) {
		if results, memories, err = s.provisioning(ctx, m, only); err != nil {
			return err
		}
	}
	if slices.Contains(which, upstreamTests) {
		r, err := s.upstream(ctx, m, upstream, chosen)
		if err != nil {
			return fmt.Errorf("gh-ost's own tests: %w", err)
		}
		results = append(results, r...)
	}
	return errors.Join(write(out, results), print(results, memories))
}

// provisioning measures every entry, or the one that is named.
func (s *setting) provisioning(ctx context.Context, m *matrix.Matrix, only string) (results []bench.Result, memories []bench.Memory, err error) {
	for _, e := range m.Entries {
		if only != "" && e.Name != only {
			continue
		}
		r, memory, err := s.entry(ctx, e)
		var unavailable *basedir.UnavailableError
		if errors.As(err, &unavailable) {
			say(e.Name + ": unavailable here")
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		results, memories = append(results, r...), append(memories, memory)
	}
	return results, memories, nil
}

// upstream measures gh-ost's own tests on an entry, with a version of gh-ost: "mysql-9.7=v1.1.10".
func (s *setting) upstream(ctx context.Context, m *matrix.Matrix, what string, only *regexp.Regexp) ([]bench.Result, error) {
	entry, version, _ := strings.Cut(what, "=")
	cells, err := m.Plan(matrix.Selection{Entries: []string{entry}, Suites: []string{"migration"}, Tools: []string{migration.NameGhost + "=" + version}})
	if err != nil {
		return nil, err
	}
	if len(cells) != 1 {
		return nil, fmt.Errorf("%q names %d cells: want an entry and a version of gh-ost", what, len(cells))
	}
	b, err := s.store.Obtain(ctx, cells[0].Entry, s.project)
	var unavailable *basedir.UnavailableError
	if errors.As(err, &unavailable) {
		say(entry + ": unavailable here")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	golden, err := s.farm.Golden(ctx, b, sandbox.ProfileFast)
	if err != nil {
		return nil, err
	}
	tools := &tool.Store{Cache: s.store.Cache, Log: say}
	program, err := tools.Obtain(ctx, cells[0].Tool)
	if err != nil {
		return nil, err
	}
	sysbench, err := tools.System(ctx, "sysbench")
	if err != nil {
		say(err.Error())
	}
	one := &bench.Upstream{Golden: golden, Program: program, Sysbench: sysbench, Root: s.root, Matrix: filepath.Join(s.project, "bin", "matrix"),
		Project: s.project, Only: only, Log: say}
	return one.Run(ctx)
}

func say(text string) { fmt.Fprintln(os.Stderr, text) }

func open(ctx context.Context, m *matrix.Matrix, rounds int) (*setting, error) {
	dir := os.Getenv("MATRIX_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(base, "mysql-matrix")
	}
	c, err := cache.Open(dir)
	if err != nil {
		return nil, err
	}
	root, err := rundir.Open(filepath.Join(os.TempDir(), "mysql-matrix-"+strconv.Itoa(os.Getuid())))
	if err != nil {
		return nil, err
	}
	var path strings.Builder
	if _, err := proc.Run(ctx, proc.Cmd{Path: "go", Args: []string{"tool", "-n", "dbdeployer"}, Stdout: &path}); err != nil {
		return nil, err
	}
	s := &setting{root: root, dbdeployer: strings.TrimSpace(path.String()), project: filepath.Dir(m.Path), rounds: rounds}
	s.store = &basedir.Store{Cache: c, Log: say, LockFile: filepath.Join(s.project, "basedirs.lock")}
	s.farm = &sandbox.Farm{Cache: c, Log: say, Dbdeployer: func(context.Context) (string, error) { return s.dbdeployer, nil }}
	return s, nil
}

func (s *setting) entry(ctx context.Context, e matrix.Entry) ([]bench.Result, bench.Memory, error) {
	b, err := s.store.Obtain(ctx, e, s.project)
	if err != nil {
		return nil, bench.Memory{}, err
	}
	golden, err := s.farm.Golden(ctx, b, sandbox.ProfileFast)
	if err != nil {
		return nil, bench.Memory{}, err
	}
	one := &bench.Bench{Basedir: b, Golden: golden, Root: s.root, Dbdeployer: s.dbdeployer, Rounds: s.rounds, Log: say}
	return one.Run(ctx)
}

func write(path string, results []bench.Result) error {
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func print(results []bench.Result, memories []bench.Memory) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "what\tours\tother\tratio\tcompared with\t")
	for _, r := range results {
		other := r.Other
		if r.Note != "" {
			other += " (" + r.Note + ")"
		}
		fmt.Fprintf(table, "%s\t%.2f s\t%.2f s\t%.2f\t%s\t\n", r.Name, r.OursS, r.OtherS, r.Ratio, other)
	}
	if len(memories) == 0 {
		return table.Flush()
	}
	fmt.Fprintln(table, "\t\t\t\t\nresident memory of a node, profile fast\t\t\t\t\t")
	for _, m := range memories {
		fmt.Fprintf(table, "%s\t%.0f MB\t\t\t\t\n", m.Name, m.ResidentMB)
	}
	return table.Flush()
}
