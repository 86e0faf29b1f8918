package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/scenario"
	"mysqlmatrix/harness/trackrecord"
)

// block is a code block of a page.
type block struct{ page, language, text string }

var (
	fenced   = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	linked   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	makeName = regexp.MustCompile(`(?m)^([a-z-]+):`)
)

// pagesOfDocs are the README, CONTRIBUTING and all pages of docs/, by their paths in the project.
func pagesOfDocs(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := projectRoot(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && name != "docs" && !strings.HasPrefix(name, "docs/") {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".md") {
			text, err := os.ReadFile(path)
			found[name] = string(text)
			return err
		}
		return nil
	})
	if err != nil || len(found) < 10 {
		t.Fatalf("%d pages: %v", len(found), err)
	}
	return found
}

func blocks(t *testing.T) []block {
	t.Helper()
	var list []block
	for page, text := range pagesOfDocs(t) {
		for _, found := range fenced.FindAllStringSubmatch(text, -1) {
			list = append(list, block{page, found[1], found[2]})
		}
	}
	return list
}

// words splits a line as a shell does, of somebody whose home's path has no blank.
func words(t *testing.T, line string) []string {
	t.Helper()
	c := exec.Command("bash", "-c", "set -f; set -- "+line+"\nprintf '%s\\0' \"$@\"")
	c.Env = append(os.Environ(), "HOME=/home/reader")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// commandOfDocs is one command that a page tells its reader to type.
type commandOfDocs struct{ page, line string }

var (
	inline      = regexp.MustCompile("`((?:bin/matrix|make) [^`]+)`")
	placeholder = regexp.MustCompile(`…|^[A-Z]{2,}(/ID)?$|^/path/`)
)

// commandsOfDocs are the lines of all bash blocks, what stands behind a prompt in a text block, and commands inside of prose
// and tables.
func commandsOfDocs(t *testing.T) []commandOfDocs {
	t.Helper()
	var list []commandOfDocs
	for page, text := range pagesOfDocs(t) {
		for _, found := range inline.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			list = append(list, commandOfDocs{page, found[1]})
		}
	}
	for _, b := range blocks(t) {
		for line := range strings.Lines(b.text) {
			line = strings.TrimSpace(line)
			typed, prompt := strings.CutPrefix(line, "$ ")
			if line != "" && (b.language == "bash" || b.language == "text" && prompt) {
				list = append(list, commandOfDocs{b.page, typed})
			}
		}
	}
	return list
}

