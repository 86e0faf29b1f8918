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
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"mysqlmatrix/harness/basedir"
	"mysqlmatrix/harness/bench"
	"mysqlmatrix/harness/cache"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := flag.String("out", "build/bench.json", "file for the results")
	rounds := flag.Int("rounds", 5, "repetitions of each measurement of provisioning; the median counts, 0 leaves them out")
	only := flag.String("entry", "", "measure only this entry")
	history := flag.String("history", "mariadb-10.11", "entry that a Pseudo-GTID match is measured on, against orchestrator; \"\" for none")
	megabytes := flag.Int("history-mb", 1000, "size of the history that is matched across, in MB; a GB takes some minutes to write")
	logs := flag.Int("history-logs", 20, "binary logs that it lies in")
	back := flag.Int("history-back", 100_000, "events after the last entry")
	flag.Parse()
	h := bench.History{Megabytes: *megabytes, Logs: *logs, Back: *back}
	if err := measure(ctx, *out, *only, *rounds, *history, h); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// setting is what every measurement needs.
type setting struct {
	store      *basedir.Store
	farm       *sandbox.Farm
	root       *rundir.Root
	tools      *tool.Store
	dbdeployer string
	project    string
	rounds     int
}

func measure(ctx context.Context, out, only string, rounds int, history string, h bench.History) error {
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
	for _, e := range m.Entries {
		if e.Name == history && (only == "" || e.Name == only) {
			r, memory, err := s.match(ctx, m, e, h)
			if err != nil {
				return fmt.Errorf("%s: %w", e.Name, err)
			}
			results, memories = append(results, *r), append(memories, *memory)
		}
		if only != "" && e.Name != only || rounds == 0 {
			continue
		}
		r, memory, err := s.entry(ctx, e)
		var unavailable *basedir.UnavailableError
		if errors.As(err, &unavailable) {
			say(e.Name + ": unavailable here")
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		results, memories = append(results, r...), append(memories, memory)
	}
	return errors.Join(write(out, results), print(results, memories))
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
	s.tools = &tool.Store{Cache: c, Log: say}
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

// match measures a Pseudo-GTID match against orchestrator.
func (s *setting) match(ctx context.Context, m *matrix.Matrix, e matrix.Entry, h bench.History) (*bench.Result, *bench.Memory, error) {
	b, err := s.store.Obtain(ctx, e, s.project)
	if err != nil {
		return nil, nil, err
	}
	golden, err := s.farm.Golden(ctx, b, sandbox.ProfileFast)
	if err != nil {
		return nil, nil, err
	}
	cells, err := m.Plan(matrix.Selection{Entries: []string{e.Name}, Suites: []string{"pseudogtid"}, Tools: []string{"orchestrator"}})
	if err != nil {
		return nil, nil, err
	}
	h.Matrix = filepath.Join(s.project, "bin", "matrix")
	if h.Orchestrator, err = s.tools.Obtain(ctx, cells[0].Tool); err != nil {
		return nil, nil, err
	}
	one := &bench.Bench{Basedir: b, Golden: golden, Root: s.root, Log: say}
	return one.Match(ctx, h)
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
		fmt.Fprintf(table, "%s\t%.2f s\t%.2f s\t%.2f\t%s\t\n", r.Name, r.OursS, r.OtherS, r.Ratio, r.Other)
	}
	fmt.Fprintln(table, "\t\t\t\t\nresident memory of a node, profile fast\t\t\t\t\t")
	for _, m := range memories {
		fmt.Fprintf(table, "%s\t%.0f MB\t\t\t\t\n", m.Name, m.ResidentMB)
	}
	return table.Flush()
}
