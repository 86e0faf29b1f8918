package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"mysqlmatrix/harness/matrix"
	"mysqlmatrix/harness/report"
)

type workflow struct {
	Permissions map[string]string
	On          map[string]any `yaml:"on"`
	Jobs        map[string]workflowJob
	Concurrency map[string]string
}

type workflowJob struct {
	Uses     string
	With     map[string]string
	Strategy struct {
		FailFast *bool  `yaml:"fail-fast"`
		Matrix   string `yaml:"matrix"`
	}
	Steps   []step
	Outputs map[string]string
}

type action struct {
	Inputs map[string]struct {
		Required bool
		Default  string
	}
	Runs struct{ Steps []step }
}

type step struct {
	ID, If, Uses, Run, Shell string
	WorkingDirectory         string `yaml:"working-directory"`
	Env, With                map[string]string
}

func readYAML(t *testing.T, path string, to any) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(projectRoot(t), path))
	if err == nil {
		err = yaml.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(text)
}

const (
	reusableFile = ".github/workflows/reusable.yml"
	callerFile   = ".github/workflows/matrix.yml"
	actionFile   = ".github/actions/entry/action.yml"
)

var pinned = regexp.MustCompile(`uses: (\./\S+|[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$`)

// What a workflow must never lose, whatever else changes in it.
func TestWorkflowsAreSafe(t *testing.T) {
	for _, path := range []string{reusableFile, callerFile, actionFile} {
		var w workflow
		text := readYAML(t, path, &w)
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); strings.Contains(line, "uses: ") && !pinned.MatchString(line) {
				t.Errorf("%s: an action is not pinned by commit: %s", path, line)
			}
		}
		if path != actionFile && !maps.Equal(w.Permissions, map[string]string{"contents": "read"}) {
			t.Errorf("%s: permissions %v, want contents: read alone", path, w.Permissions)
		}
		for name, j := range w.Jobs {
			if j.Strategy.Matrix != "" && (j.Strategy.FailFast == nil || *j.Strategy.FailFast) {
				t.Errorf("%s: job %s ends all others when one fails", path, name)
			}
			steps(t, path, j.Steps)
		}
		var a action
		readYAML(t, path, &a)
		steps(t, path, a.Runs.Steps)
		if path == callerFile && !strings.Contains(w.Concurrency["cancel-in-progress"], "'pull_request'") {
			t.Errorf("%s: concurrency %v cancels more than pull requests", path, w.Concurrency)
		}
	}
}

// steps checks that no text from outside becomes part of a script: values come by environment variables.
func steps(t *testing.T, path string, list []step) {
	t.Helper()
	for _, s := range list {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("%s: a script has an expression in it:\n%s", path, s.Run)
		}
	}
}

// service does what GitHub does with a workflow: it runs the steps as they stand, in a workspace, and keeps artifacts.
type service struct {
	t         *testing.T
	artifacts string
	runs      string // folder for servers
	basedirs  string // what a warm cache holds
	caller    string // the repository that calls the workflow, when it is not this one
}

// machine is one job's.
type machine struct {
	service
	workspace, temp, output, summary string
	values                           expressions
	failed                           error
	printed                          strings.Builder
}

func (s service) machine(values expressions) *machine {
	s.t.Helper()
	m := &machine{service: s, workspace: s.t.TempDir(), temp: s.t.TempDir(), values: maps.Clone(values)}
	m.output, m.summary = filepath.Join(m.temp, "output"), filepath.Join(m.temp, "summary")
	for _, file := range []string{m.output, m.summary} {
		m.ok(os.WriteFile(file, nil, 0o644))
	}
	m.values["github.workspace"], m.values["runner.temp"], m.values["github.repository"] = m.workspace, m.temp, "us/mysql-matrix"
	return m
}

