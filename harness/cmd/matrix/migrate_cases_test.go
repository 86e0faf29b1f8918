package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/spf13/pflag"

	"mysqlmatrix/harness/dump"
	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/pool"
	"mysqlmatrix/harness/proc"
	"mysqlmatrix/harness/usertables"
)

// The cases of matrix migrate are files in harness/usertables/testdata/cases: what is asked for, what is right, and the
// dump. The short ones run with every test, all of them on every server named by -entries with -cases full.
var (
	caseTier    = flag.String("cases", "short", "cases of matrix migrate: short or full")
	caseEntries = flag.String("entries", "mysql-9.7,mariadb-11.8", "servers for the cases of matrix migrate, separated by commas")
	caseTools   = flag.String("migrate-tools", "gh-ost,pt-online-schema-change", "tools for the cases of matrix migrate, separated by commas")
)

// shortEntry is the server of the short tier.
const shortEntry = "mysql-9.7"

// migrateCase is one file.
type migrateCase struct {
	name    string
	alter   string
	args    []string
	options map[string][]string // for a tool
	servers []string            // patterns of entries; none is every one
	short   []string            // tools with which it runs in the short tier
	ending  string              // of lines, for a dump that went through Windows
	expect  []expectation
	passed  []*regexp.Regexp
	without []string // texts that must not be printed
	exit    string   // a usage error's text
	files   []txtar.File
}

// expectation is what is right for a table, "" for all of them, with a tool, "" for each.
type expectation struct {
	tool, table string
	verdicts    []usertables.Verdict
	says        *regexp.Regexp
}

func readCase(t *testing.T, file string) migrateCase {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := migrateCase{name: strings.TrimSuffix(filepath.Base(file), ".txt"), options: map[string][]string{}, files: archive.Files}
	for line := range strings.Lines(string(archive.Comment)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		switch key {
		case "alter":
			c.alter = value
		case "option", "writes", "table", "rows":
			c.args = append(c.args, "--"+key, value)
		case "tool-option":
			fields := strings.Fields(value)
			c.options[fields[0]] = append(c.options[fields[0]], fields[1:]...)
		case "servers":
			c.servers = strings.Fields(value)
		case "short":
			c.short = strings.Fields(value)
		case "file":
			c.ending = value
		case "passed":
			c.passed = append(c.passed, regexp.MustCompile(value))
		case "without", "silent":
			c.without = append(c.without, value)
		case "generate":
			c.files = append(c.files, txtar.File{Name: "schema.sql", Data: []byte(generated[value]())})
		case "exit":
			c.exit = strings.TrimPrefix(value, "2 ")
		case "expect":
			c.expect = append(c.expect, readExpectation(t, file, value))
		default:
			t.Fatalf("%s: unknown line %q", file, line)
		}
	}
	return c
}

// TestCasesAreListed holds that every case stands in the table of kinds, and nothing else does.
func TestCasesAreListed(t *testing.T) {
	table, err := os.ReadFile("../../usertables/testdata/kinds.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, name := range regexp.MustCompile(`[a-z][a-z0-9]*(?:-[a-z0-9]+)+`).FindAllString(string(table), -1) {
		listed[name] = true
	}
	files, err := filepath.Glob("../../usertables/testdata/cases/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		if !listed[name] {
			t.Errorf("kinds.md does not list the case %s", name)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("kinds.md lists %s, and there is no such case", name)
	}
}

// readExpectation reads [TOOL|*] [DATABASE.TABLE] VERDICT[|VERDICT…] [REGULAR EXPRESSION].
func readExpectation(t *testing.T, file, text string) (e expectation) {
	t.Helper()
	fields := strings.Fields(text)
	if first := fields[0]; first == "*" || first == migration.NameGhost || first == migration.NamePTOSC {
		e.tool, fields = strings.Trim(first, "*"), fields[1:]
	}
	if first, _, _ := strings.Cut(fields[0], "|"); !isVerdict(first) {
		e.table, fields = fields[0], fields[1:]
	}
	for one := range strings.SplitSeq(fields[0], "|") {
		if !isVerdict(one) {
			t.Fatalf("%s: %q is no verdict", file, one)
		}
		e.verdicts = append(e.verdicts, usertables.Verdict(strings.ReplaceAll(one, "-", " ")))
	}
	e.says = regexp.MustCompile(strings.Join(fields[1:], " "))
	return e
}

func isVerdict(text string) bool {
	return slices.Contains([]string{"migrated", "differs", "refused", "failed", "not-compared"}, text)
}

// on says whether a case is for a server.
func (c migrateCase) on(entry string) bool {
	return len(c.servers) == 0 || slices.ContainsFunc(c.servers, func(pattern string) bool {
		ok, err := path.Match(pattern, entry)
		return err == nil && ok
	})
}

