package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
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

	"mysqlmatrix/harness/migration"
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
		case "option", "writes", "table":
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
var toolIsUnfit = regexp.MustCompile(`Unknown system variable 'transaction_isolation'|near 'REPLICAS' at line 1`)

// always are options by which a tool works on every server: pt-online-schema-change 3.7.1 looks for replicas in words that
// distributions' builds of MariaDB do not know.
var always = map[string][]string{migration.NamePTOSC: {"--recursion-method=none"}}

func TestMigrateCases(t *testing.T) {
	needsServer(t)
	files, err := filepath.Glob("../../usertables/testdata/cases/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	entries, tools := strings.Split(*caseEntries, ","), strings.Split(*caseTools, ",")
	if *caseTier == "short" {
		entries = []string{shortEntry}
	}
	for _, file := range files {
		c := readCase(t, file)
		for _, entry := range entries {
			for _, tool := range tools {
				if !c.on(entry) || *caseTier == "short" && !slices.Contains(c.short, tool) {
					continue
				}
				t.Run(c.name+"/"+entry+"/"+tool, func(t *testing.T) {
					t.Parallel()
					c.run(t, entry, tool)
				})
			}
		}
	}
}

func (c migrateCase) run(t *testing.T, entry, tool string) {
	port, came := listener(t)
	out := t.TempDir()
	alter := strings.ReplaceAll(c.alter, "LISTEN", strconv.Itoa(port))
	args := slices.Concat([]string{"migrate", "--entry", entry, "--tool", tool, "--schema", c.write(t, port), "--alter", alter, "--out", out, "--jobs", "1"},
		c.args, []string{"--"}, always[tool], c.options[tool])
	code, output := start(t, runFolder(t), args...).wait(t, 10*time.Minute)
	if n := came.Load(); n > 0 {
		t.Errorf("%d connections to the host that the dump speaks of", n)
	}
	for _, text := range c.without {
		if strings.Contains(output, text) {
			t.Errorf("output says %q:\n%s", text, output)
		}
	}
	if c.exit != "" {
		exitCodeIs(t, code, exitUsage, output)
		if !regexp.MustCompile(c.exit).MatchString(output) {
			t.Errorf("output does not say %q:\n%s", c.exit, output)
		}
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
	c.judge(t, tool, report, output)
}

// judge compares verdicts with what is right.
func (c migrateCase) judge(t *testing.T, tool string, report usertables.Report, output string) {
	t.Helper()
	seen := map[string]bool{}
	for _, o := range report.Tables {
		if toolIsUnfit.MatchString(o.Message) && o.Verdict != usertables.VerdictMigrated {
			t.Skipf("%s does not work on this server: %s", tool, o.Message)
		}
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