func (m *machine) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) run(list []step) {
	m.t.Helper()
	for _, s := range list {
		if m.failed != nil && s.If != "always()" || s.If != "" && m.values.eval(m.t, s.If) == "" {
			continue
		}
		with := expressions{}
		for name, value := range s.With {
			with[name] = m.values.fill(m.t, value)
		}
		switch name, _, _ := strings.Cut(s.Uses, "@"); {
		case s.Run != "":
			m.script(s)
		case strings.HasPrefix(name, "./"):
			m.composite(name, with)
		case name == "actions/checkout" && with["repository"] == "" && m.caller != "":
			m.ok(os.CopyFS(filepath.Join(m.workspace, with["path"]), os.DirFS(m.caller)))
		case name == "actions/checkout":
			m.checkout(filepath.Join(m.workspace, with["path"]))
		case name == "actions/cache":
			m.ok(os.MkdirAll(filepath.Dir(with["path"]), 0o755))
			m.ok(os.Symlink(m.basedirs, with["path"]))
		case name == "actions/setup-go":
			if _, err := os.Stat(m.inWorkspace(with["go-version-file"])); err != nil {
				m.t.Errorf("setup-go: %v", err)
			}
		case name == "actions/upload-artifact":
			if strings.ContainsAny(with["name"], `/\:*?"<>|`) || with["if-no-files-found"] != "error" {
				m.t.Errorf("artifact %v", with)
			}
			m.ok(os.CopyFS(filepath.Join(m.artifacts, with["name"]), os.DirFS(m.inWorkspace(with["path"]))))
		case name == "actions/download-artifact":
			m.download(with)
		default:
			m.t.Fatalf("the workflows use %s, which this test knows nothing of", s.Uses)
		}
	}
}

func (m *machine) inWorkspace(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(m.workspace, path)
}

// checkout copies the project as it stands, without what git ignores.
func (m *machine) checkout(to string) {
	m.t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = projectRoot(m.t)
	out, err := list.Output()
	m.ok(err)
	for _, name := range strings.Split(strings.Trim(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(list.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and not yet committed
		}
		info, statErr := os.Stat(filepath.Join(list.Dir, name))
		m.ok(errors.Join(err, statErr, os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755)))
		m.ok(os.WriteFile(filepath.Join(to, name), text, info.Mode().Perm()))
	}
}

// script runs a step's command as GitHub would, with the shells that it would take.
func (m *machine) script(s step) {
	m.t.Helper()
	file := filepath.Join(m.temp, "script.sh")
	m.ok(os.WriteFile(file, []byte(s.Run), 0o644))
	args := []string{"-e", file}
	if s.Shell == "bash" {
		args = []string{"--noprofile", "--norc", "-eo", "pipefail", file}
	}
	c := exec.Command("bash", args...)
	c.Dir = m.inWorkspace(m.values.fill(m.t, s.WorkingDirectory))
	c.Env = append(os.Environ(), "GITHUB_OUTPUT="+m.output, "GITHUB_STEP_SUMMARY="+m.summary, "GITHUB_WORKSPACE="+m.workspace, "TMPDIR="+m.runs)
	for name, value := range s.Env {
		c.Env = append(c.Env, name+"="+m.values.fill(m.t, value))
	}
	out, err := c.CombinedOutput()
	m.printed.Write(out)
	if err != nil {
		m.failed = errors.Join(m.failed, fmt.Errorf("%s: %w\n%s", s.Run, err, out))
	}
}

func (m *machine) composite(path string, with expressions) {
	m.t.Helper()
	dir := filepath.Join(m.workspace, path)
	text, err := os.ReadFile(filepath.Join(dir, "action.yml"))
	m.ok(err)
	var a action
	m.ok(yaml.Unmarshal(text, &a))
	outer := m.values
	m.values = expressions{"github.action_path": dir, "runner.temp": m.temp}
	for name, input := range a.Inputs {
		value, given := with[name]
		if !given && input.Required {
			m.t.Errorf("%s is called without %s", path, name)
		}
		if value == "" {
			value = input.Default
		}
		m.values["inputs."+name] = value
	}
	for name := range with {
		if _, known := a.Inputs[name]; !known {
			m.t.Errorf("%s has no input %s", path, name)
		}
	}
	m.run(a.Runs.Steps)
	m.values = outer
}

func (m *machine) download(with expressions) {
	m.t.Helper()
	found, err := filepath.Glob(filepath.Join(m.artifacts, with["pattern"]))
	m.ok(err)
	for _, from := range found {
		m.ok(os.CopyFS(filepath.Join(m.inWorkspace(with["path"]), filepath.Base(from)), os.DirFS(from)))
	}
}

// inputs are a reusable workflow's, with the defaults for those that are not given.
func inputs(t *testing.T, w workflow, given map[string]string) expressions {
	t.Helper()
	values := expressions{}
	call, _ := w.On["workflow_call"].(map[string]any)
	declared, _ := call["inputs"].(map[string]any)
	for name, one := range declared {
		values["inputs."+name] = fmt.Sprint(one.(map[string]any)["default"])
	}
	for name, value := range given {
		if _, ok := values["inputs."+name]; !ok {
			t.Errorf("the workflow has no input %s", name)
		}
		values["inputs."+name] = value
	}
	return values
}

