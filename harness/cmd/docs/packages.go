package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	architecture  = "docs/architecture.md"
	packagesBegin = "| package | what it does |\n| --- | --- |\n"
	packagesEnd   = "\nPrograms: "
)

var orderOfImports = regexp.MustCompile(`(?s)var order = \[\]string\{(.*?)\n\}`)

// withPackages is docs/architecture.md with its table of packages made anew: in the order in which they may import one
// another, each with the first sentence of its comment.
func withPackages(project string) (string, error) {
	text, err := os.ReadFile(filepath.Join(project, architecture))
	if err != nil {
		return "", err
	}
	before, rest, found := strings.Cut(string(text), packagesBegin)
	_, after, ends := strings.Cut(rest, packagesEnd)
	if !found || !ends {
		return "", errors.New(architecture + " has no table of packages")
	}
	sentences, err := sentences(project)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(filepath.Join(project, "harness", "imports_test.go"))
	if err != nil {
		return "", err
	}
	order := orderOfImports.FindSubmatch(source)
	if order == nil {
		return "", errors.New("harness/imports_test.go has no order of imports")
	}
	var table strings.Builder
	for _, quoted := range regexp.MustCompile(`"([\w/]+)"`).FindAllSubmatch(order[1], -1) {
		name := string(quoted[1])
		if sentence := sentences[name]; sentence != "" && !strings.HasPrefix(name, "cmd/") {
			fmt.Fprintf(&table, "| `%s` | %s |\n", name, sentence)
		}
	}
	return before + packagesBegin + table.String() + packagesEnd + after, nil
}

// sentences are the first sentences of packages' comments, without the package's name.
func sentences(project string) (map[string]string, error) {
	c := exec.Command("go", "list", "-f", `{{.ImportPath}} {{.Doc}}`, "./harness/...")
	c.Dir = project
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	list := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, doc, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, name, _ := strings.Cut(path, "/harness/")
		_, sentence, _ := strings.Cut(strings.TrimPrefix(doc, "Package "), " ")
		list[name] = strings.ReplaceAll(strings.TrimSuffix(sentence, "."), "|", `\|`)
	}
	return list, nil
}
