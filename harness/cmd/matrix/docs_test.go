package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"
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

// words splits a line as a shell does.
func words(t *testing.T, line string) []string {
	t.Helper()
	out, err := exec.Command("bash", "-c", "set -f; set -- "+line+"\nprintf '%s\\0' \"$@\"").Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// Every command of the pages is one that there is, with flags and arguments that it takes; those that neither obtain nor
// start anything are run.
func TestCommandsOfTheDocs(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(projectRoot(t), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, found := range makeName.FindAllStringSubmatch(string(makefile), -1) {
		targets = append(targets, found[1])
	}
	commands, ran := 0, 0
	for _, b := range blocks(t) {
		switch b.language {
		case "bash":
		case "yaml":
			var any any
			if err := yaml.Unmarshal([]byte(b.text), &any); err != nil {
				t.Errorf("%s: %v in\n%s", b.page, err, b.text)
			}
			continue
		case "text":
			continue
		default:
			t.Errorf("%s: a code block is neither bash nor yaml nor text:\n%s", b.page, b.text)
			continue
		}
		for line := range strings.Lines(b.text) {
			args := words(t, strings.TrimSpace(line))
			commands++
			switch args[0] {
			case "":
			case "make":
				if !slices.Contains(targets, args[1]) {
					t.Errorf("%s: %s: no such target", b.page, line)
				}
			case "bin/matrix":
				if isCommand(t, b.page, line, args[1:]) && slices.Contains([]string{"plan", "issue", "doctor"}, args[1]) && len(args) > 1 {
					ran++
					if code, output := runMatrix(t, runFolder(t), args[1:]...); code != 0 && args[1] != "doctor" {
						t.Errorf("%s: %s: exit code %d\n%s", b.page, line, code, output)
					}
				}
			default:
				t.Errorf("%s: %s: this test knows matrix and make", b.page, line)
			}
		}
	}
	if commands < 30 || ran == 0 {
		t.Errorf("only %d commands, %d run", commands, ran)
	}
}

// isCommand checks a command line as the program would, up to where it would begin.
func isCommand(t *testing.T, page, line string, args []string) bool {
	t.Helper()
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
	if err != nil || !runnable(command) {
		t.Errorf("%s: %s: %v", page, line, err)
		return false
	}
	return true
}

func runnable(c *cobra.Command) bool { return c.Runnable() && c.HasParent() }

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

// A command that is not there is noticed: an oracle that cannot fail is none.
func TestCommandsThatAreNotThere(t *testing.T) {
	for _, line := range []string{"runs", "run --nonsense", "migrate extra", "down a b", "fetch ''"} {
		args := words(t, line)
		command, rest, err := newRoot(&app{}).Find(args)
		if err == nil {
			err = command.ParseFlags(rest)
		}
		if err == nil {
			err = command.ValidateArgs(command.Flags().Args())
		}
		if err == nil {
			err = noEmpty(command, command.Flags().Args())
		}
		if err == nil {
			t.Errorf("matrix %s is taken", line)
		}
	}
}