// Every step of the workflow and of its action runs here as it stands, on one server that is cached already and with
// one spec: plan, the entry's job, gate. One that fails must turn the gate red, and say so once.
func TestWorkflowSteps(t *testing.T) {
	needsServer(t)
	mustRun(t, runFolder(t), "fetch", entryName)
	shared, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	readYAML(t, reusableFile, &w)
	s := service{t: t, artifacts: t.TempDir(), runs: temporaryFolder(t), basedirs: filepath.Join(shared, "basedirs")}
	values := inputs(t, w, map[string]string{"entries": entryName, "suites": "pseudogtid", "focus": "finds the same coordinates", "retries": "1"})

	plan := s.machine(values)
	plan.run(w.Jobs["plan"].Steps)
	plan.mustPass()
	matrixJSON := plan.outputs()["matrix"]
	var planned struct{ Include []map[string]string }
	if err := json.Unmarshal([]byte(matrixJSON), &planned); err != nil || len(planned.Include) != 1 || planned.Include[0]["name"] != entryName {
		t.Fatalf("the plan is %s (%v)", matrixJSON, err)
	}

	one := maps.Clone(values)
	for name, value := range planned.Include[0] {
		one["matrix."+name] = value
	}
	entry := s.machine(one)
	entry.run(w.Jobs["entry"].Steps)
	entry.mustPass()

	one["needs.plan.outputs.matrix"] = matrixJSON
	gate := s.machine(one)
	gate.run(w.Jobs["gate"].Steps)
	gate.mustPass()
	gate.says(gate.summary, entryName, "✓ passed 1")
	for _, file := range []string{"run.json", "junit.xml", "summary.md", "page.html"} {
		if _, err := os.Stat(filepath.Join(s.artifacts, "matrix", file)); err != nil {
			t.Error(err)
		}
	}

	// A job that was lost: the gate fails, and its steps that always run still tell of it.
	one["needs.plan.outputs.matrix"] = strings.Replace(matrixJSON, `"cells":"`, `"cells":"mysql-5.6/pseudogtid/embedded@builtin `, 1)
	s.artifacts = copyOf(t, s.artifacts, "results-*")
	lost := s.machine(one)
	lost.run(w.Jobs["gate"].Steps)
	if lost.failed == nil {
		t.Error("the gate passes although a planned cell reported nothing")
	}
	lost.says(lost.summary, "mysql-5.6", "E errored")
	if n := strings.Count(lost.printed.String(), "::error "); n != 1 || !strings.Contains(lost.printed.String(), "::error title=mysql-5.6%3A 1 cell errored::") {
		t.Errorf("%d annotations:\n%s", n, lost.printed.String())
	}
}

// A fork of gh-ost calls the workflow with its own checkout, as the example in the README does: that is built and tested.
// Its code is gh-ost's own, which asks this server for a variable that it does not have: the gate must turn red, and say so.
func TestWorkflowOfAFork(t *testing.T) {
	needsServer(t)
	t.Parallel()
	mustRun(t, runFolder(t), "fetch", entryName)
	shared, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	var w, fork workflow
	readYAML(t, reusableFile, &w)
	readYAML(t, "fixtures/gh-ost-fork.yml", &fork)
	given := fork.Jobs["matrix"].With
	given["entries"], given["focus"] = entryName, "^gh-ost allow-on-master: keys: a text key whose collation folds case and accents$"
	s := service{t: t, artifacts: t.TempDir(), runs: temporaryFolder(t), basedirs: filepath.Join(shared, "basedirs"), caller: ghostSource(t)}
	values := inputs(t, w, given)
	plan := s.machine(values)
	plan.run(w.Jobs["plan"].Steps)
	plan.mustPass()
	matrixJSON := plan.outputs()["matrix"]
	var planned struct{ Include []map[string]string }
	if err := json.Unmarshal([]byte(matrixJSON), &planned); err != nil || len(planned.Include) != 1 {
		t.Fatalf("the plan is %s (%v)", matrixJSON, err)
	}
	one := maps.Clone(values)
	for name, value := range planned.Include[0] {
		one["matrix."+name] = value
	}
	entry := s.machine(one)
	entry.run(w.Jobs["entry"].Steps)
	if entry.failed == nil {
		t.Errorf("the entry's job passes:\n%s", entry.printed.String())
	}
	if !strings.Contains(entry.printed.String(), "build gh-ost from "+entry.workspace) {
		t.Errorf("the checkout is not built:\n%s", entry.printed.String())
	}
	one["needs.plan.outputs.matrix"] = matrixJSON
	gate := s.machine(one)
	gate.run(w.Jobs["gate"].Steps)
	if gate.failed == nil {
		t.Error("the gate passes")
	}
	gate.says(gate.summary, entryName, "✗ failed 1", "gh-ost unversioned", "Unknown system variable 'transaction_isolation'")
}

