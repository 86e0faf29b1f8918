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
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/rundir"
	"mysqlmatrix/harness/sandbox"
	"mysqlmatrix/harness/tool"
)

// options are what the flags say.
type options struct {
	out, entry string
	rounds     int
	which      []string
	upstream   string
	folders    *regexp.Regexp
	history    string
	match      bench.History
}

// The measurements by name.
const (
	provisioning  = "provisioning"
	match         = "match"
	upstreamTests = "upstream"
)

var measurements = []string{provisioning, match, upstreamTests}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = measure(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	which := f.String("measure", strings.Join(measurements, ","), "what to measure, separated by commas")
	f.StringVar(&o.out, "out", "build/bench.json", "file for the results")
	f.StringVar(&o.entry, "entry", "", provisioning+": only this entry")
	f.IntVar(&o.rounds, "rounds", 5, provisioning+": repetitions; the median counts")
	f.StringVar(&o.history, "history", "mariadb-10.11", match+": the entry that a Pseudo-GTID match is measured on, against orchestrator")
	f.IntVar(&o.match.Megabytes, "history-mb", 1000, match+": size of the history, in MB; a GB takes some minutes to write")
	f.IntVar(&o.match.Logs, "history-logs", 20, match+": binary logs that it lies in")
	f.IntVar(&o.match.Back, "history-back", 100_000, match+": events after the last entry")
	f.StringVar(&o.upstream, "upstream", "mariadb-11.8=v1.1.10", upstreamTests+": entry and gh-ost version for gh-ost's own tests")
	folders := f.String("folders", "", upstreamTests+": only the tests whose name matches this regular expression")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.folders, err = regexp.Compile(*folders); err != nil {
		return o, fmt.Errorf("folders: %w", err)
	}
	o.which = strings.Split(*which, ",")
	for _, name := range o.which {
		if !slices.Contains(measurements, name) {
			return o, fmt.Errorf("there is no measurement %q: want some of %s", name, strings.Join(measurements, ","))
		}
	}
	return o, nil
}

// setting is what every measurement needs.
type setting struct {
	store      *basedir.Store
	farm       *sandbox.Farm
	root       *rundir.Root
	tools      *tool.Store
	dbdeployer string
	project    string
	options
}

func measure(ctx context.Context, o options) error {
	m, err := matrix.Load("matrix.yaml")
	if err != nil {
		return err
	}
	s, err := open(ctx, m, o)
	if err != nil {
		return err
	}
	var results []bench.Result
	var memories []bench.Memory
	for _, name := range o.which {
		r, memory, err := map[string]func(context.Context, *matrix.Matrix) ([]bench.Result, []bench.Memory, error){
			provisioning: s.provisioning, match: s.matching, upstreamTests: s.upstreamTests,
		}[name](ctx, m)
		var unavailable *basedir.UnavailableError
		if errors.As(err, &unavailable) {
			say(name + ": " + unavailable.Error())
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		results, memories = append(results, r...), append(memories, memory...)
	}
	return errors.Join(write(o.out, results), print(results, memories))
}

func say(text string) { fmt.Fprintln(os.Stderr, text) }

func open(ctx context.Context, m *matrix.Matrix, o options) (*setting, error) {
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
	if _, err := proc.Run(ctx, proc.Cmd{Path: "go", Args: []string{"tool", "-n", "dbdeployer"}, Stdout: &path, Inherit: true}); err != nil {
		return nil, err
	}
	s := &setting{root: root, dbdeployer: strings.TrimSpace(path.String()), project: filepath.Dir(m.Path), options: o,
		tools: &tool.Store{Cache: c, Log: say}}
	s.store = &basedir.Store{Cache: c, Log: say, LockFile: filepath.Join(s.project, "basedirs.lock")}
	s.farm = &sandbox.Farm{Cache: c, Log: say, Dbdeployer: func(context.Context) (string, error) { return s.dbdeployer, nil }}
	return s, nil
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
	fmt.Fprintln(table, "\t\t\t\t\nresident memory\t\t\t\t\t")
	for _, m := range memories {
		fmt.Fprintf(table, "%s\t%.0f MB\t\t\t\t\n", m.Name, m.ResidentMB)
	}
	return table.Flush()
}