// write puts the dump where it can be loaded from: one file, or a folder of several.
func (c migrateCase) write(t *testing.T, port int) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range c.files {
		text := bytes.ReplaceAll(file.Data, []byte("LISTEN"), []byte(strconv.Itoa(port)))
		if strings.HasSuffix(c.ending, "crlf") {
			text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
		}
		if strings.HasPrefix(c.ending, "bom") {
			text = append([]byte("\xef\xbb\xbf"), text...)
		}
		switch filepath.Ext(file.Name) {
		case ".gz":
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			if _, err := w.Write(text); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			text = b.Bytes()
		case ".zst":
			w, err := zstd.NewWriter(nil)
			if err != nil {
				t.Fatal(err)
			}
			text = w.EncodeAll(text, nil)
		}
		if c.ending == "cut" {
			text = text[:len(text)*2/3]
		}
		if err := os.WriteFile(filepath.Join(dir, file.Name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.files) == 1 {
		return filepath.Join(dir, c.files[0].Name)
	}
	return dir
}

// listener is the host that a dump speaks of. Nobody is to come.
func listener(t *testing.T) (port int, came *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // nobody waits for it
	came = &atomic.Int32{}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			conn.Close() // it was counted
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, came
}

// toolIsUnfit are the words of a tool that does not work on a server at all.
var toolIsUnfit = regexp.MustCompile(`Unknown system variable 'transaction_isolation'|near '(REPLICAS|log status)' at line 1`)

func TestMigrateCases(t *testing.T) {
	needsServer(t)
	files, err := filepath.Glob("../../usertables/testdata/cases/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var cases []migrateCase
	for _, file := range files {
		cases = append(cases, readCase(t, file))
	}
	if *caseTier == "short" {
		for _, c := range cases {
			for _, tool := range c.short {
				t.Run(c.name+"/"+shortEntry+"/"+tool, func(t *testing.T) {
					t.Parallel()
					c.command(t, tool)
				})
			}
		}
		return
	}
	for entry := range strings.SplitSeq(*caseEntries, ",") {
		t.Run(entry, func(t *testing.T) {
			t.Parallel()
			farm := newCaseFarm(t, entry)
			for _, tool := range strings.Split(*caseTools, ",") {
				for _, c := range cases {
					if c.on(entry) {
						t.Run(tool+"/"+c.name, func(t *testing.T) { farm.run(t, c, tool) })
					}
				}
			}
		})
	}
}

// command runs a case as a user would.
func (c migrateCase) command(t *testing.T, tool string) {
	port, came := listener(t)
	out := t.TempDir()
	args := slices.Concat([]string{"migrate", "--entry", shortEntry, "--tool", tool, "--schema", c.write(t, port), "--alter", c.change(port), "--out", out, "--jobs", "1"},
		c.args, []string{"--"}, c.options[tool])
	code, output := start(t, runFolder(t), args...).wait(t, 10*time.Minute)
	if c.exit != "" {
		exitCodeIs(t, code, exitUsage, output)
		c.refused(t, came, output)
		return
	}
	var report usertables.Report
	text, err := os.ReadFile(filepath.Join(out, "migrate.json"))
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	if err != nil {
		t.Fatalf("exit code %d, %v\n%s", code, err, output)
	}
	c.judge(t, tool, report, came, output)
}

// change is what follows ALTER TABLE t.
func (c migrateCase) change(port int) string {
	return strings.ReplaceAll(c.alter, "LISTEN", strconv.Itoa(port))
}

// refused holds what was said of a mistake.
func (c migrateCase) refused(t *testing.T, came *atomic.Int32, output string) {
	t.Helper()
	c.quiet(t, came, output)
	if !regexp.MustCompile(c.exit).MatchString(output) {
		t.Errorf("output does not say %q:\n%s", c.exit, output)
	}
}

// quiet holds that nobody was connected to and nothing was told that must not be.
func (c migrateCase) quiet(t *testing.T, came *atomic.Int32, output string) {
	t.Helper()
	if n := came.Load(); n > 0 {
		t.Errorf("%d connections to the host that the dump speaks of", n)
	}
	for _, text := range c.without {
		if strings.Contains(output, text) {
			t.Errorf("output says %q:\n%s", text, output)
		}
	}
}

// caseFarm runs many cases on one server: what matrix migrate does, on servers that are used again while they are as new.
type caseFarm struct {
	app    *app
	matrix *matrix.Matrix
	entry  string
	pool   pool.Pool
	runs   string
	number int
	unfit  map[string]string // tools that do not work on the server, with their words
}

// newCaseFarm has its servers where those of matrix's commands are, so that the next command ends what an interrupted test leaves.
func newCaseFarm(t *testing.T, entry string) *caseFarm {
	f := &caseFarm{app: &app{}, entry: entry, unfit: map[string]string{}}
	root, err := f.app.openRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	owned, err := root.Create(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	f.runs, f.pool = owned.Path, pool.Pool{Dir: filepath.Join(owned.Path, "p"), Idle: 2}
	if err := os.Mkdir(f.pool.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cleared := pool.Clear(f.pool.Dir)
		left, err := proc.Find(owned.Path)
		for _, one := range left {
			t.Errorf("left a process behind: %d %s", one.PID, one.Command)
		}
		if err := errors.Join(cleared, err, owned.Remove(context.Background())); err != nil {
			t.Error(err)
		}
	})
	if f.matrix, err = f.app.loadMatrix(); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *caseFarm) run(t *testing.T, c migrateCase, tool string) {
	if why := f.unfit[tool]; why != "" {
		t.Skipf("%s does not work on this server: %s", tool, why)
	}
	port, came := listener(t)
	report, err := f.change(t, c, tool, port)
	var output strings.Builder
	if textErr := report.WriteText(&output); textErr != nil {
		t.Fatal(textErr)
	}
	var mistake *usertables.Mistake
	switch {
	case c.exit != "" && errors.As(err, &mistake):
		c.refused(t, came, err.Error())
		return
	case err != nil:
		t.Fatalf("%v\n%s", err, output.String())
	}
	for _, o := range report.Tables {
		if toolIsUnfit.MatchString(o.Message) {
			f.unfit[tool] = o.Message
			if o.Verdict != usertables.VerdictRefused {
				t.Errorf("it is %s, want refused:\n%s", o.Verdict, o)
			}
			return
		}
	}
	c.judge(t, tool, *report, came, output.String())
}

// change does what the command does for one tool on one server.
func (f *caseFarm) change(t *testing.T, c migrateCase, tool string, port int) (*usertables.Report, error) {
	schema, err := dump.Open(c.write(t, port))
	if err != nil {
		return &usertables.Report{}, &usertables.Mistake{Err: err}
	}
	ref, err := f.matrix.ResolveTool(tool)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := f.matrix.Resolve(f.entry)
	if err != nil {
		t.Fatal(err)
	}
	flags := migrateFlags{}
	set := pflag.NewFlagSet("migrate", pflag.ContinueOnError)
	flags.register(set)
	if err := set.Parse(c.args); err != nil {
		t.Fatal(err)
	}
	f.number++
	config := usertables.Config{Schema: schema, Alter: c.change(port), Tables: flags.tables, Jobs: 1, Limit: flags.limit, Options: flags.options,
		ToolOptions: slices.Concat(f.matrix.ToolOptions(tool), c.options[tool]), Writes: flags.writes, Rows: flags.rows, Seed: flags.seed,
		Dir: filepath.Join(f.runs, "c"+strconv.Itoa(f.number)), Logs: t.TempDir(), Pool: &f.pool}
	cache, err := f.app.openCache(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := &migrateRun{app: f.app, flags: flags, matrix: f.matrix}
	if err := r.obtain(t.Context(), cache, migrateSubject{entry, ref, true}, &config); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(config.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return usertables.Run(t.Context(), config)
}

// judge compares verdicts with what is right.
func (c migrateCase) judge(t *testing.T, tool string, report usertables.Report, came *atomic.Int32, output string) {
	t.Helper()
	c.quiet(t, came, output)
	if c.exit != "" {
		t.Errorf("want a mistake that says %q:\n%s", c.exit, output)
	}
	seen := map[string]bool{}
	for _, o := range report.Tables {
		name := o.Database + "." + o.Table
		for i, e := range c.expect {
			if e.tool != "" && e.tool != tool || e.table != "" && e.table != name {
				continue
			}
			seen[fmt.Sprint(i)] = true
			if !slices.Contains(e.verdicts, o.Verdict) {
				t.Errorf("%s is %s, want one of %q:\n%s", name, o.Verdict, e.verdicts, o)
			}
			if !e.says.MatchString(strings.ReplaceAll(o.String(), "\n", " ")) {
				t.Errorf("%s does not say %q:\n%s", name, e.says, o)
			}
		}
	}
	for i, e := range c.expect {
		if (e.tool == "" || e.tool == tool) && !seen[fmt.Sprint(i)] {
			t.Errorf("no table for %q %q:\n%s", e.tool, e.table, output)
		}
	}
	for _, want := range c.passed {
		if !slices.ContainsFunc(report.PassedOver, func(p usertables.PassedOver) bool { return want.MatchString(p.String()) }) {
			t.Errorf("nothing that was passed over matches %q: %v", want, report.PassedOver)
		}
	}
}