// Every command of the pages is one that there is: its flags, and the entries, suites, tools and versions that it names. Those
// that neither obtain nor start anything are run. What a command does on servers is tested where it is made.
func TestCommandsOfTheDocs(t *testing.T) {
	m, err := matrix.Load(filepath.Join(projectRoot(t), "matrix.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	commands, ran, done := 0, 0, map[string]bool{}
	for _, c := range commandsOfDocs(t) {
		commands++
		if err := checkCommand(t, m, words(t, c.line)); err != nil {
			t.Errorf("%s: %s: %v", c.page, c.line, err)
			continue
		}
		args := words(t, c.line)
		if args[0] != "bin/matrix" || !runs(args) || done[c.line] {
			continue
		}
		done[c.line] = true
		ran++
		if args[1] == "list" {
			args = append(args, "--offline") // the network says nothing of the page
		}
		if code, output := runMatrix(t, runFolder(t), args[1:]...); code != 0 && args[1] != "doctor" {
			t.Errorf("%s: %s: exit code %d\n%s", c.page, c.line, code, output)
		}
	}
	if commands < 60 || ran < 5 {
		t.Errorf("only %d commands, %d run", commands, ran)
	}
}

// runs says whether a command can be run here: it needs no server and no result.
func runs(args []string) bool {
	switch {
	case len(args) < 2 || slices.Contains(args, "--outdated"):
		return false
	case args[1] == "issue":
		return len(args) == 2
	}
	return slices.Contains([]string{"plan", "doctor", "list", "status", "schema"}, args[1])
}

// checkCommand checks a command of the pages as far as it goes without running it.
func checkCommand(t *testing.T, m *matrix.Matrix, args []string) error {
	switch args[0] {
	case "bin/matrix":
		return checkMatrixCommand(m, args[1:])
	case "make":
		return checkMake(t, m, args[1:])
	}
	return errors.New("this test knows matrix and make")
}

// checkMake checks a target and its variables, which say the same as flags of matrix.
func checkMake(t *testing.T, m *matrix.Matrix, args []string) error {
	makefile, err := os.ReadFile(filepath.Join(projectRoot(t), "Makefile"))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(makeName.FindAllStringSubmatch(string(makefile), -1), func(found []string) bool { return found[1] == args[0] }) {
		return errors.New("no such target")
	}
	flags := map[string]string{"VERSION": "--entry", "SUITE": "--suite", "FOCUS": "--focus", "NAME": ""}
	of := map[string]string{"test": "run", "test-all": "run", "pr": "run", "check": "run", "issue": "issue"}[args[0]]
	command := []string{of}
	for _, variable := range args[1:] {
		name, value, ok := strings.Cut(variable, "=")
		flag, known := flags[name]
		switch {
		case !ok || !regexp.MustCompile(`\b`+name+`\b`).Match(makefile):
			return fmt.Errorf("no such variable: %s", variable)
		case name == "ARGS":
			command = append(command, words(t, value)...)
		case flag != "":
			command = append(command, flag, value)
		case known:
			command = append(command, value)
		}
	}
	if of == "" {
		return nil
	}
	return checkMatrixCommand(m, command)
}

// checkMatrixCommand checks a command line as the program would, up to where it would begin, and the names in it.
func checkMatrixCommand(m *matrix.Matrix, args []string) error {
	command, rest, err := newRoot(&app{}).Find(args)
	if err == nil {
		err = command.ParseFlags(rest)
	}
	if err == nil {
		rest = command.Flags().Args()
		err = command.ValidateArgs(rest)
	}
	if err == nil {
		err = noEmpty(command, rest)
	}
	if err == nil && !runnable(command) {
		err = errors.New("that is no command to run")
	}
	if err != nil {
		return err
	}
	var errs []error
	command.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			errs = append(errs, checkName(m, f.Name, value))
		}
	})
	if slices.Contains([]string{"up", "fetch", "issue"}, command.Name()) {
		for _, value := range rest {
			errs = append(errs, checkName(m, "argument of "+command.Name(), value))
		}
	}
	return errors.Join(errs...)
}

// checkName checks what a flag, or the arguments of a command, name.
func checkName(m *matrix.Matrix, of, value string) error {
	if placeholder.MatchString(value) {
		return nil
	}
	var err error
	switch of {
	case "entry", "from", "to", "argument of up", "argument of fetch":
		_, err = m.Plan(matrix.Selection{Entries: []string{value}})
	case "suite":
		_, err = m.Plan(matrix.Selection{Suites: []string{value}})
	case "tool":
		_, err = m.ResolveTool(value)
	case "tier":
		_, err = matrix.ParseTier(value)
	case "focus":
		_, err = regexp.Compile(value)
	case "argument of issue":
		var list []trackrecord.Issue
		if list, err = trackrecord.Read(trackRecord(m)); err == nil {
			_, err = trackrecord.Find(list, value)
		}
	}
	return err
}

func runnable(c *cobra.Command) bool { return c.Runnable() && c.HasParent() }

