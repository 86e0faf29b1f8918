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
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"mysqlmatrix/harness/report"
)

// service does what GitHub does with a workflow: it runs the steps as they stand, in a workspace, and keeps artifacts.
type service struct {
	t         *testing.T
	artifacts string
	runs      string // folder for servers
	basedirs  string // what the cache holds
	cold      bool   // the cache says that it has nothing
	caller    string // the repository that calls the workflow, when it is not this one
}

// machine is one job's.
type machine struct {
	service
	workspace, temp, output, summary string
	values                           expressions
	restored                         string   // the key of the cache
	saved                            []string // keys
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
		if s.ID != "" {
			m.values["steps."+s.ID] = "there"
		}
		if m.failed != nil && !strings.HasPrefix(s.If, "always()") || s.If != "" && m.values.eval(m.t, s.If) == "" {
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
		case name == "actions/cache/restore" && strings.HasPrefix(with["key"], "go-"):
			m.values["steps."+s.ID+".outputs.cache-hit"] = "true" // the machine's own
		case name == "actions/cache/restore":
			shareBasedirs(m.t, m.basedirs, with["path"])
			m.restored = with["key"]
			m.values["steps."+s.ID+".outputs.cache-primary-key"] = with["key"]
			if !m.cold {
				m.values["steps."+s.ID+".outputs.cache-hit"] = "true"
			}
		case name == "actions/cache/save":
			m.saved = append(m.saved, with["key"])
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
	m.ok(os.WriteFile(m.output, nil, 0o644))
	c.Env = append(os.Environ(), "GITHUB_OUTPUT="+m.output, "GITHUB_STEP_SUMMARY="+m.summary, "GITHUB_WORKSPACE="+m.workspace, "TMPDIR="+m.runs,
		"LC_ALL=C.UTF-8") // bash tells of one that is not installed
	for name, value := range s.Env {
		c.Env = append(c.Env, name+"="+m.values.fill(m.t, value))
	}
	out, err := c.CombinedOutput()
	m.printed.Write(out)
	for name, value := range m.outputs() {
		m.values["steps."+s.ID+".outputs."+name] = value
	}
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
	m.values = expressions{"github.action_path": dir, "runner.temp": m.temp, "runner.os": "Linux", "runner.arch": "X64"}
	for name, input := range a.Inputs {
		value, given := with[name]
		if !given && input.Required {
			m.t.Errorf("%s is called without %s", path, name)
		}
		if !given && input.Default != nil {
			value = *input.Default
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

// download takes one artifact into a folder, or all of a pattern into folders of their names. What was executable is no more.
func (m *machine) download(with expressions) {
	m.t.Helper()
	if with["name"] != "" {
		from := os.DirFS(filepath.Join(m.artifacts, with["name"]))
		m.ok(fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(from, path)
			to := filepath.Join(m.inWorkspace(with["path"]), path)
			return errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, 0o644))
		}))
		return
	}
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

// plan runs the workflow's plan, which must have one job, and returns it with the values of that job.
func (s service) plan(w workflow, values expressions) (matrixJSON string, job expressions) {
	s.t.Helper()
	m := s.machine(values)
	m.run(w.Jobs["plan"].Steps)
	m.mustPass()
	matrixJSON = m.values.fill(s.t, w.Jobs["plan"].Outputs["matrix"])
	var planned struct{ Include []map[string]string }
	if err := json.Unmarshal([]byte(matrixJSON), &planned); err != nil || len(planned.Include) != 1 || planned.Include[0]["name"] != entryName {
		s.t.Fatalf("the plan is %s (%v)", matrixJSON, err)
	}
	job = maps.Clone(values)
	for name, value := range planned.Include[0] {
		job["matrix."+name] = value
	}
	return matrixJSON, job
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

// outputs are what the last script wrote to GITHUB_OUTPUT.
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
