package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"mysqlmatrix/harness/report"
	"mysqlmatrix/harness/results"
)

var inputUsed = regexp.MustCompile(`\binputs\.([\w-]+)`)

// actionlint does not read actions: a key that GitHub does not know, an input that is not there or that nothing uses, a
// script without a shell.
func TestActionIsWhole(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(projectRoot(t), actionFile))
	if err != nil {
		t.Fatal(err)
	}
	var a action
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&a); err != nil {
		t.Fatal(err)
	}
	if a.Runs.Using != "composite" || a.Name == "" || a.Description == "" {
		t.Errorf("%s: it is %q, uses %q: %q", actionFile, a.Name, a.Runs.Using, a.Description)
	}
	used := map[string]bool{}
	for _, found := range inputUsed.FindAllSubmatch(text, -1) {
		name := string(found[1])
		if _, ok := a.Inputs[name]; !ok {
			t.Errorf("it has no input %s", name)
		}
		used[name] = true
	}
	for name, in := range a.Inputs {
		if !used[name] || in.Description == "" || in.Required == (in.Default != nil) {
			t.Errorf("input %s: used %t, %+v; it has to be required or to have a default", name, used[name], in)
		}
	}
	for _, s := range a.Runs.Steps {
		if (s.Run == "") == (s.Uses == "") || (s.Run == "") != (s.Shell == "") {
			t.Errorf("a step is not one action, or one script with its shell: %+v", s)
		}
	}
}

// docs/ci.md calls the action with inputs that it has, and with those that it wants.
func TestExampleOfTheAction(t *testing.T) {
	var a action
	readYAML(t, actionFile, &a)
	page, err := os.ReadFile(filepath.Join(projectRoot(t), "docs", "ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	const call = "      - uses: OWNER/mysql-matrix/.github/actions/entry@"
	_, example, found := strings.Cut(string(page), "```yaml\n"+call)
	example, _, _ = strings.Cut(call+example, "```")
	var list []step
	if err := yaml.Unmarshal([]byte(example), &list); err != nil || !found || len(list) != 1 {
		t.Fatalf("docs/ci.md has no such example (%v):\n%s", err, example)
	}
	for name := range list[0].With {
		if _, ok := a.Inputs[name]; !ok {
			t.Errorf("docs/ci.md gives the action %s, which is no input of it", name)
		}
	}
	for name, in := range a.Inputs {
		if _, given := list[0].With[name]; in.Required && !given {
			t.Errorf("docs/ci.md calls the action without %s", name)
		}
	}
}

// Another repository gives the action an entry and nothing else. A server that it has named and that cannot be obtained is
// an error, whose results are there, and an incomplete cache is not saved.
func TestActionOfOneEntry(t *testing.T) {
	t.Parallel()
	s := service{t: t, artifacts: t.TempDir(), runs: temporaryFolder(t), basedirs: t.TempDir(), cold: true}
	m := s.machine(expressions{})
	m.checkout(filepath.Join(m.workspace, "elsewhere"))
	m.ok(os.WriteFile(filepath.Join(m.workspace, "elsewhere", matrixFile), []byte(nowhere), 0o644))
	m.composite("./elsewhere/"+filepath.Dir(actionFile), expressions{"entry": "mysql-8.0"})
	if m.failed == nil || !strings.Contains(m.failed.Error(), "bin/matrix run") {
		t.Errorf("the run does not tell of a server that was named and cannot be obtained: %v", m.failed)
	}
	if len(m.saved) > 0 {
		t.Errorf("the servers are saved as %v, with one missing", m.saved)
	}
	run, err := results.Read(filepath.Join(m.artifacts, "results-mysql-8.0"))
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Cells) != 1 || run.Cells[0].ID.String() != "mysql-8.0/failover/embedded@builtin" || run.Cells[0].Verdict != report.VerdictUnavailable {
		t.Errorf("the cells are %+v", run.Cells)
	}
	planned := mustRun(t, s.runs, "--matrix", filepath.Join(m.workspace, "elsewhere", matrixFile), "plan", "--entry", "mysql-8.0")
	if key := strings.TrimPrefix(m.restored, "basedirs-"); key == "" || !strings.Contains(planned, `"key": "`+key+`"`) {
		t.Errorf("the cache is looked for as %q; the plan is\n%s", m.restored, planned)
	}
}

// A program that an earlier job of the calling workflow has built is under the test, and can be run.
func TestToolOfAnArtifact(t *testing.T) {
	var w workflow
	readYAML(t, reusableFile, &w)
	s := service{t: t, artifacts: t.TempDir(), caller: t.TempDir()}
	values := inputs(t, w, map[string]string{"tool": "gh-ost=./bin/gh-ost", "tool-artifact": "build-42"})
	m := s.machine(values)
	m.ok(os.MkdirAll(filepath.Join(m.artifacts, "build-42", "bin"), 0o755))
	m.ok(os.WriteFile(filepath.Join(m.artifacts, "build-42", "bin", "gh-ost"), []byte("#!/bin/sh\necho 42\n"), 0o755))
	list := w.Jobs["entry"].Steps
	last := slices.IndexFunc(list, func(s step) bool { return strings.HasPrefix(s.Uses, "./") })
	m.run(list[:last]) // all before the action
	m.run([]step{{Run: "subject/bin/gh-ost", Shell: "bash"}})
	m.mustPass()
	if m.printed.String() != "42\n" {
		t.Errorf("printed %q", m.printed.String())
	}
	if tool := m.values.fill(t, list[last].With["tool"]); tool != "gh-ost=./bin/gh-ost" {
		t.Errorf("the action is given the tool %q", tool)
	}
}