// Examples in help texts are checked as those of the pages are.
func TestExamplesOfHelp(t *testing.T) {
	m, err := matrix.Load(filepath.Join(projectRoot(t), "matrix.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	var check func(*cobra.Command)
	check = func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "   ") // what it does stands behind it
			line, _, _ = strings.Cut(line, " >")
			args := words(t, line)
			if args[0] != "matrix" {
				continue
			}
			examples++
			if err := checkMatrixCommand(m, args[1:]); err != nil {
				t.Errorf("help of %s: %s: %v", c.Name(), line, err)
			}
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(newRoot(&app{}))
	if examples < 30 {
		t.Errorf("only %d examples", examples)
	}
}

// Each block of YAML is taken by what reads it: entries and tools of matrix.yaml, known failures, a scenario's expect.yaml.
// Workflows of CI are only parsed here; the tests of workflows compare them with files that are linted.
func TestYAMLOfTheDocs(t *testing.T) {
	const tools = "tools:\n  - name: gh-ost\n    suites: [migration]\n    versions: [{version: v1.1.6, tier: pr, module: {path: p, command: c}}]\n"
	const entries = "entries:\n  - {name: mysql-9.7, vendor: mysql, series: \"9.7\", tier: pr, sources: [{dir: {path: /nowhere}}]}\n"
	read := 0
	for _, b := range blocks(t) {
		switch b.language {
		case "bash", "text":
			continue
		case "yaml":
		default:
			t.Errorf("%s: a code block is neither bash nor yaml nor text:\n%s", b.page, b.text)
			continue
		}
		var files map[string]string
		switch b.page {
		case "docs/add-a-server.md":
			files = map[string]string{"matrix.yaml": tools + "entries:\n" + b.text}
		case "docs/add-a-tool.md":
			files = map[string]string{"matrix.yaml": "tools:\n" + b.text + entries}
		case "docs/known-failures.md":
			files = map[string]string{"matrix.yaml": tools + entries + "expectations: known\n", "known/gh-ost.yaml": "expectations:\n" + b.text}
		case "docs/write-a-scenario.md":
			files = map[string]string{"s/expect.yaml": b.text, "s/create.sql": "CREATE TABLE t (id INT);\n", "s/load.sql": "INSERT INTO t VALUES (1);\n",
				"s/alter": "ADD COLUMN c INT\n", "s/writes.sql": "DELETE FROM t WHERE id = {n};\n"}
		}
		if err := loadYAML(t, b.text, files); err != nil {
			t.Errorf("%s: %v in\n%s", b.page, err, b.text)
		}
		if files != nil {
			read++
		}
	}
	if read < 4 {
		t.Errorf("only %d blocks are read by what they are for", read)
	}
}

func loadYAML(t *testing.T, text string, files map[string]string) error {
	t.Helper()
	var any any
	if err := yaml.Unmarshal([]byte(text), &any); err != nil || files == nil {
		return err
	}
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if files["matrix.yaml"] == "" {
		_, err := scenario.ReadAll(os.DirFS(dir))
		return err
	}
	_, err := matrix.Load(filepath.Join(dir, "matrix.yaml"))
	return err
}

// Links lead to files that are there.
func TestLinksOfTheDocs(t *testing.T) {
	for page, text := range pagesOfDocs(t) {
		for _, found := range linked.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(found[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(projectRoot(t), filepath.Dir(page), target)); err != nil {
				t.Errorf("%s: the file linked here is missing: %s", page, target)
			}
		}
	}
}

// A README that nobody reads to its end helps nobody.
func TestREADMEIsShort(t *testing.T) {
	text := pagesOfDocs(t)["README.md"]
	if n := strings.Count(text, "\n"); n > 150 {
		t.Errorf("the README has %d lines, want at most 150", n)
	}
}

// A command that is not there, and a name that is none, is noticed: an oracle that cannot fail is none.
func TestCommandsThatAreNotThere(t *testing.T) {
	m, err := matrix.Load(filepath.Join(projectRoot(t), "matrix.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"bin/matrix runs", "bin/matrix run --nonsense", "bin/matrix migrate extra", "bin/matrix down a b", "bin/matrix fetch ''",
		"bin/matrix run --entry mysql-9.9", "bin/matrix run --suite migratoin", "bin/matrix run --tool gh-ost=v9", "bin/matrix run --tier short", "bin/matrix run --focus '('",
		"bin/matrix up mariadb-9", "bin/matrix issue no-such-bug", "make nonsense", "make test VERSION=mysql-9.9", "make test NONSENSE=1", "make issue NAME=no-such-bug",
		"make check ARGS='--nonsense'", "sudo make"} {
		if checkCommand(t, m, words(t, line)) == nil {
			t.Errorf("%s is taken", line)
		}
	}
}