// ghostSource is a folder with the code of the gh-ost that matrix.yaml names first.
func ghostSource(t *testing.T) string {
	t.Helper()
	m, err := matrix.Load(filepath.Join(projectRoot(t), "matrix.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := m.Plan(matrix.Selection{Entries: []string{entryName}, Suites: []string{"migration"}, Tools: []string{"gh-ost"}})
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("go", "mod", "download", "-json", cells[0].Tool.Source.Module.Path+"@"+cells[0].Tool.Version)
	c.Dir = t.TempDir() // outside of this module
	out, err := c.Output()
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &module); err != nil || jsonErr != nil || module.Error != "" {
		t.Fatalf("%s: %v %v %s", c, err, jsonErr, out)
	}
	return module.Dir
}

// temporaryFolder is a short $TMPDIR, in which no server may be left.
func temporaryFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nothingLeft(t, filepath.Join(dir, fmt.Sprintf("mysql-matrix-%d", os.Getuid())))
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func copyOf(t *testing.T, from, pattern string) string {
	t.Helper()
	to := t.TempDir()
	found, err := filepath.Glob(filepath.Join(from, pattern))
	for _, one := range found {
		err = errors.Join(err, os.CopyFS(filepath.Join(to, filepath.Base(one)), os.DirFS(one)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func (m *machine) mustPass() {
	m.t.Helper()
	if m.failed != nil {
		m.t.Fatal(m.failed)
	}
}

func (m *machine) outputs() map[string]string {
	m.t.Helper()
	text, err := os.ReadFile(m.output)
	m.ok(err)
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			m.t.Errorf("GITHUB_OUTPUT has a line that is none: %q", line)
		}
		values[name] = value
	}
	return values
}

func (m *machine) says(file string, words ...string) {
	m.t.Helper()
	text, err := os.ReadFile(file)
	m.ok(err)
	for _, word := range words {
		if !strings.Contains(string(text), word) {
			m.t.Errorf("the summary does not say %q:\n%s", word, text)
		}
	}
	if len(text) > report.MarkdownLimit {
		m.t.Errorf("the summary has %d bytes", len(text))
	}
}

// The pipeline of the plan for GitLab is whole: its jobs extend what is there, and have what that needs.
func TestGitLabPlan(t *testing.T) {
	var entry map[string]struct{ Script []string }
	text := readYAML(t, ".gitlab/entry.yml", &map[string]any{})
	if err := yaml.Unmarshal([]byte(text), &entry); err == nil && len(entry[".entry"].Script) == 0 {
		t.Error(".gitlab/entry.yml has no .entry with a script")
	}
	output := mustRun(t, runFolder(t), "plan", "--format", "gitlab", "--shards", "4")
	var pipeline map[string]struct {
		Extends   string
		Variables map[string]string
	}
	var whole map[string]any
	if err := yaml.Unmarshal([]byte(output), &whole); err != nil {
		t.Fatal(err)
	}
	delete(whole, "include")
	jobs, err := yaml.Marshal(whole)
	if err == nil {
		err = yaml.Unmarshal(jobs, &pipeline)
	}
	if err != nil || len(pipeline) != 4 {
		t.Fatalf("%d jobs (%v):\n%s", len(pipeline), err, output)
	}
	for name, j := range pipeline {
		given := slices.Sorted(maps.Keys(j.Variables))
		if j.Extends != ".entry" || !slices.Equal(given, []string{"MATRIX_CELLS", "MATRIX_ENTRIES", "MATRIX_KEY", "MATRIX_NAME"}) {
			t.Errorf("job %s: %+v", name, j)
		}
		for _, variable := range given {
			if !strings.Contains(text, "$"+variable) {
				t.Errorf(".entry makes no use of %s", variable)
			}
		}
	}
}
